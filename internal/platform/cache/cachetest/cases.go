package cachetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/cache"
)

func hit(t *testing.T, b *bench) {
	s := sourceOf(1)
	first := wants(t, b.shelf, s, 1, 1)
	if again := wants(t, b.shelf, s, 1, 1); again != first {
		t.Error("a hit gave another pointer: nothing made of the value would be found again")
	}
	other := sourceOf(2)
	if v, err := b.shelf.Get(t.Context(), "other", other.load); err != nil || v.N != 2 {
		t.Errorf("another key: %v, %v", v, err)
	}
}

func oneLoad(t *testing.T, b *bench) {
	var loads atomic.Int32
	release := make(chan struct{})
	load := func(context.Context) (*thing, error) {
		loads.Add(1)
		<-release
		return &thing{N: 1}, nil
	}
	const callers = 200
	errs := make(chan error, callers)
	for range callers {
		go func() {
			v, err := b.shelf.Get(t.Context(), "k", load)
			if err == nil && v.N != 1 {
				err = errors.New("another value")
			}
			errs <- err
		}()
	}
	time.Sleep(20 * time.Millisecond)
	close(release)
	for range callers {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	if n := loads.Load(); n != 1 {
		t.Errorf("%d loads for %d callers, want 1", n, callers)
	}
}

func expiry(t *testing.T, b *bench) {
	s := sourceOf(1)
	wants(t, b.shelf, s, 1, 1)
	s.set(2, nil)
	b.clock.Pass(53 * time.Minute)
	wants(t, b.shelf, s, 1, 1)
	b.clock.Pass(14 * time.Minute)
	wants(t, b.shelf, s, 2, 2)
	b.clock.Pass(53 * time.Minute)
	wants(t, b.shelf, s, 2, 2)
}

func drop(t *testing.T, b *bench) {
	s := sourceOf(1)
	wants(t, b.shelf, s, 1, 1)
	s.set(2, nil)
	if err := b.cache.Drop(t.Context(), "absent", "k"); err != nil {
		t.Fatal(err)
	}
	wants(t, b.shelf, s, 2, 2)
	if err := b.cache.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, b.shelf, s, 2, 2)
}

// dropDuringLoad lets a load read, then drops what it has read before it returns.
func dropDuringLoad(t *testing.T, b *bench) {
	read, release, first := make(chan struct{}), make(chan struct{}), make(chan int64, 1)
	go func() {
		v, err := b.shelf.Get(t.Context(), "k", func(context.Context) (*thing, error) {
			close(read)
			<-release
			return &thing{N: 1}, nil
		})
		if err != nil {
			v = &thing{N: -1}
		}
		first <- v.N
	}()
	<-read
	if err := b.cache.Drop(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	s := sourceOf(2)
	wants(t, b.shelf, s, 2, 1) // while the old load still runs: not joined
	close(release)
	if n := <-first; n != 1 {
		t.Errorf("who asked before the drop got %d, want 1", n)
	}
	wants(t, b.shelf, s, 2, 1) // and when it has ended: not overwritten

	// The same when nobody asks between the drop and the end of the load.
	read, release = make(chan struct{}), make(chan struct{})
	go func() {
		_, _ = b.shelf.Get(t.Context(), "k2", func(context.Context) (*thing, error) {
			close(read)
			<-release
			return &thing{N: 1}, nil
		})
		first <- 0
	}()
	<-read
	if err := b.cache.Drop(t.Context(), "k2"); err != nil {
		t.Fatal(err)
	}
	close(release)
	<-first
	if v, err := b.shelf.Get(t.Context(), "k2", s.load); err != nil || v.N != 2 {
		t.Errorf("after the drop and the load: %+v, %v; want 2", v, err)
	}
}

// dropsAndLoads has a writer raise a number and drop it, and readers that must
// never see less than what was dropped before they asked.
func dropsAndLoads(t *testing.T, b *bench) {
	var stored, dropped atomic.Int64
	load := func(context.Context) (*thing, error) {
		n := stored.Load()
		time.Sleep(50 * time.Microsecond)
		return &thing{N: n}, nil
	}
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 8 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				least := dropped.Load()
				if v, err := b.shelf.Get(t.Context(), "k", load); err != nil || v.N < least {
					t.Errorf("got %+v, %v after a drop of %d", v, err, least)
					return
				}
			}
		})
	}
	for n := range int64(300) {
		stored.Store(n + 1)
		if err := b.cache.Drop(t.Context(), "k"); err != nil {
			t.Error(err)
		}
		dropped.Store(n + 1)
		time.Sleep(100 * time.Microsecond)
	}
	close(done)
	readers.Wait()
}

func staleOnError(t *testing.T, b *bench) {
	s := sourceOf(1)
	wants(t, b.shelf, s, 1, 1)
	s.set(2, errDown)
	b.clock.Pass(2 * time.Hour)
	wants(t, b.shelf, s, 1, 2)
	wants(t, b.shelf, s, 1, 3) // asked again each time: it fails at once
	s.set(2, nil)
	wants(t, b.shelf, s, 2, 4)

	s.set(3, errDown)
	b.clock.Pass(27 * time.Hour)
	refuses(t, b.shelf, s, errDown, 5) // too old by now

	s.set(3, nil)
	wants(t, b.shelf, s, 3, 6)
	b.clock.Pass(2 * time.Hour)
	s.set(3, errDown)
	if err := b.cache.Drop(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	refuses(t, b.shelf, s, errDown, 7) // what was dropped is not served either

	never := b.place(cache.Life{Fresh: time.Hour})
	s.set(4, nil)
	wants(t, never, s, 4, 8)
	b.clock.Pass(2 * time.Hour)
	s.set(4, errDown)
	refuses(t, never, s, errDown, 9)
}

func pause(t *testing.T, b *bench) {
	s := sourceOf(1)
	wants(t, b.shelf, s, 1, 1)
	b.clock.Pass(2 * time.Hour)
	hang := func(ctx context.Context) (*thing, error) {
		b.clock.Pass(5 * time.Second)
		return nil, errDown
	}
	if v, err := b.shelf.Get(t.Context(), "k", hang); err != nil || v.N != 1 {
		t.Fatalf("got %+v, %v", v, err)
	}
	s.set(2, nil)
	wants(t, b.shelf, s, 1, 1) // not asked: it took five seconds to fail
	b.clock.Pass(6 * time.Second)
	wants(t, b.shelf, s, 2, 2)
}

func unknown(t *testing.T, b *bench) {
	none := market.Refuse(market.NotFound, "unknown_thing", "there is no thing 'évry'")
	s := sourceOf(1)
	s.set(1, none)
	for range 3 {
		_, err := b.shelf.Get(t.Context(), "k", s.load)
		var e *market.Error
		if !errors.As(err, &e) || e.Kind != market.NotFound || e.Code != none.Code || e.Detail != none.Detail || s.asked != 1 {
			t.Fatalf("got %v after %d loads; want %v after 1", err, s.asked, none)
		}
	}
	s.set(1, nil)
	b.clock.Pass(34 * time.Second)
	wants(t, b.shelf, s, 1, 2)

	s.set(1, none) // what has gone is not served as stale, nor is what is unknown
	b.clock.Pass(2 * time.Hour)
	refuses(t, b.shelf, s, none, 3)
	s.set(1, errDown)
	b.clock.Pass(time.Minute)
	refuses(t, b.shelf, s, errDown, 4)

	s.set(1, none)
	refuses(t, b.shelf, s, none, 5)
	s.set(2, nil)
	if err := b.cache.Drop(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	wants(t, b.shelf, s, 2, 6)

	each := b.place(cache.Life{Fresh: time.Hour, Stale: time.Hour})
	b.clock.Pass(2 * time.Hour)
	s.set(2, none)
	refuses(t, each, s, none, 7)
	refuses(t, each, s, none, 8)
	s.set(2, errDown)
	refuses(t, each, s, errDown, 9)
}

func failure(t *testing.T, b *bench) {
	s := sourceOf(1)
	s.set(1, errDown)
	refuses(t, b.shelf, s, errDown, 1)
	refuses(t, b.shelf, s, errDown, 2)
	s.set(1, nil)
	wants(t, b.shelf, s, 1, 3)
}

func firstLeaves(t *testing.T, b *bench) {
	began, release := make(chan struct{}), make(chan struct{})
	load := func(ctx context.Context) (*thing, error) {
		close(began)
		select {
		case <-release:
			return &thing{N: 7}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	first, leave := context.WithCancel(t.Context())
	left, got := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := b.shelf.Get(first, "k", load)
		left <- err
	}()
	<-began
	go func() {
		v, err := b.shelf.Get(t.Context(), "k", load)
		if err == nil && v.N != 7 {
			err = errors.New("another value")
		}
		got <- err
	}()
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
	close(release)
	if err := <-got; err != nil {
		t.Errorf("who waited got %v", err)
	}
	if _, err := b.shelf.Get(first, "absent", load); !errors.Is(err, context.Canceled) {
		t.Errorf("who had left before asking got %v", err)
	}
}

func timeout(t *testing.T, b *bench) {
	shelf := b.place(cache.Life{Fresh: time.Hour, Timeout: 10 * time.Millisecond})
	_, err := shelf.Get(t.Context(), "k", func(ctx context.Context) (*thing, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
	if err == nil || !strings.Contains(err.Error(), "10ms") {
		t.Errorf("got %v, want what took too long", err)
	}
	wants(t, shelf, sourceOf(1), 1, 1)
}

func panics(t *testing.T, b *bench) {
	_, err := b.shelf.Get(t.Context(), "k", func(context.Context) (*thing, error) { panic("a slip") })
	if err == nil || !strings.Contains(err.Error(), "a slip") {
		t.Errorf("got %v, want the panic as an error", err)
	}
	wants(t, b.shelf, sourceOf(1), 1, 1)
}

func nothing(t *testing.T, b *bench) {
	if v, err := b.shelf.Get(t.Context(), "k", func(context.Context) (*thing, error) { return nil, nil }); err == nil {
		t.Errorf("got %v and no error for a load that gave nothing", v)
	}
}

func holds(t *testing.T, b *bench) {
	s := sourceOf(1)
	v := wants(t, b.shelf, s, 1, 1)
	parts := []cache.Part{{Key: "k", Value: v}}
	check := func(when string, want bool) {
		t.Helper()
		if got := b.cache.Holds(t.Context(), parts); got != want {
			t.Errorf("%s: Holds is %t, want %t", when, got, want)
		}
	}
	check("fresh", true)
	same := *v
	parts[0].Value = &same
	check("a copy", false)
	parts[0].Value = v
	parts = append(parts, cache.Part{Key: "absent", Value: v})
	check("one absent", false)
	parts = parts[:1]
	b.clock.Pass(2 * time.Hour)
	check("expired", false)
	s.set(1, errDown)
	wants(t, b.shelf, s, 1, 2)
	check("served as stale", false)
	s.set(1, nil)
	parts[0].Value = wants(t, b.shelf, s, 1, 3)
	check("loaded again", true)
	if err := b.cache.Drop(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	check("dropped", false)
	wants(t, b.shelf, s, 1, 4)
	check("dropped, and an equal one loaded", false)
	parts = nil
	check("made of nothing", true)
}

func memo(t *testing.T, b *bench) {
	m := cache.NewMemo[string](b.cache, 1<<20)
	s := sourceOf(1)
	v := wants(t, b.shelf, s, 1, 1)
	if _, ok := m.Get(t.Context(), "made"); ok {
		t.Error("it found what nobody made")
	}
	m.Put(t.Context(), "made", "of one", 6, []cache.Part{{Key: "k", Value: v}})
	if made, ok := m.Get(t.Context(), "made"); !ok || made != "of one" {
		t.Errorf("got %q, %t", made, ok)
	}
	if err := b.cache.Drop(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if made, ok := m.Get(t.Context(), "made"); ok {
		t.Errorf("got %q after the drop of what it was made of", made)
	}
	m.Put(t.Context(), "late", "of one", 6, []cache.Part{{Key: "k", Value: v}})
	if made, ok := m.Get(t.Context(), "late"); ok {
		t.Errorf("got %q, made of what had been dropped", made)
	}
}

func closes(t *testing.T, b *bench) {
	began, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := b.shelf.Get(t.Context(), "k", func(ctx context.Context) (*thing, error) {
			close(began)
			<-ctx.Done()
			return nil, ctx.Err()
		})
		ended <- err
	}()
	<-began
	if err := b.cache.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the load under way gave %v", err)
	}
	refuses(t, b.shelf, sourceOf(1), cache.ErrClosed, 0)
	if err := b.cache.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

// dropElsewhere drops in one process and reads in another.
func dropElsewhere(t *testing.T, e Engine) {
	here := newBench(t, e)
	there := &bench{cache: e.Join(t, here.cache, here.clock.Now)}
	t.Cleanup(func() { _ = there.cache.Close() })
	there.shelf = there.place(life)
	s := sourceOf(1)
	wants(t, here.shelf, s, 1, 1)
	wants(t, there.shelf, s, 1, 1) // loaded by the other
	s.set(2, nil)
	if err := here.cache.Drop(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		if v, err := there.shelf.Get(t.Context(), "k", s.load); err == nil && v.N == 2 {
			break
		}
		if time.Since(began) > 100*time.Millisecond {
			t.Fatal("the other process still has what was dropped 100 ms ago")
		}
	}
	wants(t, here.shelf, s, 2, 2)
}
