package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"emporium/internal/market"
	"emporium/internal/platform/queue"
	"emporium/internal/platform/testenv"
)

// wire is a network between the test and the broker.
func (b broker) wire(t testing.TB) (w *testenv.Wire, url string) {
	t.Helper()
	uri, err := amqp.ParseURI(b.url)
	if err != nil {
		t.Fatal(err)
	}
	w = testenv.NewWire(t, fmt.Sprintf("%s:%d", uri.Host, uri.Port))
	uri.Host, uri.Port = w.Host, w.Port
	return w, uri.String()
}

func until(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never so: %s", what)
		}
	}
}

// consumeAll consumes until the function it gives is called.
func consumeAll(t testing.TB, q queue.Queue, batch int, handle queue.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- q.Consume(ctx, queue.ConsumeOptions{Queue: "orders", Batch: batch, Backoff: 5 * time.Millisecond}, handle)
	}()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("consume: %v", err)
		}
	})
}

// TestConnectionsCut cuts every connection 20 times while 20 000 messages go
// through, in the middle of batches and of confirms.
func TestConnectionsCut(t *testing.T) {
	b, ok := newBroker(t)
	if !ok {
		return
	}
	const messages, publishers, cuts = 20_000, 16, 20
	w, url := b.wire(t)
	q := b.open(t, func(o *queue.RabbitMQOptions) { o.URL = url })
	var mu sync.Mutex
	handled := map[string]int{}
	var n atomic.Int64
	stop := consumeAll(t, q, 50, func(_ context.Context, batch []*queue.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		for _, d := range batch {
			if handled[d.ID]++; handled[d.ID] == 1 {
				n.Add(1)
			}
		}
		return nil
	})
	defer stop()
	var all sync.WaitGroup
	var again atomic.Int64
	for p := range publishers {
		all.Go(func() {
			for i := range messages / publishers {
				m := queue.Message{ID: fmt.Sprint(p, "-", i), Body: body}
				for q.Publish(t.Context(), "orders", m) != nil {
					again.Add(1)
				}
			}
		})
	}
	for i := range int64(cuts) {
		until(t, "traffic goes on", func() bool { return n.Load() >= i*(messages-2000)/cuts })
		w.Cut()
	}
	all.Wait()
	until(t, "all handled", func() bool { return n.Load() == messages })
	stop()
	until(t, "the queue is empty", func() bool { s, err := q.Stats(t.Context(), "orders"); return err == nil && s == queue.Stats{} })
	doubled := 0
	for _, times := range handled {
		doubled += times - 1
	}
	t.Logf("%d messages, %d cuts: 0 lost, %d handled again, %d calls of Publish refused", messages, cuts, doubled, again.Load())
}

// TestLateAcknowledgement holds a batch while its connection is replaced. If its
// acknowledgement reached the new connection, it would acknowledge messages that
// nobody has handled.
func TestLateAcknowledgement(t *testing.T) {
	b, ok := newBroker(t)
	if !ok {
		return
	}
	w, url := b.wire(t)
	direct := b.open(t)
	q := b.open(t, func(o *queue.RabbitMQOptions) { o.URL = url })
	for i := range 20 {
		if err := direct.Publish(t.Context(), "orders", queue.Message{ID: strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
	first := make(chan struct{})
	var calls, late atomic.Int64
	var mu sync.Mutex
	var after []string
	stop := consumeAll(t, q, 10, func(ctx context.Context, batch []*queue.Delivery) error {
		if calls.Add(1) == 1 {
			close(first)
			<-ctx.Done() // the connection is gone; others may have what it held
			// A second consumer is sent the same messages again, with the same tags.
			waits, end := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer end()
			_ = direct.Consume(waits, queue.ConsumeOptions{Queue: "orders", Batch: 10}, func(context.Context, []*queue.Delivery) error {
				late.Add(1)
				<-waits.Done()
				return market.Refuse(market.Unavailable, "never", "this one acknowledges nothing")
			})
			return nil // it committed all the same
		}
		mu.Lock()
		defer mu.Unlock()
		for _, d := range batch {
			after = append(after, d.ID)
		}
		return nil
	})
	defer stop()
	<-first
	w.Cut()
	until(t, "all come again", func() bool { mu.Lock(); defer mu.Unlock(); return len(after) >= 20 })
	stop()
	seen := map[string]bool{}
	for _, id := range after {
		seen[id] = true
	}
	if len(seen) != 20 || late.Load() != 1 {
		t.Errorf("%d of 20 messages came after the cut: others were acknowledged by the batch from before it", len(seen))
	}
}

func TestBrokerAway(t *testing.T) {
	b, ok := newBroker(t)
	if !ok {
		return
	}
	w, url := b.wire(t)
	w.Down(true)
	const patience = 300 * time.Millisecond
	q := b.open(t, func(o *queue.RabbitMQOptions) { o.URL, o.Patience = url, patience })
	var n atomic.Int64
	defer consumeAll(t, q, 10, func(_ context.Context, batch []*queue.Delivery) error {
		n.Add(int64(len(batch)))
		return nil
	})()
	publish := func(want time.Duration) {
		t.Helper()
		began := time.Now()
		err := q.Publish(t.Context(), "orders", queue.Message{ID: "1"})
		if took := time.Since(began); market.KindOf(err) != market.Unavailable || took > want {
			t.Errorf("publish while the broker is away: %v after %s, at most %s", err, took, want)
		}
		if strings.Contains(err.Error(), "guest") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
	publish(2 * patience)
	publish(patience / 2) // it is known to be away
	if err := q.Ready(t.Context()); err == nil {
		t.Error("ready without a broker")
	}
	if _, err := q.Stats(t.Context(), "orders"); market.KindOf(err) != market.Unavailable {
		t.Errorf("stats without a broker: %v", err)
	}
	ended, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	fresh := b.open(t, func(o *queue.RabbitMQOptions) { o.URL = url })
	if err := fresh.Publish(ended, "orders", queue.Message{ID: "1"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("publish with a deadline: %v", err)
	}
	if n.Load() != 0 {
		t.Error("something was claimed")
	}

	w.Down(false)
	until(t, "it goes on by itself", func() bool { return q.Ready(t.Context()) == nil })
	for i := range 5 {
		if err := q.Publish(t.Context(), "orders", queue.Message{ID: strconv.Itoa(i)}); err != nil {
			t.Error(err)
		}
	}
	until(t, "all handled", func() bool { return n.Load() == 5 })

	goOn := w.Stall() // the broker hangs, with connections open
	publish(2 * patience)
	if _, err := q.Stats(t.Context(), "orders"); market.KindOf(err) != market.Unavailable {
		t.Errorf("stats of a broker that hangs: %v", err)
	}
	goOn()
	until(t, "it goes on by itself", func() bool {
		return q.Publish(t.Context(), "orders", queue.Message{ID: "after"}) == nil
	})
	until(t, "all handled", func() bool { return n.Load() >= 6 })
}

func TestShortCutsAreNotSeen(t *testing.T) {
	b, ok := newBroker(t)
	if !ok {
		return
	}
	w, url := b.wire(t)
	q := b.open(t, func(o *queue.RabbitMQOptions) { o.URL = url })
	for i := range testenv.Rounds(t, 10) {
		if err := q.Publish(t.Context(), "orders", queue.Message{ID: strconv.Itoa(i)}); err != nil {
			t.Errorf("publish after %d cuts: %v", i, err)
		}
		w.Cut()
	}
}

func TestQueueDeletedBySomeoneElse(t *testing.T) {
	b, ok := newBroker(t)
	if !ok {
		return
	}
	q := b.open(t)
	var n atomic.Int64
	stop := consumeAll(t, q, 10, func(_ context.Context, batch []*queue.Delivery) error {
		n.Add(int64(len(batch)))
		return nil
	})
	defer stop()
	for i := range 3 {
		if err := q.Publish(t.Context(), "orders", queue.Message{ID: strconv.Itoa(i)}); err != nil {
			t.Error(err)
		}
		until(t, "handled", func() bool { return n.Load() == int64(i)+1 })
		ch, err := b.dial(t).Channel()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ch.QueueDelete(b.prefix+"orders", false, false, false); err != nil {
			t.Error(err)
		}
	}
	stop()
	// Without a consumer that makes it again, the publisher does: otherwise the
	// broker returns the message.
	if err := q.Publish(t.Context(), "orders", queue.Message{ID: "a"}, queue.Message{ID: "a"}, queue.Message{}); err != nil {
		t.Error(err)
	}
	if s, err := q.Stats(t.Context(), "orders"); err != nil || s.Depth < 3 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestTooMuchForTheBroker(t *testing.T) {
	b, ok := newBroker(t)
	if !ok {
		return
	}
	q := b.open(t)
	for what, m := range map[string]queue.Message{
		"id":         {ID: strings.Repeat("i", 256)},
		"header key": {Headers: map[string]string{strings.Repeat("k", 256): ""}},
		"headers":    {Headers: map[string]string{"k": strings.Repeat("v", 100<<10)}},
		"body":       {Body: make([]byte, 17<<20)},
	} {
		began := time.Now()
		if err := q.Publish(t.Context(), "orders", m); err == nil || market.KindOf(err) == market.Unavailable || time.Since(began) > time.Second {
			t.Errorf("%s: %v after %s", what, err, time.Since(began))
		}
	}
	if err := q.Publish(t.Context(), "orders", queue.Message{ID: strings.Repeat("i", 255), Headers: map[string]string{"k": strings.Repeat("v", 90<<10)}}); err != nil {
		t.Error(err)
	}
	if _, err := queue.OpenRabbitMQ(t.Context(), queue.RabbitMQOptions{URL: "amqp://guest:secret@host:port"}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a bad URL: %v", err)
	}
}
