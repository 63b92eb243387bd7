package queuetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/queue"
)

func inOrder(b *bench) {
	var got record
	stop := b.consume(b.q, options(), got.handle)
	messages := numbered(35)
	for _, m := range messages[:5] {
		b.publish(m)
	}
	b.publish(messages[5:]...)
	b.publish()
	b.handled(len(messages), &got, stop)
	if !slices.Equal(got.all(), ids(messages)) {
		b.Errorf("in the order %v", got.all())
	}
}

func before(b *bench) {
	if s := b.stats(); s != (queue.Stats{}) {
		b.Errorf("a queue that was never used: %+v", s)
	}
	b.publish(numbered(25)...)
	b.until("all wait", func() bool { return b.stats().Depth == 25 })
	if b.Age {
		b.until("the oldest ages", func() bool { return b.stats().Oldest > 0 })
	}
	var got record
	largest := atomic.Int64{}
	b.handled(25, &got, b.consume(b.q, options(), func(ctx context.Context, batch []*queue.Delivery) error {
		largest.Store(max(largest.Load(), int64(len(batch))))
		return got.handle(ctx, batch)
	}))
	if n := len(got.all()); n != 25 || largest.Load() != 10 {
		b.Errorf("%d handled, at most %d in a batch; want 25 and 10", n, largest.Load())
	}
}

func restart(b *bench) {
	b.publish(numbered(5)...)
	if err := b.q.Close(); err != nil {
		b.Fatal(err)
	}
	b.q = b.open()
	var got record
	b.handled(5, &got, b.consume(b.q, options(), got.handle))
	if n := len(got.all()); n != 5 {
		b.Errorf("%d of 5 are there", n)
	}
}

func anyBytes(b *bench) {
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
	var seen record
	got := map[string]*queue.Delivery{}
	b.handled(len(bodies), &seen, b.consume(b.q, options(), func(_ context.Context, batch []*queue.Delivery) error {
		for _, d := range batch {
			got[d.ID] = d
		}
		seen.add(batch...)
		return nil
	}))
	for id, body := range bodies {
		d := got[id]
		if d == nil || !bytes.Equal(d.Body, body) {
			b.Errorf("%s: another body", id)
		} else if !maps.Equal(d.Headers, headers) {
			b.Errorf("%s: headers %v", id, d.Headers)
		}
	}
}

func sameID(b *bench) {
	b.publish(queue.Message{ID: "same", Body: []byte("1")}, queue.Message{ID: "same", Body: []byte("1")})
	b.publish(queue.Message{Body: []byte("without")}, queue.Message{Body: []byte("without")})
	var got record
	b.handled(4, &got, b.consume(b.q, options(), got.handle))
	if all := got.all(); len(slices.DeleteFunc(all, func(id string) bool { return id != "" })) != 2 {
		b.Errorf("two messages without an id became %v", got.all())
	}
}

func deadConsumer(b *bench) {
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
	stopHeir := b.consume(b.q, options(), got.handle)
	if b.CountsHeld && b.stats().Depth != 5 {
		b.Errorf("%d messages, of which 5 are held", b.stats().Depth)
	}
	closed := make(chan error, 1)
	go func() { closed <- dying.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			b.Error(err)
		}
	case <-time.After(patient):
		b.Error("Close waits for a handler")
	}
	b.until("all come again", func() bool { return len(got.all()) == 5 })
	close(never)
	stop()
	b.handled(5, &got, stopHeir)
	if !b.sameOrder(got.all(), ids(numbered(5))) {
		b.Errorf("they came again as %v", got.all())
	}
}

func apart(b *bench) {
	for i := range 20 {
		if err := b.q.Publish(b.Context(), queue.Name(fmt.Sprint("queue ", i%2)), queue.Message{ID: strconv.Itoa(i)}); err != nil {
			b.Fatal(err)
		}
	}
	o := options()
	o.Queue = "queue 1"
	var got record
	stop := b.consume(b.q, o, got.handle)
	b.until("one is handled", func() bool { return len(got.all()) == 10 })
	stop()
	b.until("one is empty", func() bool { s, err := b.q.Stats(b.Context(), "queue 1"); return err == nil && s.Depth == 0 })
	if s, err := b.q.Stats(b.Context(), "queue 0"); err != nil || s.Depth != 10 || len(got.all()) != 10 {
		b.Errorf("the other has %d, %v; handled %v", s.Depth, err, got.all())
	}
}

func crowd(b *bench) {
	const publishers, each, consumers = 32, 60, 6
	var got record
	second := b.open()
	var stops []func()
	for i := range consumers {
		stops = append(stops, b.consume([]queue.Queue{b.q, second}[i%2], options(), got.handle))
	}
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			q := []queue.Queue{b.q, second}[p%2]
			for i := range each {
				if err := q.Publish(b.Context(), name, queue.Message{ID: fmt.Sprint(p, "-", i)}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	b.handled(publishers*each, &got, func() {
		for _, stop := range stops {
			stop()
		}
	})
	handled := got.all()
	slices.Sort(handled)
	if n, different := len(handled), len(slices.Compact(handled)); n != publishers*each || different != n {
		b.Errorf("%d handled, %d different; want %d", n, different, publishers*each)
	}
}

func stopping(b *bench) {
	b.publish(numbered(5)...)
	var got record
	begun, finish := make(chan struct{}), make(chan struct{})
	stop := b.consume(b.q, options(), func(ctx context.Context, batch []*queue.Delivery) error {
		close(begun)
		<-finish
		if ctx.Err() != nil {
			b.Error("the batch under way was cancelled")
		}
		return got.handle(ctx, batch)
	})
	<-begun
	time.AfterFunc(10*soon, func() { close(finish) })
	stop()
	if n := len(got.all()); n != 5 {
		b.Errorf("%d handled", n)
	}
	b.empty()
}

func halfway(b *bench) {
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
		b.Errorf("handled before the stop: %v", first.all())
	}
	b.handled(2, &second, b.consume(b.q, options(), second.handle))
	if want := []string{"4", "5"}; !b.sameOrder(second.all(), want) {
		b.Errorf("handled after it: %v", second.all())
	}
}

func ends(b *bench) {
	ended, cancel := context.WithCancel(b.Context())
	cancel()
	if err := b.q.Publish(ended, name, numbered(1)...); !errors.Is(err, context.Canceled) {
		b.Errorf("publish with a context that ended: %v", err)
	}
	if err := b.q.Consume(ended, options(), (&record{}).handle); err != nil {
		b.Errorf("consume with a context that ended: %v", err)
	}
	if err := b.q.Ready(b.Context()); err != nil {
		b.Errorf("an open queue: %v", err)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- b.q.Consume(b.Context(), options(), (&record{}).handle) }()
	time.Sleep(10 * soon)
	if err := b.q.Close(); err != nil {
		b.Error(err)
	}
	select {
	case err := <-waiting:
		if !errors.Is(err, queue.ErrClosed) {
			b.Errorf("consume of a queue that was closed: %v", err)
		}
	case <-time.After(patient):
		b.Error("Close does not end Consume")
	}
	if err := b.q.Publish(b.Context(), name, numbered(1)...); market.KindOf(err) != market.Unavailable {
		b.Errorf("publish to a closed queue: %v", err)
	}
	if err := b.q.Ready(b.Context()); err == nil {
		b.Error("a closed queue is ready")
	}
}
