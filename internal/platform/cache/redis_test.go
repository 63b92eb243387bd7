package cache_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/platform/cache"
	"emporium/internal/platform/cache/cachetest"
	"emporium/internal/platform/testenv"
)

// openRedis opens a cache on the server; a wait is added that a busy machine keeps.
func openRedis(tb testing.TB, o cache.RedisOptions) *cache.Redis {
	tb.Helper()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Prefix == "" {
		o.Prefix = "test:"
	}
	if o.Wait == 0 {
		o.Wait = 3 * time.Second
	}
	r, err := cache.OpenRedis(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = r.Close() })
	return r
}

// eventually waits until something holds.
func eventually(tb testing.TB, within time.Duration, what string, holds func() bool) {
	tb.Helper()
	for began := time.Now(); !holds(); time.Sleep(time.Millisecond) {
		if time.Since(began) > within {
			tb.Fatalf("after %s: %s", within, what)
		}
	}
}

func back(tb testing.TB, r *cache.Redis) {
	tb.Helper()
	eventually(tb, 10*time.Second, "the cache has not found Redis", func() bool { return r.Ready(tb.Context()) == nil })
}

func gone(tb testing.TB, r *cache.Redis) {
	tb.Helper()
	eventually(tb, 10*time.Second, "the cache has not found that Redis is away", func() bool { return r.Ready(tb.Context()) != nil })
}

func TestRedis(t *testing.T) {
	url, ok := testenv.Require(t, "redis")
	if !ok {
		return
	}
	var prefixes sync.Map
	cachetest.Run(t, cachetest.Engine{
		Open: func(tb testing.TB, now func() time.Time) cache.Cache {
			tb.Helper()
			p := cachetest.Prefix(tb, url)
			r := openRedis(tb, cache.RedisOptions{URL: url, Prefix: p, Now: now})
			prefixes.Store(r, p)
			return r
		},
		Join: func(tb testing.TB, c cache.Cache, now func() time.Time) cache.Cache {
			tb.Helper()
			p, _ := prefixes.Load(c)
			return openRedis(tb, cache.RedisOptions{URL: url, Prefix: p.(string), Now: now})
		},
	})
}

// TestRedisAway holds the cache to the same promises when there is no Redis.
func TestRedisAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it takes connections and never answers
	r := openRedis(t, cache.RedisOptions{URL: "redis://" + l.Addr().String(), Wait: 50 * time.Millisecond, AtOnce: 3})
	if r.Ready(t.Context()) == nil {
		t.Error("it is ready without Redis")
	}
	shelf := cache.NewShelf(r, cache.Life{Fresh: time.Hour, Stale: time.Hour}, func(*int64) int { return 8 })
	var now, most atomic.Int32
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			_, err := shelf.Get(t.Context(), fmt.Sprint("k", i%20), func(context.Context) (*int64, error) {
				n := now.Add(1)
				defer now.Add(-1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(5 * time.Millisecond)
				return new(int64), nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := most.Load(); n != 3 {
		t.Errorf("%d loads at once, want 3", n)
	}
	if err := r.Drop(t.Context(), "k1"); err != nil {
		t.Error(err)
	}
	s := &counter{value: 1}
	for want := range int64(3) {
		s.wants(t, shelf, "fresh", 1, want+1) // loaded each time: nobody would tell of a drop elsewhere
	}
	s.err = errDown
	s.wants(t, shelf, "fresh", 1, 4) // and kept only for this
	if err := r.Drop(t.Context(), "fresh"); err != nil {
		t.Error(err)
	}
	if v, err := shelf.Get(t.Context(), "fresh", s.load); err == nil {
		t.Errorf("got %d, dropped", *v)
	}
}

func TestRedisRefusesWhatCannotWork(t *testing.T) {
	for what, o := range map[string]cache.RedisOptions{
		"no clock":  {URL: "redis://127.0.0.1", Prefix: "p:"},
		"no prefix": {URL: "redis://127.0.0.1", Now: time.Now},
		"no URL":    {Prefix: "p:", Now: time.Now},
		"http":      {URL: "http://:secret@127.0.0.1", Prefix: "p:", Now: time.Now},
		"not a URL": {URL: "redis://:secret@127.0.0.1:x%", Prefix: "p:", Now: time.Now},
		"database":  {URL: "redis://:secret@127.0.0.1/one", Prefix: "p:", Now: time.Now},
		"RESP2":     {URL: "redis://:secret@127.0.0.1?protocol=2", Prefix: "p:", Now: time.Now},
		"sentinel":  {URL: "redis://:secret@127.0.0.1?master_set=x", Prefix: "p:", Now: time.Now},
		"several":   {URL: "redis://:secret@127.0.0.1?addr=127.0.0.2", Prefix: "p:", Now: time.Now},
	} {
		r, err := cache.OpenRedis(t.Context(), o)
		if err == nil {
			t.Errorf("%s: no error", what)
			_ = r.Close()
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the password: %v", what, err)
		}
	}
	t.Run("older than 6", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					b := make([]byte, 4096)
					for {
						n, err := conn.Read(b)
						if err != nil {
							return
						}
						for range strings.Count(string(b[:n]), "*") {
							_, _ = io.WriteString(conn, "-ERR unknown command `HELLO`, with args beginning with: `3`\r\n")
						}
					}
				}()
			}
		}()
		_, err = cache.OpenRedis(t.Context(), cache.RedisOptions{URL: "redis://" + l.Addr().String(), Prefix: "p:", Now: time.Now})
		if err == nil || !strings.Contains(err.Error(), "Redis 6") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("password", func(t *testing.T) {
		s, ok := cachetest.StartRedis(t, "--requirepass", "open sesame")
		if !ok {
			return
		}
		for _, wrong := range []string{"", ":secret@"} {
			_, err := cache.OpenRedis(t.Context(), cache.RedisOptions{URL: "redis://" + wrong + s.Address(), Prefix: "p:", Now: time.Now})
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: got %v", wrong, err)
			}
		}
		r := openRedis(t, cache.RedisOptions{URL: "redis://:open%20sesame@" + s.Address()})
		if err := r.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestRedisLimitedUser gives the cache no more rights than
// docs/howto/recent-purchases.md says that it needs.
func TestRedisLimitedUser(t *testing.T) {
	rights := "~limited:* +get +getrange +set +del +eval +pexpire +zadd +zrem +zremrangebyscore +time +info +ping +hello +client"
	s, ok := cachetest.StartRedis(t, append([]string{"--user", "emporium", "on", ">secret"}, strings.Fields(rights)...)...)
	if !ok {
		return
	}
	o := cache.RedisOptions{URL: "redis://emporium:secret@" + s.Address(), Prefix: "limited:", Vanished: 1500 * time.Millisecond}
	here, there := openRedis(t, o), openRedis(t, o)
	src := &counter{value: 1}
	src.wants(t, shelfIn(here), "k", 1, 1)
	src.wants(t, shelfIn(there), "k", 1, 1)
	src.set(2)
	if err := here.Drop(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	src.wants(t, shelfIn(here), "k", 2, 2)
	time.Sleep(2 * time.Second) // heartbeats
	src.wants(t, shelfIn(here), "k", 2, 2)
	src.wants(t, shelfIn(there), "k", 2, 2)
	for _, c := range []*cache.Redis{here, there} {
		if err := c.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestRedisTLS reaches Redis through TLS; nobody knows the certificate, so it is
// first refused, and then taken unseen as the address asks for.
func TestRedisTLS(t *testing.T) {
	s, ok := cachetest.StartRedis(t)
	if !ok {
		return
	}
	front := httptest.NewUnstartedServer(nil)
	front.StartTLS()
	config := front.TLS.Clone()
	config.NextProtos = nil
	front.Close()
	l := proxyTLS(t, config, s.Address())
	strict := openRedis(t, cache.RedisOptions{URL: "rediss://" + l})
	if strict.Ready(t.Context()) == nil {
		t.Error("it takes any certificate")
	}
	r := openRedis(t, cache.RedisOptions{URL: "rediss://" + l + "?skip_verify=true"})
	if err := r.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func BenchmarkRedisHit(b *testing.B) {
	s, ok := cachetest.StartRedis(b)
	if !ok {
		return
	}
	r := openRedis(b, cache.RedisOptions{URL: s.URL()})
	shelf := shelfIn(r)
	load := func(context.Context) (*int64, error) { return new(int64(1)), nil }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := shelf.Get(b.Context(), "k", load); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRedisMiss fetches what another process has stored, decodes it and
// keeps it, or loads and stores it.
func BenchmarkRedisMiss(b *testing.B) {
	s, ok := cachetest.StartRedis(b)
	if !ok {
		return
	}
	o := cache.RedisOptions{URL: s.URL()}
	load := func(context.Context) (*int64, error) { return new(int64(1)), nil }
	key := func(i int) string { return fmt.Sprint("k", i) }
	get := func(b *testing.B, r *cache.Redis, keys int) {
		b.Helper()
		shelf := shelfIn(r)
		for i := range keys {
			if _, err := shelf.Get(b.Context(), key(i), load); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("load", func(b *testing.B) { get(b, openRedis(b, o), b.N) })
	b.Run("fetch", func(b *testing.B) {
		get(b, openRedis(b, o), b.N)
		r := openRedis(b, o)
		b.ResetTimer()
		get(b, r, b.N)
	})
}
