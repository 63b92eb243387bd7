package edge_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/edge"
	"emporium/internal/platform/limit"
)

var quiet = slog.New(slog.DiscardHandler)

func mustRule(t testing.TB, quota int64) limit.Rule {
	t.Helper()
	r, err := limit.NewRule("address", quota, time.Duration(quota)*100*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func open(t testing.TB, secret string, quota int64) *edge.Edge {
	t.Helper()
	return edge.New(edge.Options{
		Secret: []byte(secret), Counts: limit.NewMemory(limit.MemoryOptions{Now: time.Now}), Rule: mustRule(t, quota), Now: time.Now, Log: quiet,
	})
}

var fine = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })

func from(address, path string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(address), 4711).String()
	return r
}

func do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAddressesAreLimited(t *testing.T) {
	h := httpapi.Front(open(t, "", 3).Limit(fine), httpapi.FrontOptions{Now: time.Now, Log: quiet})
	for i, address := range []string{"192.0.2.1", "2001:db8::1", "2001:db8:0:1::1"} {
		for n := range 3 {
			if w := do(h, from(address, "/things")); w.Code != 204 || w.Header().Get("RateLimit-Policy") != `"address";q=3;w=300` {
				t.Fatalf("address %d, request %d: %d %v", i, n, w.Code, w.Header())
			}
		}
	}
	w := do(h, from("192.0.2.1", "/things"))
	if w.Code != 429 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Header().Get("RateLimit"), `"address";r=0;t=`) ||
		!strings.Contains(w.Body.String(), "from your address") || w.Header().Get("X-Request-Id") == "" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := do(h, from("2001:db8::abcd:1", "/things")); w.Code != 429 {
		t.Errorf("another address of a used up network: %d", w.Code)
	}
	for _, path := range []string{"/healthz", "/readyz", "/health"} {
		for range 10 {
			if w := do(h, from("192.0.2.1", path)); w.Code != 204 {
				t.Fatalf("%s: %d", path, w.Code)
			}
		}
	}
	if w := do(h, from("192.0.2.1", "/healthz/../things")); w.Code != 429 {
		t.Errorf("a path that only looks like it: %d", w.Code)
	}
}

// A process vouches for what it hands on: that is counted where it came in, and
// nowhere else. Nobody else can say so.
func TestVouchers(t *testing.T) {
	var clock atomic.Int64
	clock.Store(time.Now().Unix())
	now := func() time.Time { return time.Unix(clock.Load(), 0) }
	service := edge.New(edge.Options{
		Secret: []byte("the secret of the deployment"), Counts: limit.NewMemory(limit.MemoryOptions{Now: time.Now}), Rule: mustRule(t, 1), AtOnce: 1, Now: now, Log: quiet,
	})
	h := service.Limit(fine)
	gateway, stranger, none := open(t, "the secret of the deployment", 1), open(t, "another secret altogether", 1), open(t, "", 1)
	client := netip.MustParseAddr("203.0.113.9")
	handed := func(by *edge.Edge, change func(string) string) *http.Request {
		r := from("192.0.2.1", "/things")
		r.Header.Set("Emporium-From", "forged")
		by.Vouch(r.Header, client)
		if change != nil {
			r.Header["Emporium-From"] = []string{change(r.Header.Get("Emporium-From"))}
		}
		return r
	}
	for range 5 {
		r := handed(gateway, nil)
		if w := do(h, r); w.Code != 204 || w.Header().Get("RateLimit") != "" {
			t.Fatalf("vouched for: %d %v", w.Code, w.Header())
		}
		if who := service.Client(r); who != client {
			t.Fatalf("it is said to come from %s", who)
		}
	}
	self := from("192.0.2.1", "/things")
	gateway.Vouch(self.Header, netip.Addr{})
	if w := do(h, self); w.Code != 204 || w.Header().Get("RateLimit") != "" {
		t.Errorf("a process that asks for itself: %d %v", w.Code, w.Header())
	}
	if who := service.Client(self); who != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("it is said to come from %s", who)
	}
	forged := map[string]*http.Request{
		"another secret":  handed(stranger, nil),
		"another address": handed(gateway, func(s string) string { return strings.Replace(s, "203.0.113.9", "203.0.113.8", 1) }),
		"no proof":        handed(gateway, func(s string) string { return s[:strings.LastIndexByte(s, ' ')+1] }),
		"nothing":         handed(gateway, func(string) string { return "" }),
		"two":             handed(gateway, nil),
	}
	forged["two"].Header.Add("Emporium-From", "more")
	if r := handed(none, nil); r.Header.Get("Emporium-From") != "" {
		t.Error("without a secret, what the caller said goes on")
	}
	if w := do(h, from("192.0.2.1", "/things")); w.Code != 204 { // the one that its address has
		t.Fatalf("%d", w.Code)
	}
	for name, r := range forged {
		if w := do(h, r); w.Code != 429 {
			t.Errorf("%s is not counted: %d %v", name, w.Code, w.Header())
		}
		if who := service.Client(r); who != netip.MustParseAddr("192.0.2.1") {
			t.Errorf("%s: it is said to come from %s", name, who)
		}
	}
	old := handed(gateway, nil)
	clock.Add(600)
	if w := do(h, old); w.Code != 429 {
		t.Errorf("of ten minutes ago: %d", w.Code)
	}
}

func TestRequestsOfAnAddressAtOnce(t *testing.T) {
	entered, goOn := make(chan struct{}), make(chan struct{})
	e := edge.New(edge.Options{Counts: nil, AtOnce: 2, Now: time.Now, Log: quiet})
	h := e.Limit(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-goOn
		w.WriteHeader(http.StatusNoContent)
	}))
	done := make(chan int)
	send := func(address string) { go func() { done <- do(h, from(address, "/things")).Code }() }
	for _, address := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.2"} {
		send(address)
		<-entered
	}
	if w := do(h, from("192.0.2.1", "/things")); w.Code != 429 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "too_many_at_once") {
		t.Errorf("a third: %d %v %s", w.Code, w.Header(), w.Body)
	}
	goOn <- struct{}{}
	goOn <- struct{}{}
	goOn <- struct{}{}
	for range 3 {
		if code := <-done; code != 204 {
			t.Error(code)
		}
	}
	send("192.0.2.1")
	<-entered
	goOn <- struct{}{}
	if code := <-done; code != 204 {
		t.Errorf("when the others have ended: %d", code)
	}
}

func BenchmarkLimit(b *testing.B) {
	r, err := limit.NewRule("address", 1_000_000, time.Second)
	if err != nil {
		b.Fatal(err)
	}
	e := edge.New(edge.Options{Counts: limit.NewMemory(limit.MemoryOptions{Now: time.Now}), Rule: r, AtOnce: 100, Now: time.Now, Log: quiet})
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	req := from("203.0.113.9", "/things")
	for name, h := range map[string]http.Handler{"without": nothing, "with": e.Limit(nothing)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(header{}, req)
			}
		})
	}
	b.Run("voucher", func(b *testing.B) {
		e := open(b, "the secret of the deployment", 1)
		h := http.Header{}
		for b.Loop() {
			e.Vouch(h, netip.MustParseAddr("203.0.113.9"))
		}
	})
}

// header takes an answer of which only the head matters.
type header struct{}

func (header) Header() http.Header         { return http.Header{} }
func (header) Write(b []byte) (int, error) { return len(b), nil }
func (header) WriteHeader(int)             {}
