package cache_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"emporium/internal/market"
	"emporium/internal/platform/cache"
	"emporium/internal/platform/cache/cachetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(tb testing.TB, o cache.MemoryOptions) *cache.Memory {
	tb.Helper()
	m, err := cache.NewMemory(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = m.Close() })
	return m
}

func TestMemory(t *testing.T) {
	cachetest.Run(t, cachetest.Engine{Open: func(tb testing.TB, now func() time.Time) cache.Cache {
		tb.Helper()
		return open(tb, cache.MemoryOptions{Now: now})
	}})
}

func TestMemoryNeedsAClock(t *testing.T) {
	if _, err := cache.NewMemory(cache.MemoryOptions{}); err == nil {
		t.Error("it was made without a clock")
	}
}

// TestMemoryIsBounded fills it with ten times what fits and counts what is left.
func TestMemoryIsBounded(t *testing.T) {
	m := open(t, cache.MemoryOptions{Now: time.Now, MaxBytes: 1 << 20})
	shelf := cache.NewShelf(m, cache.Life{Fresh: time.Hour, Unknown: time.Hour}, func(s *string) int { return len(*s) })
	value := strings.Repeat("x", 1<<10)
	key := func(i int) string { return fmt.Sprint("key", i) }
	for i := range 10_000 {
		if _, err := shelf.Get(t.Context(), key(i), func(context.Context) (*string, error) { return &value, nil }); err != nil {
			t.Fatal(err)
		}
	}
	var left int
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) { // it evicts in the background
		left = 0
		for i := range 10_000 {
			if m.Holds(t.Context(), []cache.Part{{Key: key(i), Value: &value}}) {
				left++
			}
		}
		if left <= 1<<10 || time.Now().After(deadline) {
			break
		}
	}
	if left > 1<<10 || left < 1<<8 {
		t.Errorf("%d values of 1 KiB are left in 1 MiB", left)
	}
}

func TestJitter(t *testing.T) {
	for random, want := range map[float64]time.Duration{0: 54 * time.Minute, 0.5: time.Hour, 1: 66 * time.Minute} {
		if got := cache.Jitter(time.Hour, random); got != want {
			t.Errorf("Jitter(1h, %v) = %s, want %s", random, got, want)
		}
	}
}

func TestExpiryIsJittered(t *testing.T) {
	random := 0.0
	clock := &cachetest.Clock{}
	m := open(t, cache.MemoryOptions{Now: clock.Now, Random: func() float64 { return random }})
	shelf := cache.NewShelf(m, cache.Life{Fresh: time.Hour}, func(*int) int { return 8 })
	load := func(context.Context) (*int, error) { return new(int), nil }
	short, _ := shelf.Get(t.Context(), "short", load)
	random = 0.999
	long, _ := shelf.Get(t.Context(), "long", load)
	clock.Pass(55 * time.Minute)
	if m.Holds(t.Context(), []cache.Part{{Key: "short", Value: short}}) {
		t.Error("the shorter one still holds after 55 minutes")
	}
	clock.Pass(10 * time.Minute)
	if !m.Holds(t.Context(), []cache.Part{{Key: "long", Value: long}}) {
		t.Error("the longer one does not hold after 65 minutes")
	}
}

func BenchmarkHit(b *testing.B) {
	m := open(b, cache.MemoryOptions{Now: time.Now})
	shelf := cache.NewShelf(m, cache.Life{Fresh: time.Hour}, func(*market.Product) int { return 100 })
	load := func(context.Context) (*market.Product, error) { return &market.Product{ID: 1}, nil }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := shelf.Get(b.Context(), "k", load); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemo finds what was made of twelve parts, as an answer is.
func BenchmarkMemo(b *testing.B) {
	m := open(b, cache.MemoryOptions{Now: time.Now})
	shelf := cache.NewShelf(m, cache.Life{Fresh: time.Hour}, func(*market.Product) int { return 100 })
	var parts []cache.Part
	for i := range 12 {
		key := market.ProductKey(int64(i))
		v, err := shelf.Get(b.Context(), key, func(context.Context) (*market.Product, error) { return &market.Product{}, nil })
		if err != nil {
			b.Fatal(err)
		}
		parts = append(parts, cache.Part{Key: key, Value: v})
	}
	memo := cache.NewMemo[[]byte](m, 1<<20)
	memo.Put(b.Context(), "made", []byte("[]"), 2, parts)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := memo.Get(b.Context(), "made"); !ok {
			b.Fatal("gone")
		}
	}
}
