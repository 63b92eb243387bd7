package queue

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"
)

// A link has some lanes, since the client writes one message at a time to each;
// each has at most outstanding messages that the broker has not confirmed.
const (
	lanes       = 4
	outstanding = 256
)

// link is the connection that publishes. It is never mended: when it or one of
// its channels ends, another takes its place, and whoever waits for a confirm
// on this one learns that none comes.
type link struct {
	conn  *amqp.Connection
	lanes [lanes]*lane

	declaring singleflight.Group
	declared  sync.Map // Name
}

// lane is a channel in confirm mode.
type lane struct {
	ch    *amqp.Channel
	slots *semaphore.Weighted // of outstanding messages; each may be returned, so returns never blocks the client

	mu       sync.Mutex
	returns  chan amqp.Return
	returned map[returnKey]int
}

// keepLinked connects, again and again, until Close.
func (q *RabbitMQ) keepLinked() {
	for pauses := (redials{}); q.ctx.Err() == nil; {
		began := q.o.Now()
		err := q.hold()
		if q.ctx.Err() != nil {
			break
		}
		q.set(nil, err)
		q.o.Log.Warn("the broker is away", "error", err)
		pause(q.ctx, pauses.next(q.o.Now().Sub(began)))
	}
	q.set(nil, ErrClosed)
}

// redials says how long to wait before connecting again: longer each time, and
// anew after a connection that was of use.
type redials struct{ last time.Duration }

func (r *redials) next(lived time.Duration) time.Duration {
	if r.last = min(2*r.last, longestRedial); r.last == 0 || lived > ofUse {
		r.last = firstRedial
	}
	return r.last
}

// hold connects and stays until the connection, or a channel of it, ends.
func (q *RabbitMQ) hold() (err error) {
	conn, err := q.dial(q.ctx, "publisher")
	if err != nil {
		return err
	}
	defer func() {
		q.set(nil, err)
		hangUp(conn, q.o.Now)
	}()
	l := &link{conn: conn}
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 1))
	ended := make(chan error, lanes+1)
	go tell(ended, conn.NotifyClose(make(chan *amqp.Error, 1)))
	for i := range l.lanes {
		if l.lanes[i], err = openLane(conn, ended); err != nil {
			return err
		}
	}
	q.o.Log.Info("connected to the broker")
	q.set(l, nil)
	for {
		select {
		case <-q.ctx.Done():
			return ErrClosed
		case err := <-ended:
			return err
		case b, open := <-blocked:
			switch {
			case !open:
				blocked = nil // the end follows
			case b.Active:
				q.o.Log.Warn("the broker takes no messages for now", "reason", b.Reason)
				q.set(nil, fmt.Errorf("the broker takes no messages: %s", b.Reason))
			default:
				q.set(l, nil)
			}
		}
	}
}

// tell passes on why something ended.
func tell(ended chan<- error, of <-chan *amqp.Error) {
	if err, open := <-of; open {
		ended <- err
		return
	}
	ended <- amqp.ErrClosed
}

func openLane(conn *amqp.Connection, ended chan<- error) (*lane, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	if err := ch.Confirm(false); err != nil {
		return nil, fmt.Errorf("ask for confirms: %w", err)
	}
	go tell(ended, ch.NotifyClose(make(chan *amqp.Error, 1)))
	return &lane{
		ch: ch, slots: semaphore.NewWeighted(outstanding),
		returns: ch.NotifyReturn(make(chan amqp.Return, outstanding)), returned: map[returnKey]int{},
	}, nil
}

// set says which link there is.
func (q *RabbitMQ) set(l *link, why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l == nil && q.link != nil {
		q.since = q.o.Now()
	}
	q.link, q.why = l, why
	close(q.changed)
	q.changed = make(chan struct{})
}

// linked waits for a link, but not when there was none for longer than callers
// are asked to be patient.
func (q *RabbitMQ) linked(ctx context.Context) (*link, error) {
	for {
		q.mu.Lock()
		l, changed, why, left := q.link, q.changed, q.why, q.o.Patience-q.o.Now().Sub(q.since)
		q.mu.Unlock()
		if l != nil {
			return l, nil
		}
		if left <= 0 || q.ctx.Err() != nil {
			return nil, why
		}
		timer := time.NewTimer(left)
		select {
		case <-changed:
			timer.Stop()
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("%w: %w", ctx.Err(), why)
		}
	}
}

// dial makes a connection. The client's own recovery stays off: an
// acknowledgement from before it would acknowledge other messages after it.
func (q *RabbitMQ) dial(ctx context.Context, as string) (*amqp.Connection, error) {
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName("emporium " + as)
	conn, err := amqp.DialConfig(q.o.URL, amqp.Config{
		Heartbeat: heartbeat, Properties: properties,
		Dial: func(network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{Timeout: handshakeTimeout}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			// The client takes the deadline away when it is through.
			return &boundConn{Conn: conn, now: q.o.Now}, conn.SetDeadline(q.o.Now().Add(handshakeTimeout))
		},
	})
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn, nil
}

func hangUp(conn *amqp.Connection, now func() time.Time) {
	_ = conn.CloseDeadline(now().Add(closeTimeout)) // it is closed whatever this says
}

// boundConn bounds each write, which the client does not.
type boundConn struct {
	net.Conn
	now func() time.Time
}

func (c *boundConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(c.now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// wire is what a queue is called in the broker.
func (q *RabbitMQ) wire(name Name) string { return q.o.Prefix + string(name) }

// declare makes sure that a queue is there. One that is there already is used as
// it is, whatever its arguments.
func (q *RabbitMQ) declare(conn *amqp.Connection, name Name) error {
	if name == "" {
		return errors.New("a queue needs a name")
	}
	_, err := q.inspect(conn, name)
	if !is(err, amqp.NotFound) {
		return err
	}
	err = onChannel(conn, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(q.wire(name), true, false, false, false, q.arguments(conn))
		return err
	})
	if is(err, amqp.PreconditionFailed) { // someone else made it in between, in another way
		_, err = q.inspect(conn, name)
	}
	if err != nil {
		return fmt.Errorf("declare the queue %s: %w", name, err)
	}
	return nil
}

// arguments are those of a new queue: none, so that others may declare it too.
func (q *RabbitMQ) arguments(conn *amqp.Connection) amqp.Table {
	if !q.o.Quorum {
		return nil
	}
	arguments := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum}
	// From version 4 on a message is thrown away when its consumer went away 20
	// times, unless told otherwise; older ones do not know this value.
	version, _ := conn.Properties["version"].(string)
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil && n >= 4 {
		arguments["x-delivery-limit"] = int32(-1)
	}
	return arguments
}

// inspect asks for a queue without making it.
func (q *RabbitMQ) inspect(conn *amqp.Connection, name Name) (found amqp.Queue, err error) {
	err = onChannel(conn, func(ch *amqp.Channel) (err error) {
		found, err = ch.QueueDeclarePassive(q.wire(name), true, false, false, false, nil)
		return err
	})
	return found, err
}

// onChannel has a channel of its own for a question, since a refusal ends the
// channel.
func onChannel(conn *amqp.Connection, do func(*amqp.Channel) error) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := do(ch); err != nil {
		return err
	}
	return ch.Close()
}
