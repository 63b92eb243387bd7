package limit_test

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/platform/cache/cachetest"
	"emporium/internal/platform/limit"
	"emporium/internal/platform/limit/limittest"
	"emporium/internal/platform/testenv"
)

// clock is a time that a test moves.
type clock struct{ micros atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.micros.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time                     { return time.UnixMicro(c.micros.Load()) }
func (c *clock) pass(_ testing.TB, d time.Duration) { c.micros.Add(d.Microseconds()) }

func mustRule(t testing.TB, name string, quota int64, span time.Duration) limit.Rule {
	t.Helper()
	r, err := limit.NewRule(name, quota, span)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMemory(t *testing.T) {
	limittest.Run(t, func(*testing.T) limittest.Engine {
		c := newClock()
		return limittest.Engine{Limiter: limit.NewMemory(limit.MemoryOptions{Now: c.now}), Pass: c.pass}
	})
}

func TestRedis(t *testing.T) {
	address, ok := testenv.Require(t, "redis")
	if !ok {
		return
	}
	limittest.Run(t, func(t *testing.T) limittest.Engine {
		prefix := cachetest.Prefix(t, address)
		return limittest.Engine{Limiter: openRedis(t, address, prefix), Pass: limittest.PassRedis(address, prefix)}
	})
}

// openRedis counts in Redis, and fails the test where it does not: what counts
// while Redis is away allows nothing.
func openRedis(t *testing.T, address, prefix string) *limit.Redis {
	t.Helper()
	r, err := limit.OpenRedis(t.Context(), limit.RedisOptions{
		URL: address, Prefix: prefix, Away: memory(), Wait: 5 * time.Second, Retry: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := r.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func memory() *limit.Memory { return limit.NewMemory(limit.MemoryOptions{Now: time.Now}) }

func allowed(t testing.TB, l limit.Limiter, r limit.Rule, who string) bool {
	t.Helper()
	return l.Take(t.Context(), []limit.Ask{{Rule: r, Who: who}})
}

func TestRuleBounds(t *testing.T) {
	for _, c := range []struct {
		name  string
		quota int64
		span  time.Duration
		want  string
	}{
		{"address", 600, time.Minute, ""},
		{"sign-in", 1_000_000, time.Second, ""},
		{"", 1, time.Minute, "name"},
		{`a";q=9`, 1, time.Minute, "name"},
		{"address", 0, time.Minute, "1 to 1000000"},
		{"address", 1_000_001, time.Minute, "1 to 1000000"},
		{"address", 1, time.Millisecond, "span"},
		{"address", 1, 1500 * time.Millisecond, "span"},
		{"address", 1, 8 * 24 * time.Hour, "span"},
	} {
		_, err := limit.NewRule(c.name, c.quota, c.span)
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %d %s: %v", c.name, c.quota, c.span, err)
		}
	}
}

// What headers say is as the draft has it: strings, whole seconds, rounded up.
func TestHeaders(t *testing.T) {
	r := mustRule(t, "sign-in", 60, time.Minute)
	if r.Policy()[0] != `"sign-in";q=60;w=60` {
		t.Error(r.Policy())
	}
	a := limit.Ask{Rule: r, Left: 7, Full: 52*time.Second + 1}
	if a.Standing() != `"sign-in";r=7;t=53` {
		t.Error(a.Standing())
	}
}

// A step that is not whole microseconds is rounded up: never more than the quota
// comes back in its span.
func TestUnevenQuota(t *testing.T) {
	c := newClock()
	m := limit.NewMemory(limit.MemoryOptions{Now: c.now})
	r := mustRule(t, "address", 7, time.Second)
	for allowed(t, m, r, "ada") {
	}
	n := 0
	for range 1000 {
		c.pass(t, time.Millisecond)
		if allowed(t, m, r, "ada") {
			n++
		}
	}
	if n > 7 || n < 6 {
		t.Errorf("%d came back in a second, of 7", n)
	}
}

// A clock that is set back does not lock anybody out for longer than the span.
func TestClockSetBack(t *testing.T) {
	c := newClock()
	m := limit.NewMemory(limit.MemoryOptions{Now: c.now})
	r := mustRule(t, "address", 5, 5*time.Second)
	for allowed(t, m, r, "ada") {
	}
	c.pass(t, -24*time.Hour)
	if allowed(t, m, r, "ada") {
		t.Error("setting the clock back gave the quota back")
	}
	c.pass(t, time.Second)
	if !allowed(t, m, r, "ada") {
		t.Error("locked out by a clock that was set back")
	}
}

// However many names come, memory is bounded, and who has used most is not
// forgotten for those who come once.
func TestMemoryIsBounded(t *testing.T) {
	const keys = 1024
	c := newClock()
	m := limit.NewMemory(limit.MemoryOptions{Now: c.now, Keys: keys})
	r := mustRule(t, "address", 10, time.Hour)
	for allowed(t, m, r, "ada") {
	}
	for i := range 50 * keys {
		allowed(t, m, r, fmt.Sprintf("2001:db8:%x::/64", i))
	}
	if n := m.Len(); n > keys {
		t.Errorf("%d callers are remembered, want at most %d", n, keys)
	}
	if allowed(t, m, r, "ada") {
		t.Error("a crowd of strangers gave a used up quota back")
	}
	c.pass(t, 2*time.Hour)
	for i := range 50 * keys {
		allowed(t, m, r, fmt.Sprintf("198.51.%d", i))
	}
	if n := m.Len(); n > keys {
		t.Errorf("%d callers are remembered, want at most %d", n, keys)
	}
}

func BenchmarkMemory(b *testing.B) {
	r := mustRule(b, "address", 1_000_000, time.Second)
	m := memory()
	who := make([]string, 1<<12)
	for i := range who {
		who[i] = fmt.Sprintf("203.0.%d.%d", i>>8, i&255)
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		asks := make([]limit.Ask, 1)
		for i := 0; b.Loop(); i++ {
			asks[0] = limit.Ask{Rule: r, Who: who[i&(len(who)-1)]}
			m.Take(b.Context(), asks)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			asks := make([]limit.Ask, 1)
			for i := 0; pb.Next(); i++ {
				asks[0] = limit.Ask{Rule: r, Who: who[i&(len(who)-1)]}
				m.Take(b.Context(), asks)
			}
		})
	})
	b.Run("crowd", func(b *testing.B) { // everyone comes once, and somebody is forgotten each time
		small := limit.NewMemory(limit.MemoryOptions{Now: time.Now, Keys: 1 << 12})
		day := mustRule(b, "day", 10, 24*time.Hour)
		names := make([]string, 1<<16)
		for i := range names {
			names[i] = itoa(i)
		}
		asks := make([]limit.Ask, 1)
		for i := 0; b.Loop(); i++ {
			asks[0] = limit.Ask{Rule: day, Who: names[i&(len(names)-1)]}
			small.Take(b.Context(), asks)
		}
	})
}
