// Package queuetest holds what every engine of platform/queue must do.
package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"emporium/internal/platform/queue"
)

// Features are what an engine may or may not do beyond the promises.
type Features struct {
	CountsHeld bool // Stats.Depth counts what consumers hold
	Age        bool // Stats.Oldest is known
	KeepsTries bool // tries are remembered when a consumer ends
	KeepsPlace bool // what a consumer gives back is where it was, also among many
}

// Place is where queues are kept; each call opens one more handle on it, as
// another process would. Handles are closed by whoever opens them; closing one
// twice is fine.
type Place func(t testing.TB) queue.Queue

// Run puts an engine through the suite. Fresh gives an empty place. Leases, or
// whatever brings a dead consumer's messages back, should take a second or two
// in it: less, and a busy machine loses them; more, and the suite is slow.
func Run(t *testing.T, features Features, fresh func(t testing.TB) Place) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*bench)
	}{
		{"what is published is consumed, in order", inOrder},
		{"what was published before anyone consumed waits", before},
		{"a restart loses nothing", restart},
		{"any bytes arrive as they were sent", anyBytes},
		{"the same id may come twice", sameID},
		{"a dead consumer's messages come again", deadConsumer},
		{"a rejected message is a dead letter and blocks nothing", rejected},
		{"a message that can never be handled is found in its batch", isolated},
		{"a message that keeps failing is given up", givenUp},
		{"a new consumer knows of earlier tries", triesKept},
		{"an outage uses up no tries", outage},
		{"an outage that only the consumer can see uses up no tries", unseenOutage},
		{"a panic is a failure", panics},
		{"queues do not mix", apart},
		{"many publishers and consumers lose and double nothing", crowd},
		{"a consumer that is told to stop finishes its batch", stopping},
		{"a batch that stops half way gives back the rest", halfway},
		{"contexts and closed queues end calls", ends},
		{"a message that waits for its next try holds up no others", overtaken},
		{"a second consumer helps", shared},
		{"dead letters can be looked at, put back and dropped", review},
		{"a review ends where it is told to", reviewEnds},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			place := fresh(t)
			b := &bench{T: t, Features: features, place: place}
			b.q = b.open()
			test.run(b)
		})
	}
}

const (
	name    queue.Name = "orders"
	patient            = 30 * time.Second // until a test is given up; nothing takes near as long
	soon               = 5 * time.Millisecond
)

// bench is what one test works on.
type bench struct {
	*testing.T
	Features
	place Place
	q     queue.Queue
}

func (b *bench) open() queue.Queue {
	q := b.place(b.T)
	b.Cleanup(func() { _ = q.Close() })
	return q
}

func (b *bench) publish(messages ...queue.Message) {
	b.Helper()
	if err := b.q.Publish(b.Context(), name, messages...); err != nil {
		b.Fatal(err)
	}
}

// options consume quickly.
func options() queue.ConsumeOptions {
	return queue.ConsumeOptions{Queue: name, Batch: 10, MaxTries: 3, Backoff: soon}
}

// consume starts a consumer; the function it gives stops it and waits.
func (b *bench) consume(q queue.Queue, o queue.ConsumeOptions, handle queue.Handler) (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Consume(ctx, o, handle) }()
	return func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, queue.ErrClosed) {
				b.Errorf("consume: %v", err)
			}
		case <-time.After(patient):
			b.Error("the consumer does not end")
		}
	}
}

// until waits for something to be so.
func (b *bench) until(what string, so func() bool) {
	b.Helper()
	for end := time.Now().Add(patient); !so(); time.Sleep(soon) {
		if time.Now().After(end) {
			b.Fatalf("never so: %s", what)
		}
	}
}

func (b *bench) stats() queue.Stats {
	b.Helper()
	s, err := b.q.Stats(b.Context(), name)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// handled waits until n messages were handled, and ends the consumer: what it has
// not acknowledged is then back in the queue, which has to be empty.
func (b *bench) handled(n int, got *record, stop func()) {
	b.Helper()
	b.until(fmt.Sprintf("%d handled", n), func() bool { return len(got.all()) >= n })
	stop()
	b.empty()
}

// empty waits until nothing is left; no consumer may hold anything.
func (b *bench) empty() {
	b.Helper()
	b.until("the queue is empty", func() bool { return b.stats().Depth == 0 })
}

// letters takes n dead letters, by id.
func (b *bench) letters(n int) map[string]*queue.Delivery {
	b.Helper()
	b.until(fmt.Sprintf("%d dead letters", n), func() bool { return b.stats().Dead == n })
	var mu sync.Mutex
	got := map[string]*queue.Delivery{}
	o := options()
	o.Queue = name.Dead()
	stop := b.consume(b.q, o, func(_ context.Context, batch []*queue.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		for _, d := range batch {
			got[d.ID] = d
		}
		return nil
	})
	defer stop()
	b.until("dead letters read", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == n })
	return got
}

// record notes what was handled.
type record struct {
	mu  sync.Mutex
	ids []string
}

func (r *record) add(batch ...*queue.Delivery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range batch {
		r.ids = append(r.ids, d.ID)
	}
}

func (r *record) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ids)
}

func (r *record) handle(_ context.Context, batch []*queue.Delivery) error {
	r.add(batch...)
	return nil
}

// sameOrder compares ids, in any order where the engine does not keep it.
func (b *bench) sameOrder(got, want []string) bool {
	if b.KeepsPlace {
		return slices.Equal(got, want)
	}
	return slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want)))
}

// numbered makes messages with the ids "0", "1" and so on.
func numbered(n int) (messages []queue.Message) {
	for i := range n {
		messages = append(messages, queue.Message{ID: strconv.Itoa(i), Body: fmt.Appendf(nil, `{"n":%d}`, i)})
	}
	return messages
}

func ids(messages []queue.Message) (ids []string) {
	for _, m := range messages {
		ids = append(ids, m.ID)
	}
	return ids
}
