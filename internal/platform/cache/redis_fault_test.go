package cache_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"emporium/internal/platform/cache"
	"emporium/internal/platform/cache/cachetest"
)

var errDown = errors.New("the source is down")

// counter is a source that counts how often it is asked.
type counter struct {
	mu    sync.Mutex
	value int64
	err   error
	asked int64
}

func (c *counter) load(context.Context) (*int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if c.err != nil {
		return nil, c.err
	}
	return new(c.value), nil
}

func (c *counter) set(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value = n
}

func (c *counter) wants(tb testing.TB, shelf *cache.Shelf[int64], key string, want, asked int64) {
	tb.Helper()
	v, err := shelf.Get(tb.Context(), key, c.load)
	if err != nil {
		tb.Fatal(err)
	}
	if *v != want || c.asked != asked {
		tb.Fatalf("got %d after %d loads, want %d after %d", *v, c.asked, want, asked)
	}
}

var hour = cache.Life{Fresh: time.Hour, Stale: 24 * time.Hour, Unknown: 30 * time.Second, Timeout: 20 * time.Second}

func shelfIn(c cache.Cache) *cache.Shelf[int64] {
	return cache.NewShelf(c, hour, func(*int64) int { return 8 })
}

// two opens the cache as two processes do, on a server of the test's own.
func two(t *testing.T, o cache.RedisOptions) (s *cachetest.Server, here, there *cache.Redis, ok bool) {
	t.Helper()
	if s, ok = cachetest.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always"); !ok {
		return nil, nil, nil, false
	}
	o.URL = s.URL()
	return s, openRedis(t, o), openRedis(t, o), true
}

// TestRedisOneLoad asks for one key 400 times at once in two processes.
func TestRedisOneLoad(t *testing.T) {
	_, here, there, ok := two(t, cache.RedisOptions{})
	if !ok {
		return
	}
	for round := range 20 {
		var loads atomic.Int32
		var all sync.WaitGroup
		key := fmt.Sprint("k", round)
		for i := range 400 {
			shelf := shelfIn([]cache.Cache{here, there}[i%2])
			all.Go(func() {
				v, err := shelf.Get(t.Context(), key, func(context.Context) (*int64, error) {
					loads.Add(1)
					time.Sleep(time.Duration(round) * time.Millisecond)
					return new(int64(7)), nil
				})
				if err != nil || *v != 7 {
					t.Error(v, err)
				}
			})
		}
		all.Wait()
		if n := loads.Load(); n != 1 {
			t.Fatalf("%d loads of %s, want 1", n, key)
		}
	}
}

// TestRedisLongLoad has a load outlast its lease many times over, unless renewed.
func TestRedisLongLoad(t *testing.T) {
	_, here, there, ok := two(t, cache.RedisOptions{})
	if !ok {
		return
	}
	began := make(chan struct{})
	var other sync.WaitGroup
	other.Go(func() {
		<-began
		v, err := shelfIn(there).Get(t.Context(), "k", func(context.Context) (*int64, error) { return nil, errors.New("a second load") })
		if err != nil || *v != 1 {
			t.Error(v, err)
		}
	})
	_, err := shelfIn(here).Get(t.Context(), "k", func(context.Context) (*int64, error) {
		close(began)
		time.Sleep(4500 * time.Millisecond)
		return new(int64(1)), nil
	})
	if err != nil {
		t.Error(err)
	}
	other.Wait()
}

// TestRedisDropElsewhereDuringLoad drops in one process what another is loading.
func TestRedisDropElsewhereDuringLoad(t *testing.T) {
	_, here, there, ok := two(t, cache.RedisOptions{})
	if !ok {
		return
	}
	read, release, first := make(chan struct{}), make(chan struct{}), make(chan int64)
	go func() {
		v, err := shelfIn(there).Get(t.Context(), "k", func(context.Context) (*int64, error) {
			close(read)
			<-release
			return new(int64(1)), nil
		})
		if err != nil {
			t.Error(err)
			v = new(int64)
		}
		first <- *v
	}()
	<-read
	if err := here.Drop(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	s := &counter{value: 2}
	time.Sleep(100 * time.Millisecond)
	s.wants(t, shelfIn(there), "k", 2, 1) // not joined to the load that began before
	close(release)
	if n := <-first; n != 1 {
		t.Errorf("who asked before the drop got %d, want 1", n)
	}
	s.wants(t, shelfIn(there), "k", 2, 1)
	s.wants(t, shelfIn(here), "k", 2, 1)

	// The same when nobody asks before the load has ended.
	read, release = make(chan struct{}), make(chan struct{})
	go func() {
		_, _ = shelfIn(there).Get(t.Context(), "k2", func(context.Context) (*int64, error) {
			close(read)
			<-release
			return new(int64(1)), nil
		})
		first <- 0
	}()
	<-read
	if err := here.Drop(t.Context(), "k2"); err != nil {
		t.Fatal(err)
	}
	close(release)
	<-first
	s.wants(t, shelfIn(there), "k2", 2, 2)
	s.wants(t, shelfIn(here), "k2", 2, 2)
}

// TestRedisDropsAndLoads has writers in two processes raise a number and drop it,
// and readers in both that must never see less than what their own process
// dropped, or than what the other dropped 100 ms ago.
func TestRedisDropsAndLoads(t *testing.T) {
	_, here, there, ok := two(t, cache.RedisOptions{})
	if !ok {
		return
	}
	both := []*cache.Redis{here, there}
	var stored atomic.Int64
	var dropped [2]atomic.Int64
	load := func(context.Context) (*int64, error) {
		n := stored.Load()
		time.Sleep(200 * time.Microsecond)
		return &n, nil
	}
	done := make(chan struct{})
	var readers, writers sync.WaitGroup
	for i := range 6 {
		readers.Go(func() {
			for shelf := shelfIn(both[i%2]); ; {
				select {
				case <-done:
					return
				default:
				}
				least := dropped[i%2].Load()
				if v, err := shelf.Get(t.Context(), "k", load); err != nil || *v < least {
					t.Errorf("got %v, %v after a drop of %d", v, err, least)
					return
				}
			}
		})
	}
	for i, c := range both {
		writers.Go(func() {
			for range 1000 {
				n := stored.Add(1)
				if err := c.Drop(t.Context(), "k"); err != nil {
					t.Error(err)
				}
				for m := dropped[i].Load(); n > m && !dropped[i].CompareAndSwap(m, n); m = dropped[i].Load() {
				}
				time.Sleep(time.Duration(n%7) * 100 * time.Microsecond)
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	time.Sleep(100 * time.Millisecond)
	for _, c := range both {
		if v, err := shelfIn(c).Get(t.Context(), "k", load); err != nil || *v != stored.Load() {
			t.Errorf("in the end: %v, %v; want %d", v, err, stored.Load())
		}
	}
}

// TestRedisDropElsewhereDuringFetch drops in one process what the other is just
// fetching or loading: nobody may keep it.
func TestRedisDropElsewhereDuringFetch(t *testing.T) {
	_, here, there, ok := two(t, cache.RedisOptions{})
	if !ok {
		return
	}
	const keys = 1000
	var source [2][keys]atomic.Int64 // what is stored: a second key of each kind is loaded, not fetched
	load := func(kind, i int) func(context.Context) (*int64, error) {
		return func(context.Context) (*int64, error) { return new(source[kind][i].Load()), nil }
	}
	name := func(kind, i int) string { return fmt.Sprint(kind, "/", i) }
	for round := range int64(5) {
		for i := range keys {
			if _, err := shelfIn(here).Get(t.Context(), name(0, i), load(0, i)); err != nil {
				t.Fatal(err)
			}
		}
		var all sync.WaitGroup
		turns := make(chan int)
		for range 16 {
			all.Go(func() {
				for i := range turns {
					var both sync.WaitGroup
					both.Go(func() {
						for kind := range 2 {
							if _, err := shelfIn(there).Get(t.Context(), name(kind, i), load(kind, i)); err != nil {
								t.Error(err)
							}
						}
					})
					for kind := range 2 {
						source[kind][i].Store(round + 1)
						if err := here.Drop(t.Context(), name(kind, i)); err != nil {
							t.Error(err)
						}
					}
					both.Wait()
				}
			})
		}
		for i := range keys {
			turns <- i
		}
		close(turns)
		all.Wait()
		time.Sleep(100 * time.Millisecond)
		for i := range keys {
			for kind := range 2 {
				for _, c := range []*cache.Redis{here, there} {
					if v, err := shelfIn(c).Get(t.Context(), name(kind, i), load(kind, i)); err != nil || *v != round+1 {
						t.Fatalf("%s: got %v, %v; want %d", name(kind, i), *v, err, round+1)
					}
				}
			}
		}
	}
}

// TestRedisKilledUnderLoad kills and starts Redis again and again while many
// ask: none sees an error or waits for long.
func TestRedisKilledUnderLoad(t *testing.T) {
	s, here, there, ok := two(t, cache.RedisOptions{Wait: 500 * time.Millisecond})
	if !ok {
		return
	}
	done := make(chan struct{})
	var asked atomic.Int64
	var longest atomic.Int64
	var all sync.WaitGroup
	for i := range 32 {
		shelf := shelfIn([]cache.Cache{here, there}[i%2])
		all.Go(func() {
			for n := i; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				began := time.Now()
				key := fmt.Sprint("k", n%500)
				v, err := shelf.Get(t.Context(), key, func(context.Context) (*int64, error) { return new(int64(n % 500)), nil })
				if err != nil || *v != int64(n%500) {
					t.Errorf("%s: got %v, %v", key, v, err)
					return
				}
				if n%50 == 0 {
					if err := here.Drop(t.Context(), key); err != nil {
						t.Error(err)
						return
					}
				}
				longest.Store(max(longest.Load(), int64(time.Since(began))))
				asked.Add(1)
			}
		})
	}
	for range 4 {
		time.Sleep(300 * time.Millisecond)
		s.Kill()
		time.Sleep(300 * time.Millisecond)
		s.Start()
		back(t, here)
		back(t, there)
	}
	close(done)
	all.Wait()
	t.Logf("%d asked, the longest took %s", asked.Load(), time.Duration(longest.Load()))
	if time.Duration(longest.Load()) > 5*time.Second {
		t.Errorf("somebody waited for %s", time.Duration(longest.Load()))
	}
}

// TestRedisDropWhileAway drops while this process alone cannot reach Redis.
func TestRedisDropWhileAway(t *testing.T) {
	for what, keys := range map[string]int{"few": 3, "many": 10_500} {
		t.Run(what, func(t *testing.T) {
			s, ok := cachetest.StartRedis(t)
			if !ok {
				return
			}
			way := newLine(t, s.Address())
			here, there := openRedis(t, cache.RedisOptions{URL: "redis://" + way.address()}), openRedis(t, cache.RedisOptions{URL: s.URL()})
			src := &counter{value: 1}
			src.wants(t, shelfIn(here), "k", 1, 1)
			src.wants(t, shelfIn(there), "k", 1, 1)
			way.cut()
			gone(t, here)
			src.set(2)
			dropped := []string{"k"}
			for i := range keys {
				dropped = append(dropped, fmt.Sprint("other", i))
			}
			if err := here.Drop(t.Context(), dropped...); err != nil {
				t.Fatal(err)
			}
			src.wants(t, shelfIn(here), "k", 2, 2)  // as if dropped
			src.wants(t, shelfIn(there), "k", 1, 2) // it cannot know
			way.heal()
			back(t, here)
			eventually(t, time.Second, "the other process has what was dropped while Redis could not be reached", func() bool {
				v, err := shelfIn(there).Get(t.Context(), "k", src.load)
				return err == nil && *v == 2
			})
			back(t, there)
			if _, err := shelfIn(here).Get(t.Context(), "k", src.load); err != nil {
				t.Error(err)
			}
			asked := src.asked
			src.wants(t, shelfIn(there), "k", 2, asked)
			src.wants(t, shelfIn(here), "k", 2, asked)
		})
	}
}

// TestRedisStartedAnew has Redis forget a drop: it was killed, and comes back
// with what it had written to its disk before.
func TestRedisStartedAnew(t *testing.T) {
	s, ok := cachetest.StartRedis(t)
	if !ok {
		return
	}
	here, there := openRedis(t, cache.RedisOptions{URL: s.URL()}), openRedis(t, cache.RedisOptions{URL: s.URL()})
	src := &counter{value: 1}
	src.wants(t, shelfIn(here), "k", 1, 1)
	tell(t, s, "SAVE")
	src.set(2)
	if err := here.Drop(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	src.wants(t, shelfIn(here), "k", 2, 2)
	for range 2 {
		s.Kill()
		gone(t, here)
		gone(t, there)
		s.Start()
		back(t, there)
		back(t, here)
		for _, c := range []*cache.Redis{there, here} {
			if v, err := shelfIn(c).Get(t.Context(), "k", src.load); err != nil || *v != 2 {
				t.Errorf("got %v, %v: what was dropped has come back", v, err)
			}
		}
	}
}

// tell gives the server a command.
func tell(t *testing.T, s *cachetest.Server, command string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer := make([]byte, 3)
	if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "+OK" {
		t.Fatalf("%s: %q, %v", command, answer, err)
	}
}

// TestRedisComesLater opens the cache before there is a Redis.
func TestRedisComesLater(t *testing.T) {
	s, ok := cachetest.StartRedis(t)
	if !ok {
		return
	}
	s.Kill()
	r := openRedis(t, cache.RedisOptions{URL: s.URL()})
	src := &counter{value: 1}
	src.wants(t, shelfIn(r), "k", 1, 1)
	src.wants(t, shelfIn(r), "k", 1, 2)
	s.Start()
	back(t, r)
	src.wants(t, shelfIn(r), "k", 1, 3)
	src.wants(t, shelfIn(r), "k", 1, 3)
}

// TestRedisPaused stops Redis without breaking the connections.
func TestRedisPaused(t *testing.T) {
	s, here, there, ok := two(t, cache.RedisOptions{Wait: 400 * time.Millisecond})
	if !ok {
		return
	}
	src := &counter{value: 1}
	src.wants(t, shelfIn(here), "k", 1, 1)
	src.wants(t, shelfIn(there), "k", 1, 1)
	s.Signal(syscall.SIGSTOP)
	began := time.Now()
	src.wants(t, shelfIn(here), "unknown here", 1, 2)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a value was there after %s", took)
	}
	src.set(2)
	if err := here.Drop(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if v, err := shelfIn(here).Get(t.Context(), "k", src.load); err != nil || *v != 2 {
		t.Errorf("got %v, %v after the drop", v, err)
	}
	gone(t, there)
	if v, err := shelfIn(there).Get(t.Context(), "k", src.load); err != nil || *v != 2 {
		t.Errorf("got %v, %v in the other process, which cannot know", v, err)
	}
	s.Signal(syscall.SIGCONT)
	back(t, here)
	back(t, there)
	eventually(t, time.Second, "the other process has what was dropped while Redis was paused", func() bool {
		v, err := shelfIn(there).Get(t.Context(), "k", src.load)
		return err == nil && *v == 2
	})
}

// TestRedisVanishedProcess has a process die with a drop that it could not make.
func TestRedisVanishedProcess(t *testing.T) {
	s, ok := cachetest.StartRedis(t)
	if !ok {
		return
	}
	line := newLine(t, s.Address())
	dies := openRedis(t, cache.RedisOptions{URL: "redis://" + line.address(), Vanished: time.Second, Wait: time.Second})
	stays := openRedis(t, cache.RedisOptions{URL: s.URL(), Vanished: time.Second})
	src := &counter{value: 1}
	src.wants(t, shelfIn(stays), "k", 1, 1)
	src.wants(t, shelfIn(dies), "k", 1, 1)
	line.cut()
	gone(t, dies)
	src.set(2)
	if err := dies.Drop(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if err := dies.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "nobody has made up for the drop", func() bool {
		v, err := shelfIn(stays).Get(t.Context(), "k", src.load)
		return err == nil && *v == 2
	})

	// One that ends well takes nothing with it.
	back(t, stays)
	if _, err := shelfIn(stays).Get(t.Context(), "k", src.load); err != nil {
		t.Fatal(err)
	}
	leaves := openRedis(t, cache.RedisOptions{URL: s.URL(), Vanished: time.Second})
	asked := src.asked
	src.wants(t, shelfIn(leaves), "k", 2, asked)
	_ = leaves.Close()
	time.Sleep(3 * time.Second)
	src.wants(t, shelfIn(stays), "k", 2, asked)
}

// TestRedisEmptied empties the database behind the cache's back.
func TestRedisEmptied(t *testing.T) {
	s, here, there, ok := two(t, cache.RedisOptions{})
	if !ok {
		return
	}
	src := &counter{value: 1}
	src.wants(t, shelfIn(here), "k", 1, 1)
	src.wants(t, shelfIn(there), "k", 1, 1)
	src.set(2)
	tell(t, s, "FLUSHALL")
	for _, c := range []*cache.Redis{here, there} {
		eventually(t, 5*time.Second, "it has what the database has not", func() bool {
			v, err := shelfIn(c).Get(t.Context(), "k", src.load)
			return err == nil && *v == 2
		})
	}
}

// line is a connection to a server that the test can cut.
type line struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
	off   bool
}

func (l *line) address() string { return l.Addr().String() }

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.off = true
	for _, c := range l.conns {
		_ = c.Close()
	}
}

func (l *line) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.off = false
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return forward(t, l, to)
}

func proxyTLS(t *testing.T, config *tls.Config, to string) (address string) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	return forward(t, l, to).address()
}

func forward(t *testing.T, from net.Listener, to string) *line {
	t.Helper()
	l := &line{Listener: from}
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); l.cut(); all.Wait() })
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			l.mu.Lock()
			l.conns = append(l.conns, in, out)
			if l.off {
				_, _ = in.Close(), out.Close()
			}
			l.mu.Unlock()
			for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
				all.Go(func() {
					_, _ = io.Copy(way[0], way[1])
					_, _ = way[0].Close(), way[1].Close()
				})
			}
		}
	})
	return l
}
