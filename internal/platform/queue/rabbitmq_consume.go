package queue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A consumer is sent prefetched batches ahead of what it handles, and stops
// taking more while as many as heldBack batches wait for their next try.
const (
	prefetched = 4
	heldBack   = 2
)

// A batch that is not full waits for more messages, but not for long.
const (
	batchIdle = time.Millisecond     // since the last message
	batchWait = 5 * time.Millisecond // since the first one
)

// Consume works a queue off; see [Queue]. Each connection is one session: what it
// did not acknowledge comes again in the next, and its late acknowledgements
// reach nobody.
func (q *RabbitMQ) Consume(ctx context.Context, o ConsumeOptions, handle Handler) error {
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(q.ctx, cancel)() // Close ends it, too

	w := newWork(o, handle, func(text string, err error, batch int) {
		q.o.Log.WarnContext(ctx, "consuming is held up", "queue", o.Queue, "what", text, "messages", batch, "error", err)
	})
	for pauses := (redials{}); stop.Err() == nil; {
		began := q.o.Now()
		err := q.session(stop, w)
		if stop.Err() != nil {
			break
		}
		w.failed("lost the broker", err, 0)
		pause(stop, pauses.next(q.o.Now().Sub(began)))
	}
	if q.ctx.Err() != nil {
		return ErrClosed
	}
	return nil
}

// session is one connection of a consumer.
type session struct {
	*RabbitMQ
	*work
	ch     *amqp.Channel
	stop   context.Context // told to stop: the batch under way is finished
	ctx    context.Context // ends with the connection
	source <-chan amqp.Delivery
	held   []*parcel // wait for their next try, by tag
}

// parcel is a message that the broker waits to have acknowledged.
type parcel struct {
	Delivery
	raw amqp.Delivery
	due time.Time // when held back
}

func (q *RabbitMQ) session(stop context.Context, w *work) error {
	conn, err := q.dial(stop, "consumer of "+string(w.Queue))
	if err != nil {
		return err
	}
	defer hangUp(conn, q.o.Now)
	ctx, lose := context.WithCancelCause(context.WithoutCancel(stop))
	defer lose(nil)
	defer context.AfterFunc(q.ctx, func() { // Close ends it, too
		lose(ErrClosed)
		hangUp(conn, q.o.Now)
	})()
	if err := q.declare(conn, w.Queue); err != nil {
		return err
	}
	s := &session{RabbitMQ: q, work: w, stop: stop, ctx: ctx}
	if s.ch, err = conn.Channel(); err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	ended := make(chan error, 1)
	go tell(ended, s.ch.NotifyClose(make(chan *amqp.Error, 1)))
	go func() { lose(<-ended) }()
	if err := s.ch.Qos(min(prefetched*w.Batch, 1<<16-1), 0, false); err != nil {
		return fmt.Errorf("bound what is sent ahead: %w", err)
	}
	if s.source, err = s.ch.Consume(q.wire(w.Queue), "", false, false, false, false, nil); err != nil {
		return fmt.Errorf("consume %s: %w", w.Queue, err)
	}
	for {
		batch, err := s.next()
		if err != nil || batch == nil {
			return err
		}
		deliveries := make([]*Delivery, len(batch))
		for i, p := range batch {
			deliveries[i] = &p.Delivery
		}
		s.run(stop, ctx, deliveries)
		if err := s.settle(batch); err != nil {
			return err
		}
	}
}

// next gives a message whose next try is due, or else a batch of new ones; nil
// when told to stop.
func (s *session) next() ([]*parcel, error) {
	for s.stop.Err() == nil {
		now, next := s.o.Now(), s.o.Now().Add(time.Hour)
		for i, p := range s.held {
			if !p.due.After(now) {
				s.held = slices.Delete(s.held, i, i+1)
				p.verdict = pending
				return []*parcel{p}, nil
			}
			if p.due.Before(next) {
				next = p.due
			}
		}
		source := s.source
		if len(s.held) >= heldBack*s.Batch {
			source = nil
		}
		timer := time.NewTimer(next.Sub(now))
		select {
		case raw, open := <-source:
			timer.Stop()
			if !open {
				return nil, s.lost()
			}
			if batch := s.gather(raw); len(batch) > 0 {
				return batch, nil
			}
		case <-timer.C:
		case <-s.ctx.Done():
			timer.Stop()
			return nil, s.lost()
		case <-s.stop.Done():
			timer.Stop()
		}
	}
	return nil, nil
}

// lost says why the session ends.
func (s *session) lost() error {
	if cause := context.Cause(s.ctx); cause != nil {
		return cause
	}
	return errors.New("the broker ended the consumer: the queue is gone") // or moved
}

// gather makes a batch of what is there. What was tried before and is not due is
// held back.
func (s *session) gather(raw amqp.Delivery) (batch []*parcel) {
	idle, wait := time.NewTimer(batchIdle), time.NewTimer(batchWait)
	defer idle.Stop()
	defer wait.Stop()
	now := s.o.Now()
	for bytes := 0; ; {
		p := &parcel{Delivery: deliveryOf(&raw), raw: raw}
		if p.due = s.tries.recall(s.Queue, &p.Delivery); p.due.After(now) {
			s.held = append(s.held, p)
		} else {
			batch = append(batch, p)
		}
		if bytes += len(raw.Body); bytes > batchBytes || len(batch) >= s.Batch || len(s.held) >= heldBack*s.Batch {
			return batch
		}
		idle.Reset(batchIdle)
		var open bool
		select {
		case raw, open = <-s.source:
			if !open {
				return batch
			}
		case <-idle.C:
			return batch
		case <-wait.C:
			return batch
		}
	}
}

// settle does with each message of a batch what its verdict says. A dead letter
// is confirmed before its message is acknowledged; one that cannot be put away
// is held back.
func (s *session) settle(batch []*parcel) error {
	if s.ctx.Err() != nil {
		return s.lost() // all comes again
	}
	s.bury(batch)
	var finished []*parcel
	for _, p := range batch {
		switch p.verdict {
		case done:
			finished = append(finished, p)
			if p.Tries > 0 {
				s.tries.forget(s.Queue, &p.Delivery)
			}
		case later:
			s.tries.note(s.Queue, &p.Delivery, p.due)
			s.held = append(s.held, p)
		case pending, dead: // told to stop; none is left dead
			s.held = append(s.held, p)
		}
	}
	return s.acknowledge(finished)
}

// acknowledge acknowledges messages, in the order of their tags: together up to
// the first that is held back, and one by one from there.
func (s *session) acknowledge(finished []*parcel) error {
	before := uint64(math.MaxUint64)
	for _, p := range s.held {
		before = min(before, p.raw.DeliveryTag)
	}
	n := 0
	for n < len(finished) && finished[n].raw.DeliveryTag < before {
		n++
	}
	if n > 0 {
		if err := s.ch.Ack(finished[n-1].raw.DeliveryTag, true); err != nil {
			return fmt.Errorf("acknowledge a batch: %w", err)
		}
	}
	for _, p := range finished[n:] {
		if err := s.ch.Ack(p.raw.DeliveryTag, false); err != nil {
			return fmt.Errorf("acknowledge a message: %w", err)
		}
	}
	return nil
}

// bury puts the dead of a batch into the queue of dead letters, and decides when
// what failed comes again.
func (s *session) bury(batch []*parcel) {
	var letters []amqp.Publishing
	now := s.o.Now()
	for _, p := range batch {
		switch p.verdict {
		case dead:
			letters = append(letters, letterOf(&p.raw, &p.Delivery, now))
		case later:
			p.due = now.Add(s.again(&p.Delivery))
		case pending, done:
		}
	}
	if len(letters) == 0 {
		return
	}
	err := s.publish(s.ctx, s.Queue.Dead(), letters)
	if err != nil {
		s.failed("cannot put dead letters away", err, len(letters))
	}
	for _, p := range batch {
		switch {
		case p.verdict != dead:
		case err != nil:
			p.verdict, p.due = later, now.Add(longestOutagePause)
		default:
			p.verdict = done
			s.o.Log.Error("a message was given up", "queue", s.Queue, "message", p.ID, "reason", p.reason)
		}
	}
}
