package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"
)

// orderQueue is where Emporium puts orders; bareQueue is the bare client's.
const (
	orderQueue = "billing_queue"
	bareQueue  = "bare_queue"
)

// outstanding is how many messages the bare client has sent without a confirm.
const outstanding = postConnections

// broker is the run's own virtual host, made when it is first asked for.
func (b *bench) broker() (string, error) {
	if b.host == "" {
		var err error
		if b.host, err = b.engines.virtualHost(); err != nil {
			return "", err
		}
	}
	return b.host, nil
}

// channel opens a connection to the broker with one channel, and makes sure that
// a queue is there.
func (b *bench) channel(queue string) (*amqp.Channel, func(), error) {
	address, err := b.broker()
	if err != nil {
		return nil, nil, err
	}
	c, err := amqp.Dial(address)
	if err != nil {
		return nil, nil, err
	}
	ch, err := c.Channel()
	if err == nil {
		_, err = ch.QueueDeclare(queue, true, false, false, false, nil)
	}
	if err != nil {
		_ = c.Close()
		return nil, nil, err
	}
	return ch, func() { _ = c.Close() }, nil
}

// purge empties a queue.
func (b *bench) purge(queue string) error {
	ch, done, err := b.channel(queue)
	if err != nil {
		return err
	}
	defer done()
	_, err = ch.QueuePurge(queue, false)
	return err
}

// orderRows hold taking orders in against the bare client.
func (b *bench) orderRows() []row {
	return []row{{
		name: "POST /api/billing, into RabbitMQ, " + strconv.Itoa(outstanding) + " messages awaiting their confirms from amqp091-go without HTTP", against: "servers", target: 0.5, connections: postConnections,
		ours: side{server: "taking-in", request: post("/api/billing", orderBody), status: 200, after: func() error { return b.purge(orderQueue) }},
		theirs: side{do: func(_ int, duration time.Duration) (run, error) {
			r, err := b.publish(bareQueue, outstanding, func(n int64, from time.Time) bool { return time.Since(from) >= duration })
			if err != nil {
				return r, err
			}
			return r, b.purge(bareQueue)
		}},
	}}
}

// publish puts orders into a queue, with some outstanding, until it is enough.
func (b *bench) publish(queue string, outstanding int, enough func(n int64, from time.Time) bool) (run, error) {
	ch, done, err := b.channel(queue)
	if err != nil {
		return run{}, err
	}
	defer done()
	if err := ch.Confirm(false); err != nil {
		return run{}, err
	}
	started := strconv.FormatInt(time.Now().UnixNano(), 36)
	return timed(func() (int64, error) {
		window := make([]*amqp.DeferredConfirmation, outstanding)
		await := func(c *amqp.DeferredConfirmation) error {
			if c != nil && !c.Wait() {
				return errors.New("a message was not confirmed")
			}
			return nil
		}
		n, from := int64(0), time.Now()
		for ; !enough(n, from); n++ {
			slot := &window[n%int64(outstanding)]
			if err := await(*slot); err != nil {
				return n, err
			}
			*slot, err = ch.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{
				DeliveryMode: amqp.Persistent, ContentType: "application/json", Timestamp: from,
				MessageId: fmt.Sprintf("%s-%012x", started, n), Body: orderBody(nil, uint64(n)),
			})
			if err != nil {
				return n, err
			}
		}
		for _, c := range window {
			if err := await(c); err != nil {
				return n, err
			}
		}
		return n, nil
	})
}

// drainRows hold working orders off against a bare consumer.
func (b *bench) drainRows() []row {
	return []row{{
		name:    fmt.Sprintf("%d waiting orders from RabbitMQ into PostgreSQL, COPY of %d rows and one acknowledgement each by pgx and amqp091-go", b.orders, copyRows),
		against: "servers", target: 0.7, rounds: 3,
		ours: side{do: b.drain}, theirs: side{do: b.copyOrders},
	}}
}

// waiting is how many orders wait in a run, of which those that only warm up are
// shorter.
func (b *bench) waiting(duration time.Duration) int64 {
	if duration < b.duration {
		return int64(b.orders/20 + 1)
	}
	return int64(b.orders)
}

func (b *bench) fillQueue(queue string, count int64) error {
	_, err := b.publish(queue, 1024, func(n int64, _ time.Time) bool { return n >= count })
	return err
}

// drain starts billing in front of a full queue, and waits for the last row. The
// time that it takes to start is part of it.
func (b *bench) drain(_ int, duration time.Duration) (run, error) {
	count := b.waiting(duration)
	broker, err := b.broker()
	if err != nil {
		return run{}, err
	}
	if b.billing == nil {
		b.billing = b.engines.databaseFlags("billing")
	}
	args := b.serve("billing", append([]string{"billing", "--queue-url=" + broker}, b.billing...)...)
	once := func(args ...string) (*process, error) {
		return launch(b.folder, "billing", b.program, append([]string{}, args...)...)
	}
	// A first start makes the database.
	p, err := start(b.folder, "billing", "/readyz", b.program, append([]string{}, args...)...)
	if err != nil {
		return run{}, err
	}
	p.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	address, err := b.engines.databaseURL("billing", "billing")
	if err != nil {
		return run{}, err
	}
	db, err := pgx.Connect(ctx, address)
	if err != nil {
		return run{}, err
	}
	defer func() { _ = db.Close(ctx) }()
	if _, err := db.Exec(ctx, `TRUNCATE orders, order_messages RESTART IDENTITY`); err != nil {
		return run{}, err
	}
	if err := b.fillQueue(orderQueue, count); err != nil {
		return run{}, err
	}
	from := time.Now()
	if p, err = once(args...); err != nil {
		return run{}, err
	}
	defer p.stop()
	if err := awaitOrders(ctx, db, count, p.exited); err != nil {
		return run{}, err
	}
	took := time.Since(from)
	return run{rate: float64(count) / took.Seconds(), cpu: p.cpu() / time.Duration(count)}, nil
}

// awaitOrders waits until so many orders are in the table.
func awaitOrders(ctx context.Context, db *pgx.Conn, count int64, ended <-chan struct{}) error {
	for {
		var last int64
		if err := db.QueryRow(ctx, `SELECT coalesce(max(id), 0) FROM orders`).Scan(&last); err != nil {
			return err
		}
		if last >= count {
			if err := db.QueryRow(ctx, `SELECT count(*) FROM orders`).Scan(&last); err != nil || last >= count {
				if err == nil && last > count {
					err = fmt.Errorf("%d orders became %d rows", count, last)
				}
				return err
			}
		}
		select {
		case <-ended:
			return errors.New("billing ended before it was through")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// copyRows is how many rows the bare consumer copies at a time.
const copyRows = 500

// copyOrders is a consumer that makes rows of messages with COPY and
// acknowledges them together. It takes any message for a good one, and stores one
// that comes again once more.
func (b *bench) copyOrders(_ int, duration time.Duration) (run, error) {
	count := b.waiting(duration)
	if err := b.fillQueue(bareQueue, count); err != nil {
		return run{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	address, err := b.engines.databaseURL("billing", "billing")
	if err != nil {
		return run{}, err
	}
	db, err := pgxpool.New(ctx, address)
	if err != nil {
		return run{}, err
	}
	defer db.Close()
	if _, err := db.Exec(ctx, `TRUNCATE orders, order_messages RESTART IDENTITY`); err != nil {
		return run{}, err
	}
	ch, done, err := b.channel(bareQueue)
	if err != nil {
		return run{}, err
	}
	defer done()
	if err := ch.Qos(4*copyRows, 0, false); err != nil {
		return run{}, err
	}
	return timed(func() (int64, error) {
		source, err := ch.Consume(bareQueue, "", false, false, false, false, nil)
		if err != nil {
			return 0, err
		}
		rows := make([][]any, 0, copyRows)
		for n := int64(1); n <= count; n++ {
			d, open := <-source
			if !open {
				return n, errors.New("the broker ended the consumer")
			}
			row, err := orderRow(d.Body)
			if err != nil {
				return n, err
			}
			if rows = append(rows, row); len(rows) < copyRows && n < count {
				continue
			}
			if _, err := db.CopyFrom(ctx, pgx.Identifier{"orders"}, []string{"user_id", "number_of_items", "total_amount"}, pgx.CopyFromRows(rows)); err != nil {
				return n, err
			}
			if err := d.Ack(true); err != nil {
				return n, err
			}
			rows = rows[:0]
		}
		return count, nil
	})
}

func orderRow(body []byte) ([]any, error) {
	var order struct {
		User  string `json:"user_id"`
		Items string `json:"number_of_items"`
		Total string `json:"total_amount"`
	}
	if err := json.Unmarshal(body, &order); err != nil {
		return nil, err
	}
	items, err := strconv.ParseInt(order.Items, 10, 32)
	return []any{order.User, items, order.Total}, err
}
