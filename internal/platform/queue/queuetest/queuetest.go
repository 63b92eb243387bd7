// Package queuetest holds what every engine of platform/queue must do.
package queuetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/queue"
)

// Features are what an engine may or may not do beyond the promises.
type Features struct {
	CountsHeld bool // Stats.Depth counts what consumers hold
	Age        bool // Stats.Oldest is known
	KeepsTries bool // tries are remembered when a consumer dies
}

// Place is where queues are kept; each call opens one more handle on it, as
// another process would. Handles are closed by whoever opens them; closing one
// twice is fine.
type Place func(t testing.TB) queue.Queue

// Run puts an engine through the suite. Fresh gives an empty place. Leases, or
// whatever brings a dead consumer's messages back, should take less than a
// second in it.
func Run(t *testing.T, features Features, fresh func(t testing.TB) Place) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *bench)
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
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			place := fresh(t)
			b := &bench{Features: features, place: place, t: t}
			b.q = b.open()
			test.run(t, b)
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
	Features
	t     *testing.T
	place Place
	q     queue.Queue
}

func (b *bench) open() queue.Queue {
	q := b.place(b.t)
	b.t.Cleanup(func() { _ = q.Close() })
	return q
}

func (b *bench) publish(messages ...queue.Message) {
	b.t.Helper()
	if err := b.q.Publish(b.t.Context(), name, messages...); err != nil {
		b.t.Fatal(err)
	}
}

// options consume quickly.
func options() queue.ConsumeOptions {
	return queue.ConsumeOptions{Queue: name, Batch: 10, MaxTries: 3, Backoff: soon}
}

// consume starts a consumer; the function it gives stops it and waits.
func (b *bench) consume(q queue.Queue, o queue.ConsumeOptions, handle queue.Handler) (stop func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Consume(ctx, o, handle) }()
	return func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, queue.ErrClosed) {
				b.t.Errorf("consume: %v", err)
			}
		case <-time.After(patient):
			b.t.Error("the consumer does not end")
		}
	}
}

// until waits for something to be so.
func (b *bench) until(what string, so func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patient); !so(); time.Sleep(soon) {
		if time.Now().After(end) {
			b.t.Fatalf("never so: %s", what)
		}
	}
}

func (b *bench) stats() queue.Stats {
	b.t.Helper()
	s, err := b.q.Stats(b.t.Context(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// empty waits until all is acknowledged.
func (b *bench) empty() {
	b.t.Helper()
	b.until("the queue is empty", func() bool { return b.stats().Depth == 0 })
}

// letters takes n dead letters, by id.
func (b *bench) letters(n int) map[string]*queue.Delivery {
	b.t.Helper()
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

// numbered makes messages with the ids "0", "1" and so on.
func numbered(n int) (messages []queue.Message) {
	for i := range n {
		messages = append(messages, queue.Message{ID: fmt.Sprint(i), Body: fmt.Appendf(nil, `{"n":%d}`, i)})
	}
	return messages
}

func ids(messages []queue.Message) (ids []string) {
	for _, m := range messages {
		ids = append(ids, m.ID)
	}
	return ids
}

func inOrder(t *testing.T, b *bench) {
	var got record
	defer b.consume(b.q, options(), got.handle)()
	messages := numbered(35)
	for _, m := range messages[:5] {
		b.publish(m)
	}
	b.publish(messages[5:]...)
	b.publish()
	b.until("all handled", func() bool { return len(got.all()) == len(messages) })
	if !slices.Equal(got.all(), ids(messages)) {
		t.Errorf("in the order %v", got.all())
	}
	b.empty()
}

func before(t *testing.T, b *bench) {
	if s := b.stats(); s != (queue.Stats{}) {
		t.Errorf("a queue that was never used: %+v", s)
	}
	b.publish(numbered(25)...)
	b.until("all wait", func() bool { return b.stats().Depth == 25 })
	if b.Age {
		b.until("the oldest ages", func() bool { return b.stats().Oldest > 0 })
	}
	var got record
	largest := atomic.Int64{}
	defer b.consume(b.q, options(), func(ctx context.Context, batch []*queue.Delivery) error {
		largest.Store(max(largest.Load(), int64(len(batch))))
		return got.handle(ctx, batch)
	})()
	b.empty()
	if n := len(got.all()); n != 25 || largest.Load() != 10 {
		t.Errorf("%d handled, at most %d in a batch; want 25 and 10", n, largest.Load())
	}
}

func restart(t *testing.T, b *bench) {
	b.publish(numbered(5)...)
	if err := b.q.Close(); err != nil {
		t.Fatal(err)
	}
	b.q = b.open()
	var got record
	defer b.consume(b.q, options(), got.handle)()
	b.empty()
	if n := len(got.all()); n != 5 {
		t.Errorf("%d of 5 are there", n)
	}
}

func anyBytes(t *testing.T, b *bench) {
	bodies := map[string][]byte{
		"none":    nil,
		"nulls":   {0, 'a', 0, 0},
		"no text": {0xff, 0xfe, 0x80},
		"1 MiB":   bytes.Repeat([]byte("0123456789abcdef"), 1<<16),
		"3 MiB":   bytes.Repeat([]byte{0, 1, 2}, 1<<20),
	}
	headers := map[string]string{"traceparent": "00-1-2-01", "Évry": "with \"quotes\" and \n lines"}
	for id, body := range bodies {
		b.publish(queue.Message{ID: id, Body: body, Headers: headers})
	}
	var mu sync.Mutex
	got := map[string]*queue.Delivery{}
	defer b.consume(b.q, options(), func(_ context.Context, batch []*queue.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		for _, d := range batch {
			got[d.ID] = d
		}
		return nil
	})()
	b.empty()
	mu.Lock()
	defer mu.Unlock()
	for id, body := range bodies {
		d := got[id]
		if d == nil || !bytes.Equal(d.Body, body) {
			t.Errorf("%s: another body", id)
		} else if !maps.Equal(d.Headers, headers) {
			t.Errorf("%s: headers %v", id, d.Headers)
		}
	}
}

func sameID(t *testing.T, b *bench) {
	b.publish(queue.Message{ID: "same", Body: []byte("1")}, queue.Message{ID: "same", Body: []byte("1")})
	b.publish(queue.Message{Body: []byte("without")}, queue.Message{Body: []byte("without")})
	var got record
	defer b.consume(b.q, options(), got.handle)()
	b.empty()
	if all := got.all(); len(slices.DeleteFunc(all, func(id string) bool { return id != "" })) != 2 {
		t.Errorf("two messages without an id became %v", got.all())
	}
}

func deadConsumer(t *testing.T, b *bench) {
	b.publish(numbered(5)...)
	dying := b.open()
	holds, never := make(chan struct{}), make(chan struct{})
	stop := b.consume(dying, options(), func(context.Context, []*queue.Delivery) error {
		close(holds)
		<-never
		return nil
	})
	<-holds
	var got record
	defer b.consume(b.q, options(), got.handle)()
	if b.CountsHeld && b.stats().Depth != 5 {
		t.Errorf("%d messages, of which 5 are held", b.stats().Depth)
	}
	closed := make(chan error, 1)
	go func() { closed <- dying.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patient):
		t.Error("Close waits for a handler")
	}
	b.until("all come again", func() bool { return len(got.all()) == 5 })
	close(never)
	stop()
	b.empty()
	if !slices.Equal(got.all(), ids(numbered(5))) {
		t.Errorf("they came again as %v", got.all())
	}
}

func rejected(t *testing.T, b *bench) {
	b.publish(numbered(10)...)
	var got record
	defer b.consume(b.q, options(), func(_ context.Context, batch []*queue.Delivery) error {
		for _, d := range batch {
			if d.ID == "3" || d.ID == "9" {
				d.Reject(errors.New("cannot be read: " + d.ID))
			} else {
				got.add(d)
			}
		}
		return nil
	})()
	b.empty()
	if len(got.all()) != 8 {
		t.Errorf("the others: %v", got.all())
	}
	letters := b.letters(2)
	for _, id := range []string{"3", "9"} {
		d := letters[id]
		if d == nil {
			t.Errorf("%s is no dead letter", id)
			continue
		}
		at, err := time.Parse(time.RFC3339, d.Headers[queue.HeaderDiedAt])
		if string(d.Body) != `{"n":`+id+`}` || d.Headers[queue.HeaderReason] != "cannot be read: "+id ||
			d.Headers[queue.HeaderTries] != "1" || err != nil || time.Since(at).Abs() > time.Hour {
			t.Errorf("%s: %s, %v", id, d.Body, d.Headers)
		}
	}
}

func isolated(t *testing.T, b *bench) {
	b.publish(numbered(10)...)
	var got record
	defer b.consume(b.q, options(), func(_ context.Context, batch []*queue.Delivery) error {
		if slices.ContainsFunc(batch, func(d *queue.Delivery) bool { return d.ID == "4" }) {
			return fmt.Errorf("store the batch: %w", queue.Never(errors.New("three decimals")))
		}
		got.add(batch...)
		return nil
	})()
	b.empty()
	if want := []string{"0", "1", "2", "3", "5", "6", "7", "8", "9"}; !slices.Equal(got.all(), want) {
		t.Errorf("the others: %v", got.all())
	}
	if d := b.letters(1)["4"]; d == nil || d.Headers[queue.HeaderReason] != "store the batch: three decimals" {
		t.Errorf("the dead letter: %+v", d)
	}
}

func givenUp(t *testing.T, b *bench) {
	b.publish(numbered(6)...)
	var got record
	var tries atomic.Int64
	defer b.consume(b.q, options(), func(_ context.Context, batch []*queue.Delivery) error {
		for _, d := range batch {
			if d.ID == "2" {
				if len(batch) > 1 {
					return errors.New("one of these")
				}
				if n := tries.Add(1); int64(d.Tries) != n-1 {
					t.Errorf("try %d says %d before it", n, d.Tries)
				}
				return fmt.Errorf("failure %d", tries.Load())
			}
		}
		got.add(batch...)
		return nil
	})()
	b.empty()
	if len(got.all()) != 5 || tries.Load() != 3 {
		t.Errorf("%d others, %d tries; want 5 and 3", len(got.all()), tries.Load())
	}
	d := b.letters(1)["2"]
	if d == nil || !strings.Contains(d.Headers[queue.HeaderReason], "failure 3") ||
		d.Headers[queue.HeaderFirstError] != "failure 1" || d.Headers[queue.HeaderTries] != "3" {
		t.Errorf("the dead letter: %+v", d)
	}
}

func triesKept(t *testing.T, b *bench) {
	if !b.KeepsTries {
		return
	}
	b.publish(numbered(1)...)
	failed := make(chan struct{})
	o := options()
	o.Backoff = 20 * soon
	stop := b.consume(b.q, o, func(context.Context, []*queue.Delivery) error {
		close(failed)
		return errors.New("the first failure")
	})
	<-failed
	stop()
	defer b.consume(b.q, o, func(_ context.Context, batch []*queue.Delivery) error {
		if batch[0].Tries != 1 {
			t.Errorf("%d tries are known of", batch[0].Tries)
		}
		return queue.Never(errors.New("the second failure"))
	})()
	d := b.letters(1)["0"]
	if d == nil || d.Headers[queue.HeaderFirstError] != "the first failure" || d.Headers[queue.HeaderReason] != "the second failure" {
		t.Errorf("the dead letter: %+v", d)
	}
}

func outage(t *testing.T, b *bench) {
	b.publish(numbered(3)...)
	var got record
	var calls atomic.Int64
	o := options()
	o.Backoff = time.Microsecond
	defer b.consume(b.q, o, func(_ context.Context, batch []*queue.Delivery) error {
		if calls.Add(1) <= 15 {
			return fmt.Errorf("store: %w", market.Refuse(market.Unavailable, "down", "the database is down"))
		}
		if batch[0].Tries != 0 {
			t.Errorf("%d tries were used up", batch[0].Tries)
		}
		got.add(batch...)
		return nil
	})()
	b.empty()
	if s := b.stats(); len(got.all()) != 3 || s.Dead != 0 {
		t.Errorf("%d handled, %d dead", len(got.all()), s.Dead)
	}
}

func unseenOutage(t *testing.T, b *bench) {
	b.publish(numbered(3)...)
	var got record
	var calls atomic.Int64
	var up atomic.Bool
	o := options()
	o.Backoff = time.Microsecond
	o.Ready = func(context.Context) error {
		if up.Load() {
			return nil
		}
		return errors.New("no connection")
	}
	defer b.consume(b.q, o, func(_ context.Context, batch []*queue.Delivery) error {
		if up.Store(calls.Add(1) > 15); !up.Load() {
			return errors.New("some error of a driver")
		}
		got.add(batch...)
		return nil
	})()
	b.empty()
	if s := b.stats(); len(got.all()) != 3 || s.Dead != 0 {
		t.Errorf("%d handled, %d dead", len(got.all()), s.Dead)
	}
}

func panics(t *testing.T, b *bench) {
	b.publish(numbered(3)...)
	var got record
	defer b.consume(b.q, options(), func(_ context.Context, batch []*queue.Delivery) error {
		for _, d := range batch {
			if d.ID == "1" {
				panic("by mistake")
			}
		}
		got.add(batch...)
		return nil
	})()
	b.empty()
	if d := b.letters(1)["1"]; d == nil || !strings.Contains(d.Headers[queue.HeaderReason], "by mistake") || len(got.all()) != 2 {
		t.Errorf("dead letter %+v, others %v", d, got.all())
	}
}

func apart(t *testing.T, b *bench) {
	for i := range 20 {
		if err := b.q.Publish(t.Context(), queue.Name(fmt.Sprint("queue ", i%2)), queue.Message{ID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	o := options()
	o.Queue = "queue 1"
	var got record
	defer b.consume(b.q, o, got.handle)()
	b.until("one is empty", func() bool { s, err := b.q.Stats(t.Context(), "queue 1"); return err == nil && s.Depth == 0 })
	if s, err := b.q.Stats(t.Context(), "queue 0"); err != nil || s.Depth != 10 || len(got.all()) != 10 {
		t.Errorf("the other has %d, %v; handled %v", s.Depth, err, got.all())
	}
}

func crowd(t *testing.T, b *bench) {
	const publishers, each, consumers = 32, 60, 6
	var got record
	second := b.open()
	for i := range consumers {
		defer b.consume([]queue.Queue{b.q, second}[i%2], options(), got.handle)()
	}
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			q := []queue.Queue{b.q, second}[p%2]
			for i := range each {
				if err := q.Publish(t.Context(), name, queue.Message{ID: fmt.Sprint(p, "-", i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	b.empty()
	handled := got.all()
	slices.Sort(handled)
	if n, different := len(handled), len(slices.Compact(handled)); n != publishers*each || different != n {
		t.Errorf("%d handled, %d different; want %d", n, different, publishers*each)
	}
}

func stopping(t *testing.T, b *bench) {
	b.publish(numbered(5)...)
	var got record
	begun, finish := make(chan struct{}), make(chan struct{})
	stop := b.consume(b.q, options(), func(ctx context.Context, batch []*queue.Delivery) error {
		close(begun)
		<-finish
		if ctx.Err() != nil {
			t.Error("the batch under way was cancelled")
		}
		return got.handle(ctx, batch)
	})
	<-begun
	time.AfterFunc(10*soon, func() { close(finish) })
	stop()
	if n := len(got.all()); n != 5 {
		t.Errorf("%d handled", n)
	}
	if n := b.stats().Depth; n != 0 {
		t.Errorf("%d are not acknowledged", n)
	}
}

func halfway(t *testing.T, b *bench) {
	b.publish(numbered(6)...)
	var first, second record
	at3 := make(chan struct{})
	stop := b.consume(b.q, options(), func(ctx context.Context, batch []*queue.Delivery) error {
		switch {
		case len(batch) > 1:
			return errors.New("one of these")
		case batch[0].ID == "3":
			close(at3)
			time.Sleep(10 * soon)
		}
		return first.handle(ctx, batch)
	})
	<-at3
	stop()
	if want := []string{"0", "1", "2", "3"}; !slices.Equal(first.all(), want) {
		t.Errorf("handled before the stop: %v", first.all())
	}
	defer b.consume(b.q, options(), second.handle)()
	b.empty()
	if want := []string{"4", "5"}; !slices.Equal(second.all(), want) {
		t.Errorf("handled after it: %v", second.all())
	}
}

func ends(t *testing.T, b *bench) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.q.Publish(ended, name, numbered(1)...); !errors.Is(err, context.Canceled) {
		t.Errorf("publish with a context that ended: %v", err)
	}
	if err := b.q.Consume(ended, options(), (&record{}).handle); err != nil {
		t.Errorf("consume with a context that ended: %v", err)
	}
	if err := b.q.Ready(t.Context()); err != nil {
		t.Errorf("an open queue: %v", err)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- b.q.Consume(t.Context(), options(), (&record{}).handle) }()
	time.Sleep(10 * soon)
	if err := b.q.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-waiting:
		if !errors.Is(err, queue.ErrClosed) {
			t.Errorf("consume of a queue that was closed: %v", err)
		}
	case <-time.After(patient):
		t.Error("Close does not end Consume")
	}
	if err := b.q.Publish(t.Context(), name, numbered(1)...); market.KindOf(err) != market.Unavailable {
		t.Errorf("publish to a closed queue: %v", err)
	}
	if err := b.q.Ready(t.Context()); err == nil {
		t.Error("a closed queue is ready")
	}
}
