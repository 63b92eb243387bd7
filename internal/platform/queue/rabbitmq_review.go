package queue

import (
	"context"
	"fmt"
	"maps"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Review looks through a queue; see [Queue]. The broker cannot show a message
// without handing it out, so what stays is held until the end and then goes back
// to its place.
func (q *RabbitMQ) Review(ctx context.Context, name Name, judge func(*Delivery) Fate) error {
	conn, err := q.dial(ctx, "review of "+string(name))
	if err != nil {
		return unavailable(ctx, err)
	}
	defer hangUp(conn, q.o.Now)
	defer context.AfterFunc(ctx, func() { hangUp(conn, q.o.Now) })()
	found, err := q.inspect(conn, name)
	if is(err, amqp.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at %s: %w", name, err)
	}
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	// What is put back may soon be dead again, so then the count from before is the
	// end. Otherwise the end is where nothing is left: a quorum queue counts late.
	for n, requeued := 0, false; !requeued || n < found.Messages; n++ {
		raw, got, err := ch.Get(q.wire(name), false)
		if err != nil {
			return fmt.Errorf("look at a message of %s: %w", name, err)
		}
		if !got {
			break
		}
		d := deliveryOf(&raw)
		fate := judge(&d)
		switch fate {
		case Keep:
			continue
		case Leave:
			return ch.Close()
		case Requeue:
			if err := q.revive(ctx, name, &raw); err != nil {
				return err
			}
			requeued = true
		case Drop:
		}
		if err := raw.Ack(false); err != nil {
			return fmt.Errorf("take a message out of %s: %w", name, err)
		}
	}
	return ch.Close()
}

// revive puts a dead letter back into its queue. If the program dies before the
// letter is taken out, it is in both.
func (q *RabbitMQ) revive(ctx context.Context, name Name, raw *amqp.Delivery) error {
	origin, dead := name.Origin()
	if !dead {
		return errNotDead
	}
	p := republished(raw)
	maps.DeleteFunc(p.Headers, func(k string, _ any) bool { return strings.HasPrefix(k, deadPrefix) })
	if err := q.publish(ctx, origin, []amqp.Publishing{p}); err != nil {
		return unavailable(ctx, fmt.Errorf("put a message back into %s: %w", origin, err))
	}
	return nil
}
