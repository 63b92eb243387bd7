package queue_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"emporium/internal/platform/queue"
)

// TestForeignProducers puts in messages as other programs make them, in a queue
// that somebody else declared.
func TestForeignProducers(t *testing.T) {
	for what, arguments := range map[string]amqp.Table{
		"none":       nil,
		"priorities": {"x-max-priority": 5},
		"quorum":     {"x-queue-type": "quorum"},
		"lazy":       {"x-queue-mode": "lazy", "x-message-ttl": 600_000},
	} {
		t.Run(what, func(t *testing.T) {
			b, ok := newBroker(t)
			if !ok {
				return
			}
			ch, err := b.dial(t).Channel()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ch.QueueDeclare(b.prefix+"orders", true, false, false, false, arguments); err != nil {
				t.Fatal(err)
			}
			foreign := []amqp.Publishing{
				{Body: []byte(`{"user_id":"3"}`)},
				{Body: []byte(`{"user_id":"3"}`)},
				{MessageId: "with an id", ContentType: "text/plain", Priority: 3, Body: []byte("x")},
				{Expiration: "600000", UserId: "guest", ReplyTo: "amq.rabbitmq.reply-to.none", DeliveryMode: amqp.Transient},
				{Headers: amqp.Table{
					"int": int32(-7), "long": int64(1) << 60, "byte": byte(3), "short": int16(4), "float": 1.5, "yes": true,
					"nothing": nil, "bytes": []byte{0xff, 0}, "time": time.Unix(1, 0), "decimal": amqp.Decimal{Scale: 2, Value: 250},
					"table": amqp.Table{"a": []any{1, "b", amqp.Table{}}}, "text": "plain", "unsigned": uint32(9),
				}},
				{Headers: amqp.Table{"CC": []any{b.prefix + "queue 0"}, "BCC": []any{b.prefix + "queue 1"}}},
				{Headers: amqp.Table{"large": strings.Repeat("x", 100<<10)}},
				{Headers: amqp.Table{queue.HeaderReason: "not dead at all", queue.HeaderTries: "many"}},
			}
			for _, p := range foreign {
				if err := ch.PublishWithContext(t.Context(), "", b.prefix+"orders", false, false, p); err != nil {
					t.Fatal(err)
				}
			}
			q := b.open(t)
			if err := q.Publish(t.Context(), "orders", queue.Message{ID: "ours"}); err != nil {
				t.Errorf("publish into a queue of others: %v", err)
			}
			all := len(foreign) + 1
			var mu sync.Mutex
			got := map[string][]*queue.Delivery{}
			n := 0
			stop := consumeAll(t, q, 3, func(_ context.Context, batch []*queue.Delivery) error {
				mu.Lock()
				defer mu.Unlock()
				for _, d := range batch {
					got[d.ID] = append(got[d.ID], d)
					n++
					d.Reject(errors.New("nobody understands this"))
				}
				return nil
			})
			until(t, "all are dead letters", func() bool {
				s, err := q.Stats(t.Context(), "orders")
				return err == nil && s.Dead == all
			})
			stop()
			mu.Lock()
			defer mu.Unlock()
			if n != all || len(got[""]) != all-2 || len(got["ours"]) != 1 || len(got["with an id"]) != 1 {
				t.Errorf("%d came, with the ids %v", n, got)
			}
			if s, err := q.Stats(t.Context(), "queue 0"); err != nil || s.Depth > 1 {
				t.Errorf("a dead letter went elsewhere, too: %+v %v", s, err)
			}
			letters, large := 0, 0
			if err := q.Review(t.Context(), queue.Name("orders").Dead(), func(d *queue.Delivery) queue.Fate {
				letters++
				if d.Headers[queue.HeaderReason] != "nobody understands this" || d.Headers[queue.HeaderTries] != "1" {
					t.Errorf("a dead letter: %v", d.Headers)
				}
				if d.Headers["text"] == "plain" && (d.Headers["int"] != "-7" || d.Headers["float"] != "1.5" ||
					d.Headers["bytes"] != "ff00" || d.Headers["time"] != "1970-01-01T00:00:01Z") {
					t.Errorf("headers: %v", d.Headers)
				}
				large += len(d.Headers["large"])
				return queue.Requeue
			}); err != nil || letters != all {
				t.Errorf("%d letters, %v", letters, err)
			}
			until(t, "all are back", func() bool {
				s, err := q.Stats(t.Context(), "orders")
				return err == nil && s.Depth == all && s.Dead == 0
			})
		})
	}
}
