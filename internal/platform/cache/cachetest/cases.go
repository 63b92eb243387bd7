package cachetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/cache"
)

func hit(b *bench) {
	s := sourceOf(1)
	first := wants(b, b.shelf, s, 1, 1)
	if again := wants(b, b.shelf, s, 1, 1); again != first {
		b.Error("a hit gave another pointer: nothing made of the value would be found again")
	}
	other := sourceOf(2)
	if v, err := b.shelf.Get(b.Context(), "other", other.load); err != nil || v.N != 2 {
		b.Errorf("another key: %v, %v", v, err)
	}
}

func oneLoad(b *bench) {
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
			v, err := b.shelf.Get(b.Context(), "k", load)
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
			b.Fatal(err)
		}
	}
	if n := loads.Load(); n != 1 {
		b.Errorf("%d loads for %d callers, want 1", n, callers)
	}
}

func expiry(b *bench) {
	s := sourceOf(1)
	wants(b, b.shelf, s, 1, 1)
	s.set(2, nil)
	b.clock.Pass(53 * time.Minute)
	wants(b, b.shelf, s, 1, 1)
	b.clock.Pass(14 * time.Minute)
	wants(b, b.shelf, s, 2, 2)
	b.clock.Pass(53 * time.Minute)
	wants(b, b.shelf, s, 2, 2)
}

func drop(b *bench) {
	s := sourceOf(1)
	wants(b, b.shelf, s, 1, 1)
	s.set(2, nil)
	if err := b.cache.Drop(b.Context(), "absent", "k"); err != nil {
		b.Fatal(err)
	}
	wants(b, b.shelf, s, 2, 2)
	if err := b.cache.Drop(b.Context()); err != nil {
		b.Fatal(err)
	}
	wants(b, b.shelf, s, 2, 2)
}

// dropDuringLoad lets a load read, then drops what it has read before it returns.
func dropDuringLoad(b *bench) {
	read, release, first := make(chan struct{}), make(chan struct{}), make(chan int64, 1)
	go func() {
		v, err := b.shelf.Get(b.Context(), "k", func(context.Context) (*thing, error) {
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
	if err := b.cache.Drop(b.Context(), "k"); err != nil {
		b.Fatal(err)
	}
	s := sourceOf(2)
	wants(b, b.shelf, s, 2, 1) // while the old load still runs: not joined
	close(release)
	if n := <-first; n != 1 {
		b.Errorf("who asked before the drop got %d, want 1", n)
	}
	wants(b, b.shelf, s, 2, 1) // and when it has ended: not overwritten

	// The same when nobody asks between the drop and the end of the load.
	read, release = make(chan struct{}), make(chan struct{})
	go func() {
		_, _ = b.shelf.Get(b.Context(), "k2", func(context.Context) (*thing, error) {
			close(read)
			<-release
			return &thing{N: 1}, nil
		})
		first <- 0
	}()
	<-read
	if err := b.cache.Drop(b.Context(), "k2"); err != nil {
		b.Fatal(err)
	}
	close(release)
	<-first
	if v, err := b.shelf.Get(b.Context(), "k2", s.load); err != nil || v.N != 2 {
		b.Errorf("after the drop and the load: %+v, %v; want 2", v, err)
	}
}

// dropsAndLoads has a writer raise a number and drop it, and readers that must
// never see less than what was dropped before they asked.
func dropsAndLoads(b *bench) {
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
				if v, err := b.shelf.Get(b.Context(), "k", load); err != nil || v.N < least {
					b.Errorf("got %+v, %v after a drop of %d", v, err, least)
					return
				}
			}
		})
	}
	for n := range int64(300) {
		stored.Store(n + 1)
		if err := b.cache.Drop(b.Context(), "k"); err != nil {
			b.Error(err)
		}
		dropped.Store(n + 1)
		time.Sleep(100 * time.Microsecond)
	}
	close(done)
	readers.Wait()
}

func staleOnError(b *bench) {
	s := sourceOf(1)
	wants(b, b.shelf, s, 1, 1)
	s.set(2, errDown)
	b.clock.Pass(2 * time.Hour)
	wants(b, b.shelf, s, 1, 2)
	wants(b, b.shelf, s, 1, 3) // asked again each time: it fails at once
	s.set(2, nil)
	wants(b, b.shelf, s, 2, 4)

	s.set(3, errDown)
	b.clock.Pass(27 * time.Hour)
	refuses(b, b.shelf, s, errDown, 5) // too old by now

	s.set(3, nil)
	wants(b, b.shelf, s, 3, 6)
	b.clock.Pass(2 * time.Hour)
	s.set(3, errDown)
	if err := b.cache.Drop(b.Context(), "k"); err != nil {
		b.Fatal(err)
	}
	refuses(b, b.shelf, s, errDown, 7) // what was dropped is not served either

	never := b.place(cache.Life{Fresh: time.Hour})
	s.set(4, nil)
	wants(b, never, s, 4, 8)
	b.clock.Pass(2 * time.Hour)
	s.set(4, errDown)
	refuses(b, never, s, errDown, 9)
}

func pause(b *bench) {
	s := sourceOf(1)
	wants(b, b.shelf, s, 1, 1)
	b.clock.Pass(2 * time.Hour)
	hang := func(ctx context.Context) (*thing, error) {
		b.clock.Pass(5 * time.Second)
		return nil, errDown
	}
	if v, err := b.shelf.Get(b.Context(), "k", hang); err != nil || v.N != 1 {
		b.Fatalf("got %+v, %v", v, err)
	}
	s.set(2, nil)
	wants(b, b.shelf, s, 1, 1) // not asked: it took five seconds to fail
	b.clock.Pass(6 * time.Second)
	wants(b, b.shelf, s, 2, 2)
}

func unknown(b *bench) {
	none := market.Refuse(market.NotFound, "unknown_thing", "there is no thing 'évry'")
	s := sourceOf(1)
	s.set(1, none)
	for range 3 {
		_, err := b.shelf.Get(b.Context(), "k", s.load)
		var e *market.Error
		if !errors.As(err, &e) || e.Kind != market.NotFound || e.Code != none.Code || e.Detail != none.Detail || s.asked != 1 {
			b.Fatalf("got %v after %d loads; want %v after 1", err, s.asked, none)
		}
	}
	s.set(1, nil)
	b.clock.Pass(34 * time.Second)
	wants(b, b.shelf, s, 1, 2)

	s.set(1, none) // what has gone is not served as stale, nor is what is unknown
	b.clock.Pass(2 * time.Hour)
	refuses(b, b.shelf, s, none, 3)
	s.set(1, errDown)
	b.clock.Pass(time.Minute)
	refuses(b, b.shelf, s, errDown, 4)

	s.set(1, none)
	refuses(b, b.shelf, s, none, 5)
	s.set(2, nil)
	if err := b.cache.Drop(b.Context(), "k"); err != nil {
		b.Fatal(err)
	}
	wants(b, b.shelf, s, 2, 6)

	each := b.place(cache.Life{Fresh: time.Hour, Stale: time.Hour})
	b.clock.Pass(2 * time.Hour)
	s.set(2, none)
	refuses(b, each, s, none, 7)
	refuses(b, each, s, none, 8)
	s.set(2, errDown)
	refuses(b, each, s, errDown, 9)
}

func failure(b *bench) {
	s := sourceOf(1)
	s.set(1, errDown)
	refuses(b, b.shelf, s, errDown, 1)
	refuses(b, b.shelf, s, errDown, 2)
	s.set(1, nil)
	wants(b, b.shelf, s, 1, 3)
}

func firstLeaves(b *bench) {
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
	first, leave := context.WithCancel(b.Context())
	left, got := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := b.shelf.Get(first, "k", load)
		left <- err
	}()
	<-began
	go func() {
		v, err := b.shelf.Get(b.Context(), "k", load)
		if err == nil && v.N != 7 {
			err = errors.New("another value")
		}
		got <- err
	}()
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		b.Errorf("who left got %v", err)
	}
	close(release)
	if err := <-got; err != nil {
		b.Errorf("who waited got %v", err)
	}
	if _, err := b.shelf.Get(first, "absent", load); !errors.Is(err, context.Canceled) {
		b.Errorf("who had left before asking got %v", err)
	}
}

func timeout(b *bench) {
	// The load that follows must fit into it too, on a machine that is busy.
	shelf := b.place(cache.Life{Fresh: time.Hour, Timeout: 2 * time.Second})
	_, err := shelf.Get(b.Context(), "k", func(ctx context.Context) (*thing, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
	if err == nil || !strings.Contains(err.Error(), "2s") {
		b.Errorf("got %v, want what took too long", err)
	}
	wants(b, shelf, sourceOf(1), 1, 1)
}

func panics(b *bench) {
	_, err := b.shelf.Get(b.Context(), "k", func(context.Context) (*thing, error) { panic("a slip") })
	if err == nil || !strings.Contains(err.Error(), "a slip") {
		b.Errorf("got %v, want the panic as an error", err)
	}
	wants(b, b.shelf, sourceOf(1), 1, 1)
}

func nothing(b *bench) {
	var none *thing
	if v, err := b.shelf.Get(b.Context(), "k", func(context.Context) (*thing, error) { return none, nil }); err == nil {
		b.Errorf("got %v and no error for a load that gave nothing", v)
	}
}

func holds(b *bench) {
	s := sourceOf(1)
	v := wants(b, b.shelf, s, 1, 1)
	parts := []cache.Part{{Key: "k", Value: v}}
	check := func(when string, want bool) {
		b.Helper()
		if got := b.cache.Holds(b.Context(), parts); got != want {
			b.Errorf("%s: Holds is %t, want %t", when, got, want)
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
	wants(b, b.shelf, s, 1, 2)
	check("served as stale", false)
	s.set(1, nil)
	parts[0].Value = wants(b, b.shelf, s, 1, 3)
	check("loaded again", true)
	if err := b.cache.Drop(b.Context(), "k"); err != nil {
		b.Fatal(err)
	}
	check("dropped", false)
	wants(b, b.shelf, s, 1, 4)
	check("dropped, and an equal one loaded", false)
	parts = nil
	check("made of nothing", true)
}

func memo(b *bench) {
	m := cache.NewMemo[string](b.cache, 1<<20)
	s := sourceOf(1)
	v := wants(b, b.shelf, s, 1, 1)
	if _, ok := m.Get(b.Context(), "made"); ok {
		b.Error("it found what nobody made")
	}
	m.Put(b.Context(), "made", "of one", 6, []cache.Part{{Key: "k", Value: v}})
	if made, ok := m.Get(b.Context(), "made"); !ok || made != "of one" {
		b.Errorf("got %q, %t", made, ok)
	}
	if err := b.cache.Drop(b.Context(), "k"); err != nil {
		b.Fatal(err)
	}
	if made, ok := m.Get(b.Context(), "made"); ok {
		b.Errorf("got %q after the drop of what it was made of", made)
	}
	m.Put(b.Context(), "late", "of one", 6, []cache.Part{{Key: "k", Value: v}})
	if made, ok := m.Get(b.Context(), "late"); ok {
		b.Errorf("got %q, made of what had been dropped", made)
	}
}

func closes(b *bench) {
	began, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := b.shelf.Get(b.Context(), "k", func(ctx context.Context) (*thing, error) {
			close(began)
			<-ctx.Done()
			return nil, ctx.Err()
		})
		ended <- err
	}()
	<-began
	if err := b.cache.Close(); err != nil {
		b.Error(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		b.Errorf("the load under way gave %v", err)
	}
	refuses(b, b.shelf, sourceOf(1), cache.ErrClosed, 0)
	if err := b.cache.Close(); err != nil {
		b.Errorf("closing again: %v", err)
	}
}

// dropElsewhere drops in one process and reads in another.
func dropElsewhere(here *bench) {
	there := &bench{T: here.T, cache: here.engine.Join(here, here.cache, here.clock.Now)}
	here.Cleanup(func() { _ = there.cache.Close() })
	there.shelf = there.place(life)
	s := sourceOf(1)
	wants(here, here.shelf, s, 1, 1)
	wants(here, there.shelf, s, 1, 1) // loaded by the other
	s.set(2, nil)
	if err := here.cache.Drop(here.Context(), "k"); err != nil {
		here.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		if v, err := there.shelf.Get(here.Context(), "k", s.load); err == nil && v.N == 2 {
			break
		}
		if time.Since(began) > 100*time.Millisecond {
			here.Fatal("the other process still has what was dropped 100 ms ago")
		}
	}
	wants(here, here.shelf, s, 2, 2)
}
