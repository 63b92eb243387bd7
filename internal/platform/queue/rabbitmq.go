package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// RabbitMQOptions say where the broker is and how queues are made there.
type RabbitMQOptions struct {
	URL      string           // amqp://user:password@host:port/virtual-host, or amqps
	Quorum   bool             // new queues are quorum queues, which mix up the order of what a consumer gives back; else plain durable ones
	Prefix   string           // before every queue's name in the broker, for those who share a virtual host
	Patience time.Duration    // how long Publish waits for a broker that is away, or for its confirms; 5 s when 0
	Now      func() time.Time // the system's when nil
	Log      *slog.Logger     // nil logs nothing
}

// RabbitMQ keeps queues in a broker. It need not be there: Publish waits for it a
// moment and then refuses, Consume waits as long as it takes. One connection
// publishes; each Consume has one of its own.
type RabbitMQ struct {
	o       RabbitMQOptions
	ctx     context.Context // ends with Close
	end     context.CancelFunc
	linking sync.WaitGroup

	mu      sync.Mutex
	link    *link         // nil while the broker takes nothing
	changed chan struct{} // closed when link changes
	since   time.Time     // when link became nil
	why     error         // why it is nil

	tries tryBook
}

var _ Queue = (*RabbitMQ)(nil)

// What waits for the broker.
const (
	handshakeTimeout = 5 * time.Second
	writeTimeout     = 4 * time.Second // shorter than Publish waits: a broker that reads nothing is gone
	closeTimeout     = 2 * time.Second
	heartbeat        = 5 * time.Second        // a silent connection ends after three; ?heartbeat= in the URL overrides it
	ofUse            = 100 * time.Millisecond // a connection that lasted longer is no sign of trouble
	firstRedial      = 50 * time.Millisecond
	longestRedial    = 2 * time.Second
)

// OpenRabbitMQ begins to connect, and fails only when the URL is none: a broker
// that is away is waited for in the background.
func OpenRabbitMQ(ctx context.Context, o RabbitMQOptions) (*RabbitMQ, error) {
	if _, err := amqp.ParseURI(o.URL); err != nil {
		return nil, errors.New("the address of RabbitMQ is not a URL such as amqp://user:password@host:5672/") // which may hold a password
	}
	o.Patience = cmp.Or(o.Patience, 5*time.Second)
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the one default; everything else is given a clock
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	q := &RabbitMQ{o: o, changed: make(chan struct{}), since: o.Now(), why: errors.New("not connected yet")}
	q.ctx, q.end = context.WithCancel(context.WithoutCancel(ctx))
	q.linking.Go(q.keepLinked)
	return q, nil
}

// Close ends every Consume; see [Queue].
func (q *RabbitMQ) Close() error {
	q.end()
	q.linking.Wait()
	return nil
}

// Ready says whether the broker takes messages. While it is being connected to,
// it waits for that a moment.
func (q *RabbitMQ) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := q.linked(ctx)
	return err
}

// Stats counts a queue. The broker tells only of messages that no consumer
// holds, and of no ages.
func (q *RabbitMQ) Stats(ctx context.Context, name Name) (stats Stats, err error) {
	if stats.Depth, err = q.depth(ctx, name); err == nil {
		stats.Dead, err = q.depth(ctx, name.Dead())
	}
	return stats, err
}

func (q *RabbitMQ) depth(ctx context.Context, name Name) (n int, err error) {
	err = q.ask(ctx, func(conn *amqp.Connection) error {
		found, err := q.inspect(conn, name)
		n = found.Messages
		return err
	})
	if is(err, amqp.NotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, unavailable(ctx, fmt.Errorf("count %s: %w", name, err))
	}
	return n, nil
}

// ask puts a question to the broker, whose answers the client waits for without
// end: here for as long as for a confirm.
func (q *RabbitMQ) ask(ctx context.Context, question func(*amqp.Connection) error) error {
	ctx, cancel := context.WithTimeout(ctx, q.o.Patience)
	defer cancel()
	l, err := q.linked(ctx)
	if err != nil {
		return err
	}
	return inTime(ctx, func() error { return question(l.conn) })
}

// inTime returns when ctx ends, too; then what it waited for goes on.
func inTime(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the broker does not answer: %w", ctx.Err())
	}
}

// is tells what the broker refused for.
func is(err error, code int) bool {
	var refusal *amqp.Error
	return errors.As(err, &refusal) && refusal.Code == code
}
