// Package cachetest holds every engine of platform/cache to the same promises.
package cachetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/cache"
)

// Clock is a clock that moves when it is told to. The zero value is ready.
type Clock struct{ passed atomic.Int64 }

// Now gives the time on the clock.
func (c *Clock) Now() time.Time {
	return time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC).Add(time.Duration(c.passed.Load()))
}

// Pass lets time pass.
func (c *Clock) Pass(d time.Duration) { c.passed.Add(int64(d)) }

// Engine says how to reach what is tested.
type Engine struct {
	// Open opens an empty cache that decides by the clock what is fresh and what is
	// stale. The test closes it.
	Open func(tb testing.TB, now func() time.Time) cache.Cache
	// Join opens the same cache as another process would; nil when the engine is
	// not shared.
	Join func(tb testing.TB, c cache.Cache, now func() time.Time) cache.Cache
}

// Run runs the suite.
func Run(t *testing.T, e Engine) {
	t.Helper()
	tests := map[string]func(*bench){
		"hit": hit, "one load": oneLoad, "expiry": expiry, "drop": drop,
		"drop during a load": dropDuringLoad, "drops and loads at once": dropsAndLoads,
		"stale on error": staleOnError, "pause after a slow failure": pause, "unknown": unknown, "failure": failure,
		"first caller leaves": firstLeaves, "timeout": timeout, "panic": panics, "nothing": nothing,
		"holds": holds, "memo": memo, "close": closes,
	}
	if e.Join != nil {
		tests["drop elsewhere"] = dropElsewhere
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(newBench(t, e)) })
	}
}

type thing struct {
	Name string
	N    int64
	At   market.Time
}

var life = cache.Life{Fresh: time.Hour, Stale: 24 * time.Hour, Unknown: 30 * time.Second, Timeout: 5 * time.Second}

// bench is one test with a cache of its own.
type bench struct {
	*testing.T
	engine Engine
	clock  Clock
	cache  cache.Cache
	shelf  *cache.Shelf[thing]
}

func newBench(t *testing.T, e Engine) *bench {
	t.Helper()
	b := &bench{T: t, engine: e}
	b.cache = e.Open(t, b.clock.Now)
	t.Cleanup(func() { _ = b.cache.Close() })
	b.shelf = b.place(life)
	return b
}

func (b *bench) place(life cache.Life) *cache.Shelf[thing] {
	return cache.NewShelf(b.cache, life, func(t *thing) int { return len(t.Name) + 40 })
}

// source is where things are loaded from. It counts how often it was asked.
type source struct {
	mu    sync.Mutex
	asked int
	value thing
	err   error
}

func (s *source) load(context.Context) (*thing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.err != nil {
		return nil, s.err
	}
	v := s.value
	return &v, nil
}

func (s *source) set(n int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value, s.err = thing{Name: fmt.Sprintf("。◕‿◕。 %d", n), N: n, At: market.At(time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC))}, err
}

func sourceOf(n int64) *source {
	s := &source{}
	s.set(n, nil)
	return s
}

// wants asks the shelf and fails the test unless it gives n after so many loads in all.
func wants(b *bench, shelf *cache.Shelf[thing], s *source, n int64, asked int) *thing {
	b.Helper()
	v, err := shelf.Get(b.Context(), "k", s.load)
	if err != nil || v.N != n || s.asked != asked {
		b.Fatalf("got %+v, %v after %d loads; want %d after %d", v, err, s.asked, n, asked)
	}
	if want := sourceOf(n).value; *v != want {
		b.Fatalf("got %+v, want %+v", *v, want)
	}
	return v
}

var errDown = errors.New("the source is down")

// refuses asks the shelf and fails the test unless it gives the error after so many loads in all.
func refuses(b *bench, shelf *cache.Shelf[thing], s *source, want error, asked int) {
	b.Helper()
	if v, err := shelf.Get(b.Context(), "k", s.load); !errors.Is(err, want) || s.asked != asked {
		b.Fatalf("got %+v, %v after %d loads; want %v after %d", v, err, s.asked, want, asked)
	}
}
