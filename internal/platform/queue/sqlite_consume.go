package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// errLost ends a handler's context when its messages may be another's.
var errLost = errors.New("the lease on the messages ran out")

// longestWait bounds how long a consumer takes to notice what a consumer of
// another process gave back.
const longestWait = time.Second

// consumer is one call of Consume.
type consumer struct {
	*SQLite
	*work
	queue queueID
	woken chan struct{}
}

// Consume works a queue off; see [Queue].
func (q *SQLite) Consume(ctx context.Context, o ConsumeOptions, handle Handler) error {
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(q.ctx, cancel)() // Close ends it, too

	c := &consumer{SQLite: q, woken: make(chan struct{}, 1)}
	c.work = newWork(o, handle, func(text string, err error, batch int) {
		q.o.Log.WarnContext(ctx, "consuming is held up", "queue", o.Queue, "what", text, "messages", batch, "error", err)
	})
	for failures := 0; stop.Err() == nil; failures++ {
		var err error
		if c.queue, err = q.id(stop, o.Queue); err == nil {
			break
		}
		c.trouble(stop, "cannot find a queue", err, failures)
	}
	if stop.Err() == nil {
		q.mu.Lock()
		if q.ctx.Err() == nil {
			q.watching.Do(func() { q.watchers.Go(q.watch) })
		}
		q.waiting[c.woken] = c.queue
		q.mu.Unlock()
		defer func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			delete(q.waiting, c.woken)
		}()
		c.loop(stop)
	}
	if q.ctx.Err() != nil {
		return ErrClosed
	}
	return nil
}

// loop claims, handles and settles. What one batch came to is settled in the
// same change that claims the next.
func (c *consumer) loop(stop context.Context) {
	var before *settlement
	for failures := 0; ; {
		if before == nil && !c.await(stop) {
			return
		}
		held, err := c.turn(before, stop.Err() == nil)
		if err != nil {
			if errors.Is(err, database.ErrClosed) || stop.Err() != nil && failures > 2 {
				return // what is held comes again when its lease runs out
			}
			c.trouble(stop, "cannot take messages for now", err, failures)
			failures++
			continue
		}
		before, failures = nil, 0
		if held != nil {
			before = c.process(stop, held)
			if len(held.deliveries) < c.Batch {
				pause(stop, c.Linger)
			}
		}
	}
}

// await returns true when there may be something to claim, and false when stop
// has ended.
func (c *consumer) await(stop context.Context) bool {
	for failures := 0; stop.Err() == nil; {
		var ready bool
		var due *market.Time
		if err := c.store.peek.QueryRow(stop, int64(c.queue)).Scan(&ready, &due); err != nil {
			if stop.Err() == nil {
				c.trouble(stop, "cannot look for messages", err, failures)
			}
			failures++
			continue
		}
		wait := longestWait
		if due != nil {
			wait = min(wait, due.Sub(c.o.Now()))
		}
		if ready || wait <= 0 {
			return true
		}
		timer := time.NewTimer(wait)
		select {
		case <-c.woken:
		case <-timer.C:
		case <-stop.Done():
		}
		timer.Stop()
	}
	return false
}

// turn settles what was held and claims what is next, in one change.
func (c *consumer) turn(before *settlement, claim bool) (held *holding, err error) {
	lost := false
	err = c.db.Update(c.ctx, func(tx *database.Tx) (err error) {
		held, lost = nil, false
		if before != nil {
			settled, err := c.store.settle(tx, c.queue, before)
			if err != nil {
				return fmt.Errorf("settle a batch: %w", err)
			}
			lost = !settled
		}
		if claim {
			now := c.o.Now()
			held, err = c.store.claim(tx, c.queue, c.Batch, now, now.Add(c.o.Lease))
		}
		return err
	})
	if err == nil && lost {
		c.failed("a batch took too long and comes again", errLost, len(before.holding.deliveries))
	}
	return held, err
}

// process reads what is held, puts it through the handler and says what became of
// it.
func (c *consumer) process(stop context.Context, h *holding) *settlement {
	ctx, lose := context.WithCancelCause(context.WithoutCancel(stop))
	defer lose(nil)
	defer context.AfterFunc(c.ctx, func() { lose(ErrClosed) })() // Close ends it, too
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.keep(ctx, lose, h.id)
	}()
	if err := c.read(ctx, h); err != nil {
		c.trouble(stop, "cannot read messages", err, 0)
	} else {
		c.run(stop, ctx, h.deliveries)
	}
	lose(nil)
	<-ended
	return c.settlement(h)
}

// keep extends a lease until ctx ends, and ends it when the lease is lost or
// could not be extended in time.
func (c *consumer) keep(ctx context.Context, lose context.CancelCauseFunc, id int64) {
	due := c.o.Now().Add(c.o.Lease)
	for {
		pause(ctx, c.o.Lease/4)
		if ctx.Err() != nil {
			return
		}
		var held int64
		next := c.o.Now().Add(c.o.Lease)
		err := c.db.Update(ctx, func(tx *database.Tx) (err error) {
			held, err = tx.Exec(c.store.extend, id, market.At(next))
			return err
		})
		switch {
		case err == nil && held == 1:
			due = next
		case err == nil, !c.o.Now().Before(due):
			lose(errLost)
		}
	}
}

// read fills a holding with its messages, up to batchBytes.
func (c *consumer) read(ctx context.Context, h *holding) error {
	h.readTo = h.first - 1
	rows, err := c.store.read.Query(ctx, int64(c.queue), h.first, h.last)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // what went wrong is in Err
	for bytes := 0; rows.Next(); {
		if bytes > batchBytes || len(h.ids) == c.Batch {
			return nil
		}
		d := &Delivery{Tries: h.tries, firstError: h.firstError}
		id, err := scanDelivery(rows, d)
		if err != nil {
			return err
		}
		h.deliveries, h.ids, h.readTo = append(h.deliveries, d), append(h.ids, id), id
		bytes += len(d.Body)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	h.readTo = h.last
	return nil
}

// settlement puts the verdicts together: ranges that stay, and dead letters.
func (c *consumer) settlement(h *holding) *settlement {
	now := c.o.Now()
	s := &settlement{holding: h, dead: c.Queue.Dead(), at: now}
	for i, d := range h.deliveries {
		switch d.verdict {
		case later:
			s.keep = append(s.keep, kept{h.ids[i], h.ids[i], now.Add(c.again(d)), d.Tries, d.firstError})
		case pending:
			s.keepNext(kept{h.ids[i], h.ids[i], now, d.Tries, d.firstError}, i > 0 && h.deliveries[i-1].verdict == pending)
		case dead:
			letter, err := recordOf(deadLetter(d, now))
			if err != nil { // headers that cannot be written: those of the message itself were read
				letter = record{id: d.ID, body: d.Body}
			}
			s.letters = append(s.letters, letter)
			c.o.Log.Error("a message was given up", "queue", c.Queue, "message", d.ID, "reason", d.reason)
		case done:
		}
	}
	if h.readTo < h.last {
		s.keep = append(s.keep, kept{h.readTo + 1, h.last, now, h.tries, h.firstError})
	}
	return s
}

// keepNext keeps a range that comes again at once, as part of the one before it
// where that follows and says the same.
func (s *settlement) keepNext(k kept, follows bool) {
	if n := len(s.keep) - 1; follows && s.keep[n].tries == k.tries && s.keep[n].firstError == k.firstError {
		s.keep[n].last = k.last
		return
	}
	s.keep = append(s.keep, k)
}

// trouble logs what the engine itself cannot do, and waits.
func (c *consumer) trouble(stop context.Context, text string, err error, failures int) {
	c.failed(text, err, 0)
	pause(stop, doubled(c.Backoff, failures, longestOutagePause))
}
