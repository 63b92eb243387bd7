package queue_test

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"emporium/internal/platform/queue"
	"emporium/internal/platform/queue/queuetest"
	"emporium/internal/platform/testenv"
)

// broker is a part of the real broker that is a test's own: the queues whose
// names begin with its prefix.
type broker struct {
	url, prefix string
}

// newBroker gives false, after saying so, where there is no broker.
func newBroker(t testing.TB) (b broker, ok bool) {
	t.Helper()
	url, ok := testenv.Require(t, "rabbitmq")
	if !ok {
		return b, false
	}
	b = broker{url, "emporium-test-" + strings.ToLower(rand.Text()) + "."}
	t.Cleanup(func() {
		conn := b.dial(t)
		defer conn.Close()
		for _, name := range []string{"orders", "orders.dead", "queue 0", "queue 1"} {
			if ch, err := conn.Channel(); err == nil {
				_, _ = ch.QueueDelete(b.prefix+name, false, false, false)
			}
		}
	})
	return b, true
}

func (b broker) dial(t testing.TB) *amqp.Connection {
	t.Helper()
	conn, err := amqp.Dial(b.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// open changes the options that matter to the test.
func (b broker) open(t testing.TB, change ...func(*queue.RabbitMQOptions)) *queue.RabbitMQ {
	t.Helper()
	o := queue.RabbitMQOptions{
		URL: b.url, Prefix: b.prefix,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	for _, f := range change {
		f(&o)
	}
	q, err := queue.OpenRabbitMQ(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func TestRabbitMQ(t *testing.T) {
	for _, quorum := range []bool{false, true} {
		t.Run(fmt.Sprintf("quorum=%t", quorum), func(t *testing.T) {
			if _, ok := testenv.Require(t, "rabbitmq"); !ok {
				return
			}
			queuetest.Run(t, queuetest.Features{KeepsTries: true, KeepsPlace: !quorum}, func(t testing.TB) queuetest.Place {
				t.Helper()
				b, _ := newBroker(t)
				return func(t testing.TB) queue.Queue {
					t.Helper()
					return b.open(t, func(o *queue.RabbitMQOptions) { o.Quorum = quorum })
				}
			})
		})
	}
}
