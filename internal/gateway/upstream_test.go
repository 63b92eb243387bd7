package gateway_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/gateway"
)

const soon = 20 * time.Millisecond

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 15 seconds: %s", what)
		}
	}
}

// shop is a replica that can be told to be unready, to break connections, and to
// count.
type shop struct {
	*httptest.Server
	asked, checked  atomic.Int64
	unready, broken atomic.Bool
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := new(shop)
	s.Server = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			s.checked.Add(1)
			if s.unready.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		s.asked.Add(1)
		if s.broken.Load() {
			panic(http.ErrAbortHandler)
		}
	})
	return s
}

// Requests go to replicas that are ready, while there is one.
func TestUnreadyReplica(t *testing.T) {
	a, b := newShop(t), newShop(t)
	f := newFront(t, gateway.UpstreamOptions{Every: soon}, gateway.ProxyOptions{}, a.URL, b.URL)
	f.watch(t)
	ask := func(n int) (ofA, ofB int64) {
		beforeA, beforeB := a.asked.Load(), b.asked.Load()
		for range n {
			f.want(t, 200, "POST", "/", "")
		}
		return a.asked.Load() - beforeA, b.asked.Load() - beforeB
	}
	if ofA, ofB := ask(10); ofA != 5 || ofB != 5 {
		t.Errorf("two ready replicas were asked %d and %d times", ofA, ofB)
	}
	a.unready.Store(true)
	eventually(t, "the unready replica is left out", func() bool { ofA, _ := ask(4); return ofA == 0 })
	b.unready.Store(true)
	eventually(t, "the upstream is not ready", func() bool { return f.upstream.Ready(t.Context()) != nil })
	ask(4) // what answers is asked all the same: it knows best
	a.unready.Store(false)
	eventually(t, "the ready replica is asked alone", func() bool { _, ofB := ask(4); return ofB == 0 })
	if err := f.upstream.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// After some failures in a row a replica is left alone, until a health check has
// found it well.
func TestBreaker(t *testing.T) {
	s := newShop(t)
	f := newFront(t, gateway.UpstreamOptions{Every: soon}, gateway.ProxyOptions{}, s.URL)
	s.broken.Store(true)
	for range 20 {
		f.want(t, 503, "POST", "/", "")
	}
	if s.asked.Load() != 5 {
		t.Errorf("a replica that fails was asked %d times", s.asked.Load())
	}
	s.broken.Store(false)
	f.want(t, 503, "GET", "/", "")
	f.watch(t)
	eventually(t, "the replica is asked again", func() bool {
		resp, _, err := f.call(t, "GET", "/", "")
		return err == nil && resp.StatusCode == http.StatusOK
	})
}

// A replica that died is not asked, and is found again when it is back.
func TestReplicaReturns(t *testing.T) {
	s := newShop(t)
	f := newFront(t, gateway.UpstreamOptions{Every: soon}, gateway.ProxyOptions{}, s.URL)
	f.watch(t)
	f.want(t, 200, "GET", "/", "")
	address := s.Listener.Addr().String()
	s.CloseClientConnections()
	s.Close()
	eventually(t, "the upstream is down", func() bool { return f.upstream.Ready(t.Context()) != nil })
	f.want(t, 503, "GET", "/", "")
	back := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = back.Listener.Close()
	back.Listener = l
	back.Start()
	defer back.Close()
	eventually(t, "the replica is asked again", func() bool {
		resp, _, err := f.call(t, "POST", "/", "x")
		return err == nil && resp.StatusCode == http.StatusOK
	})
}

// With replicas dying under load, whatever may be repeated is answered, and what
// may not is never done twice.
func TestReplicasDie(t *testing.T) {
	var mu sync.Mutex
	done := map[string]int{}
	h := func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get("X-Id"); id != "" {
			mu.Lock()
			done[id]++
			mu.Unlock()
		}
		_, _ = io.Copy(w, r.Body)
	}
	var replicas []*httptest.Server
	var addresses []string
	for range 3 {
		s := httptest.NewServer(http.HandlerFunc(h))
		replicas, addresses = append(replicas, s), append(addresses, s.URL)
	}
	f := newFront(t, gateway.UpstreamOptions{Every: soon}, gateway.ProxyOptions{}, addresses...)
	f.watch(t)
	f.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 16
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	var asked, failed atomic.Int64
	for c := range 8 {
		callers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := "c" + string(rune('a'+c)) + "-" + time.Duration(i).String()
				resp, _, err := f.call(t, "POST", "/", "abc", "X-Id", id)
				switch {
				case ctx.Err() != nil:
				case err != nil:
					t.Errorf("%v", err)
				case resp.StatusCode != http.StatusOK:
					failed.Add(1)
				}
				resp, _, err = f.call(t, "GET", "/", "")
				if ctx.Err() == nil && (err != nil || resp.StatusCode != http.StatusOK) {
					t.Errorf("a GET failed: %v %v", resp, err)
				}
				asked.Add(1)
			}
		})
	}
	for i := range 2 {
		time.Sleep(300 * time.Millisecond)
		_ = replicas[i].Listener.Close()
		replicas[i].CloseClientConnections()
	}
	time.Sleep(300 * time.Millisecond)
	stop()
	callers.Wait()
	for _, s := range replicas {
		s.CloseClientConnections()
		s.Close()
	}
	for id, n := range done {
		if n > 1 {
			t.Errorf("%s was done %d times", id, n)
		}
	}
	t.Logf("%d rounds, of which %d POSTs were under way where a replica died", asked.Load(), failed.Load())
	if failed.Load() > 2*8 {
		t.Errorf("%d POSTs failed; at most those under way should", failed.Load())
	}
}

// This process's own questions reach a replica under the replica's name.
func TestClient(t *testing.T) {
	var host atomic.Value
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { host.Store(r.Host) })
	f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, nowhere(t), s.URL, nowhere(t))
	for range 6 {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://accounts/keys", http.NoBody)
		resp, err := f.upstream.Client(5 * time.Second).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if host.Load() != s.Listener.Addr().String() {
			t.Errorf("asked for %v", host.Load())
		}
	}
}
