package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/queue"
)

func rejected(b *bench) {
	b.publish(numbered(10)...)
	var got record
	stop := b.consume(b.q, options(), func(_ context.Context, batch []*queue.Delivery) error {
		for _, d := range batch {
			if d.ID == "3" || d.ID == "9" {
				d.Reject(errors.New("cannot be read: " + d.ID))
			} else {
				got.add(d)
			}
		}
		return nil
	})
	b.handled(8, &got, stop)
	if len(got.all()) != 8 {
		b.Errorf("the others: %v", got.all())
	}
	letters := b.letters(2)
	for _, id := range []string{"3", "9"} {
		d := letters[id]
		if d == nil {
			b.Errorf("%s is no dead letter", id)
			continue
		}
		at, err := time.Parse(time.RFC3339, d.Headers[queue.HeaderDiedAt])
		if string(d.Body) != `{"n":`+id+`}` || d.Headers[queue.HeaderReason] != "cannot be read: "+id ||
			d.Headers[queue.HeaderTries] != "1" || err != nil || time.Since(at).Abs() > time.Hour {
			b.Errorf("%s: %s, %v", id, d.Body, d.Headers)
		}
	}
}

func isolated(b *bench) {
	b.publish(numbered(10)...)
	var got record
	stop := b.consume(b.q, options(), func(_ context.Context, batch []*queue.Delivery) error {
		if slices.ContainsFunc(batch, func(d *queue.Delivery) bool { return d.ID == "4" }) {
			return fmt.Errorf("store the batch: %w", queue.Never(errors.New("three decimals")))
		}
		got.add(batch...)
		return nil
	})
	b.handled(9, &got, stop)
	if want := []string{"0", "1", "2", "3", "5", "6", "7", "8", "9"}; !slices.Equal(got.all(), want) {
		b.Errorf("the others: %v", got.all())
	}
	if d := b.letters(1)["4"]; d == nil || d.Headers[queue.HeaderReason] != "store the batch: three decimals" {
		b.Errorf("the dead letter: %+v", d)
	}
}

func givenUp(b *bench) {
	b.publish(numbered(6)...)
	var got record
	var tries atomic.Int64
	stop := b.consume(b.q, options(), func(_ context.Context, batch []*queue.Delivery) error {
		for _, d := range batch {
			if d.ID == "2" {
				if len(batch) > 1 {
					return errors.New("one of these")
				}
				if n := tries.Add(1); int64(d.Tries) != n-1 {
					b.Errorf("try %d says %d before it", n, d.Tries)
				}
				return fmt.Errorf("failure %d", tries.Load())
			}
		}
		got.add(batch...)
		return nil
	})
	b.until("the bad one is dead", func() bool { return b.stats().Dead == 1 })
	b.handled(5, &got, stop)
	if len(got.all()) != 5 || tries.Load() != 3 {
		b.Errorf("%d others, %d tries; want 5 and 3", len(got.all()), tries.Load())
	}
	d := b.letters(1)["2"]
	if d == nil || !strings.Contains(d.Headers[queue.HeaderReason], "failure 3") ||
		d.Headers[queue.HeaderFirstError] != "failure 1" || d.Headers[queue.HeaderTries] != "3" {
		b.Errorf("the dead letter: %+v", d)
	}
}

func triesKept(b *bench) {
	if !b.KeepsTries {
		return
	}
	b.publish(numbered(1)...)
	failed := make(chan struct{})
	o := options()
	o.Backoff = 20 * soon
	stop := b.consume(b.q, o, func(context.Context, []*queue.Delivery) error {
		close(failed)
		return errors.New("the first failure")
	})
	<-failed
	stop()
	defer b.consume(b.q, o, func(_ context.Context, batch []*queue.Delivery) error {
		if batch[0].Tries != 1 {
			b.Errorf("%d tries are known of", batch[0].Tries)
		}
		return queue.Never(errors.New("the second failure"))
	})()
	d := b.letters(1)["0"]
	if d == nil || d.Headers[queue.HeaderFirstError] != "the first failure" || d.Headers[queue.HeaderReason] != "the second failure" {
		b.Errorf("the dead letter: %+v", d)
	}
}

func outage(b *bench) {
	b.publish(numbered(3)...)
	var got record
	var calls atomic.Int64
	o := options()
	o.Backoff = time.Microsecond
	stop := b.consume(b.q, o, func(_ context.Context, batch []*queue.Delivery) error {
		if calls.Add(1) <= 15 {
			return fmt.Errorf("store: %w", market.Refuse(market.Unavailable, "down", "the database is down"))
		}
		if batch[0].Tries != 0 {
			b.Errorf("%d tries were used up", batch[0].Tries)
		}
		got.add(batch...)
		return nil
	})
	b.handled(3, &got, stop)
	if s := b.stats(); len(got.all()) != 3 || s.Dead != 0 {
		b.Errorf("%d handled, %d dead", len(got.all()), s.Dead)
	}
}

func unseenOutage(b *bench) {
	b.publish(numbered(3)...)
	var got record
	var calls atomic.Int64
	var up atomic.Bool
	o := options()
	o.Backoff = time.Microsecond
	o.Ready = func(context.Context) error {
		if up.Load() {
			return nil
		}
		return errors.New("no connection")
	}
	stop := b.consume(b.q, o, func(_ context.Context, batch []*queue.Delivery) error {
		if up.Store(calls.Add(1) > 15); !up.Load() {
			return errors.New("some error of a driver")
		}
		got.add(batch...)
		return nil
	})
	b.handled(3, &got, stop)
	if s := b.stats(); len(got.all()) != 3 || s.Dead != 0 {
		b.Errorf("%d handled, %d dead", len(got.all()), s.Dead)
	}
}

func panics(b *bench) {
	b.publish(numbered(3)...)
	var got record
	stop := b.consume(b.q, options(), func(_ context.Context, batch []*queue.Delivery) error {
		for _, d := range batch {
			if d.ID == "1" {
				panic("by mistake")
			}
		}
		got.add(batch...)
		return nil
	})
	b.until("the bad one is dead", func() bool { return b.stats().Dead == 1 })
	b.handled(2, &got, stop)
	if d := b.letters(1)["1"]; d == nil || !strings.Contains(d.Headers[queue.HeaderReason], "by mistake") || len(got.all()) != 2 {
		b.Errorf("dead letter %+v, others %v", d, got.all())
	}
}

func overtaken(b *bench) {
	b.publish(numbered(30)...)
	var got record
	o := options()
	o.Backoff, o.MaxTries = 200*soon, 9 // far beyond the test
	stop := b.consume(b.q, o, func(_ context.Context, batch []*queue.Delivery) error {
		for _, d := range batch {
			if d.ID == "2" || d.ID == "7" {
				return errors.New("not yet")
			}
		}
		got.add(batch...)
		return nil
	})
	b.until("28 handled", func() bool { return len(got.all()) == 28 })
	b.publish(queue.Message{ID: "31"})
	b.until("one that came later is handled", func() bool { return len(got.all()) == 29 })
	stop()
	b.until("the two are still there", func() bool { return b.stats().Depth == 2 })
	if s := b.stats(); s.Dead != 0 {
		b.Errorf("%+v", s)
	}
}

func shared(b *bench) {
	const n = 200
	b.publish(numbered(n)...)
	var first, second record
	hold := make(chan struct{})
	stopFirst := b.consume(b.q, options(), func(ctx context.Context, batch []*queue.Delivery) error {
		<-hold
		return first.handle(ctx, batch)
	})
	stopSecond := b.consume(b.open(), options(), second.handle)
	b.until("the second works off what the first does not hold", func() bool { return len(second.all()) >= n/2 })
	close(hold)
	b.until("all handled", func() bool { return len(first.all())+len(second.all()) == n })
	stopFirst()
	stopSecond()
	b.empty()
}
