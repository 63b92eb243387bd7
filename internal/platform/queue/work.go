package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"strconv"
	"time"

	"emporium/internal/market"
)

// verdict is what becomes of a delivery.
type verdict uint8

const (
	pending verdict = iota // not handled: it comes again at once
	done                   // acknowledged
	dead                   // goes to the dead letters
	later                  // tried again after a pause
)

// Pauses do not grow beyond these.
const (
	longestOutagePause = 5 * time.Second
	longestTryPause    = time.Minute
)

// work is how every engine puts batches through a handler.
type work struct {
	ConsumeOptions
	handle Handler
	failed func(text string, err error, batch int) // tells the log
}

func newWork(o ConsumeOptions, handle Handler, failed func(string, error, int)) *work {
	o.Batch = cmp.Or(o.Batch, 100)
	o.MaxTries = cmp.Or(o.MaxTries, 10)
	o.Backoff = cmp.Or(o.Backoff, 100*time.Millisecond)
	return &work{o, handle, failed}
}

// run gives each delivery its verdict. It goes on until stop ends or the batch
// is no longer its own, which ends ctx; what is then undecided stays pending.
func (w *work) run(stop, ctx context.Context, batch []*Delivery) {
	for outages := 0; stop.Err() == nil && ctx.Err() == nil; outages++ {
		err := w.call(ctx, batch)
		switch {
		case err == nil:
			for _, d := range batch {
				if d.verdict == pending {
					d.verdict = done
				} else {
					d.Tries++
				}
			}
			return
		case ctx.Err() != nil:
			return
		case w.outage(ctx, err):
			w.failed("cannot handle messages for now", err, len(batch))
			pause(stop, doubled(w.Backoff, outages, longestOutagePause))
		case len(batch) > 1:
			w.failed("a batch failed: its messages are tried one by one", err, len(batch))
			for i := range batch {
				w.run(stop, ctx, batch[i:i+1])
			}
			return
		default:
			w.fail(batch[0], err)
			w.failed("a message failed", err, 1)
			return
		}
	}
}

// call runs the handler; a panic is an error.
func (w *work) call(ctx context.Context, batch []*Delivery) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if err != nil {
			for _, d := range batch {
				d.verdict = pending
			}
		}
	}()
	return w.handle(ctx, batch)
}

func (w *work) outage(ctx context.Context, err error) bool {
	return market.KindOf(err) == market.Unavailable || w.Ready != nil && w.Ready(ctx) != nil
}

// fail decides about a message that failed alone.
func (w *work) fail(d *Delivery, err error) {
	d.Tries++
	d.firstError = cmp.Or(d.firstError, err.Error())
	d.verdict = later
	var never neverError
	switch {
	case errors.As(err, &never):
		d.verdict, d.reason = dead, err.Error()
	case d.Tries >= w.MaxTries:
		d.verdict, d.reason = dead, fmt.Sprintf("given up after %d tries: %v", d.Tries, err)
	}
}

// again says how long a message that failed has to wait.
func (w *work) again(d *Delivery) time.Duration {
	return doubled(w.Backoff, d.Tries-1, longestTryPause)
}

// deadLetter is what goes to the queue of dead letters.
func deadLetter(d *Delivery, at time.Time) Message {
	m := d.Message
	m.Headers = map[string]string{}
	maps.Copy(m.Headers, d.Headers)
	m.Headers[HeaderReason] = d.reason
	m.Headers[HeaderFirstError] = cmp.Or(d.firstError, d.reason)
	m.Headers[HeaderTries] = strconv.Itoa(d.Tries)
	m.Headers[HeaderDiedAt] = market.At(at).String()
	return m
}

func doubled(first time.Duration, times int, longest time.Duration) time.Duration {
	for range times {
		if first >= longest {
			return longest
		}
		first *= 2
	}
	return min(first, longest)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
