package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Publish returns when the broker has confirmed every message. What was not
// confirmed when a connection ended is published again, with the same id, as
// long as the caller and [RabbitMQOptions.Patience] allow; a message without an
// id only when it certainly did not arrive.
func (q *RabbitMQ) Publish(ctx context.Context, name Name, messages ...Message) error {
	if len(messages) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	publishings := make([]amqp.Publishing, len(messages))
	now := q.o.Now()
	for i, m := range messages {
		var err error
		if publishings[i], err = publishingOf(m, now); err != nil {
			return fmt.Errorf("publish to %s: %w", name, err)
		}
	}
	if err := q.publish(ctx, name, publishings); err != nil {
		return unavailable(ctx, fmt.Errorf("publish to %s: %w", name, err))
	}
	return nil
}

// errUnknownFate is why a message without an id is not tried again.
var errUnknownFate = errors.New("it is not known whether a message without an id arrived")

func (q *RabbitMQ) publish(ctx context.Context, name Name, messages []amqp.Publishing) error {
	ctx, cancel := context.WithTimeout(ctx, q.o.Patience)
	defer cancel()
	for failures := 0; ; failures++ {
		l, err := q.linked(ctx)
		if err != nil {
			return err
		}
		messages, err = q.publishOn(ctx, l, name, messages)
		if err == nil || errors.Is(err, errUnknownFate) {
			return err
		}
		if pause(ctx, doubled(firstRedial/5, failures, longestRedial)); ctx.Err() != nil {
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// publishOn publishes in order and gives back what did not arrive.
func (q *RabbitMQ) publishOn(ctx context.Context, l *link, name Name, messages []amqp.Publishing) ([]amqp.Publishing, error) {
	if err := q.declareOnce(ctx, l, name); err != nil {
		return messages, err
	}
	lane := l.lanes[rand.IntN(lanes)] // spreads load
	for len(messages) > 0 {
		n := min(len(messages), outstanding/2)
		missing, err := lane.publish(ctx, q.wire(name), messages[:n])
		if err != nil {
			if errors.Is(err, errReturned) {
				l.declared.Delete(name)
			}
			return append(missing, messages[n:]...), err
		}
		messages = messages[n:]
	}
	return nil, nil
}

// declareOnce declares a queue once on a link; callers wait for one another.
func (q *RabbitMQ) declareOnce(ctx context.Context, l *link, name Name) error {
	if _, known := l.declared.Load(name); known {
		return nil
	}
	done := l.declaring.DoChan(string(name), func() (any, error) {
		err := q.declare(l.conn, name)
		if err == nil {
			l.declared.Store(name, true)
		}
		return nil, err
	})
	select {
	case result := <-done:
		return result.Err
	case <-ctx.Done():
		return fmt.Errorf("declare the queue %s: %w", name, ctx.Err())
	}
}

// returnKey finds the publisher of a message that comes back.
type returnKey struct{ queue, id string }

// What the broker does with what it cannot take.
var (
	errReturned = errors.New("the broker returned a message: the queue is gone")
	errRefused  = errors.New("a message was not confirmed")
)

// publish publishes messages and waits for their confirms. It gives back those
// that have none.
func (l *lane) publish(ctx context.Context, queue string, messages []amqp.Publishing) (missing []amqp.Publishing, failed error) {
	if err := l.slots.Acquire(ctx, int64(len(messages))); err != nil {
		return messages, fmt.Errorf("too many messages await their confirms: %w", err)
	}
	confirms := make([]*amqp.DeferredConfirmation, 0, len(messages))
	for i := range messages {
		confirm, err := l.ch.PublishWithDeferredConfirm("", queue, true, false, messages[i])
		if err != nil {
			missing = messages[i:]
			failed = fmt.Errorf("%w: %w", errRefused, err)
			if messages[i].MessageId == "" && !errors.Is(err, amqp.ErrClosed) {
				failed = errUnknownFate
			}
			break
		}
		confirms = append(confirms, confirm)
	}
	l.slots.Release(int64(len(messages) - len(confirms)))
	var lost []amqp.Publishing
	for i, confirm := range confirms {
		select {
		case <-confirm.Done():
		case <-ctx.Done():
			go l.reap(queue, messages[i:], confirms[i:])
			return append(lost, messages[i:]...), fmt.Errorf("no confirm came: %w", ctx.Err())
		}
		returned := l.settle(queue, messages[i].MessageId)
		switch {
		case confirm.Acked() && !returned:
			continue
		case returned:
			failed = worst(failed, errReturned)
		case messages[i].MessageId == "":
			failed = errUnknownFate
		default:
			failed = worst(failed, errRefused)
		}
		lost = append(lost, messages[i])
	}
	return append(lost, missing...), failed
}

// worst keeps an error that must not be tried again.
func worst(failed, err error) error {
	if errors.Is(failed, errUnknownFate) || errors.Is(failed, errReturned) {
		return failed
	}
	return err
}

// reap waits for confirms that nobody waits for any more.
func (l *lane) reap(queue string, messages []amqp.Publishing, confirms []*amqp.DeferredConfirmation) {
	for i, confirm := range confirms {
		<-confirm.Done() // at the latest when the connection ends
		l.settle(queue, messages[i].MessageId)
	}
}

// settle ends a message's being outstanding, and says whether it was returned.
// The broker returns a message before it confirms it, and the client hands over
// both in that order.
func (l *lane) settle(queue, id string) (returned bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.returns) > 0 {
		r := <-l.returns
		l.returned[returnKey{r.RoutingKey, r.MessageId}]++
	}
	l.slots.Release(1)
	key := returnKey{queue, id}
	if l.returned[key] == 0 {
		return false
	}
	if l.returned[key]--; l.returned[key] == 0 {
		delete(l.returned, key)
	}
	return true
}
