package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/gateway"
	"emporium/internal/platform/httpapi"
)

var quiet = slog.New(slog.DiscardHandler)

// front is a gateway to one service, over TCP, as the program makes it.
type front struct {
	*httptest.Server
	upstream *gateway.Upstream
}

func newFront(t *testing.T, o gateway.UpstreamOptions, p gateway.ProxyOptions, replicas ...string) *front {
	t.Helper()
	o.Name, p.Log = "inventory", quiet
	for _, replica := range replicas {
		u, err := url.Parse(replica)
		if err != nil {
			t.Fatal(err)
		}
		o.Addresses = append(o.Addresses, u)
	}
	f := &front{upstream: gateway.NewUpstream(o)}
	f.Server = httptest.NewServer(httpapi.Front(gateway.Proxy(f.upstream, p), httpapi.FrontOptions{Now: time.Now, Log: quiet}))
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
		_ = f.upstream.Close()
	})
	return f
}

// watch runs the health checks while the test runs.
func (f *front) watch(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = f.upstream.Run(ctx) })
	t.Cleanup(func() { stop(); done.Wait() })
}

// call makes one request and gives its answer, read to the end.
func (f *front) call(t *testing.T, method, path, body string, header ...string) (*http.Response, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, f.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := f.Client().Do(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}

func (f *front) want(t *testing.T, status int, method, path, body string, header ...string) string {
	t.Helper()
	resp, text, err := f.call(t, method, path, body, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if resp.StatusCode != status {
		t.Fatalf("%s %s: %d %s, want %d", method, path, resp.StatusCode, text, status)
	}
	return text
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// speak answers connections by hand: it gets each request whole, and what it
// writes is what goes out. Then the connection is reset.
func speak(t *testing.T, answer func(r *http.Request, conn net.Conn)) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				answer(r, conn)
				_ = conn.(*net.TCPConn).SetLinger(0)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// nowhere is an address that refuses connections.
func nowhere(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// What the service is asked is what the gateway was asked, and what it answers is
// what the gateway answers.
func TestPassedOnAsItIs(t *testing.T) {
	var got *http.Request
	var sent string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ := io.ReadAll(r.Body)
		sent = string(body)
		h := w.Header()
		h["Content-Type"], h["Date"] = nil, []string{"Tue, 01 Jan 2030 00:00:00 GMT"}
		h["X-Twice"] = []string{"1", "2"}
		h["Server"] = []string{"theirs"}
		h["X-Request-Id"] = r.Header["X-Request-Id"]
		h["Connection"] = []string{"X-Hop"}
		h["X-Hop"] = []string{"1"}
		h["Keep-Alive"] = []string{"timeout=5"}
		h["Proxy-Authenticate"] = []string{"Basic"}
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "<html>no type</html>")
	})
	f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, s.URL)
	for _, target := range []string{
		"/api/movies", "/api/movies/", "/api/movies/a%2Fb", "/api/movies/%41", "/api/movies/%c3%a9%20", "/api/movies?a;b=%zz&c=1%2", "/api/movies?", "/api/movies/1+1",
	} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", f.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: shop.localhost:99\r\nContent-Length: 3\r\nX-Request-Id: mine\r\nTraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nTracestate: a=b\r\n"+
			"Accept-Encoding: br\r\nX-Own: a\r\nX-Own: b\r\nConnection: X-Hop, Upgrade\r\nX-Hop: 1\r\nUpgrade: websocket\r\nKeep-Alive: 1\r\nProxy-Authorization: secret\r\nTE: gzip\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Port: 1\r\nForwarded: for=1.2.3.4\r\n\r\nabc", target)
		resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodPut})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != "<html>no type</html>" || resp.StatusCode != http.StatusTeapot || resp.ContentLength != 20 {
			t.Errorf("%d %q %v", resp.StatusCode, body, err)
		}
		_ = conn.Close()
		want := http.Header{
			"Date": {"Tue, 01 Jan 2030 00:00:00 GMT"}, "X-Twice": {"1", "2"}, "Server": {"theirs"},
			"X-Request-Id": {"mine"}, "Content-Length": {"20"},
		}
		if fmt.Sprint(resp.Header) != fmt.Sprint(want) {
			t.Errorf("answered %v, want %v", resp.Header, want)
		}
		if got.RequestURI != target || got.Host != "shop.localhost:99" || sent != "abc" || got.Method != http.MethodPut {
			t.Errorf("asked %s %q for %q with %q, want %q", got.Method, got.RequestURI, got.Host, sent, target)
		}
		wantHeader := http.Header{
			"X-Own": {"a", "b"}, "Accept-Encoding": {"br"}, "Content-Length": {"3"}, "X-Request-Id": {"mine"},
			"Traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, "Tracestate": {"a=b"},
		}
		if fmt.Sprint(got.Header) != fmt.Sprint(wantHeader) {
			t.Errorf("passed on %v, want %v", got.Header, wantHeader)
		}
	}
}

func TestAnswersWithoutBody(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(http.StatusNoContent)
		case "/304":
			w.Header().Set("ETag", `"1"`)
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("Content-Length", "1234")
			w.Header().Set("Content-Type", "application/json")
		}
	})
	f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, s.URL)
	for _, c := range []struct{ method, path string }{{"GET", "/204"}, {"DELETE", "/204"}, {"GET", "/304"}, {"HEAD", "/list"}, {"HEAD", "/304"}} {
		through, _, err := f.call(t, c.method, c.path, "")
		if err != nil {
			t.Fatal(err)
		}
		r, _ := http.NewRequestWithContext(t.Context(), c.method, s.URL+c.path, http.NoBody)
		direct, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = direct.Body.Close()
		for _, h := range []http.Header{through.Header, direct.Header} {
			h.Del("Date")
			h.Del("X-Request-Id")
		}
		if through.StatusCode != direct.StatusCode || fmt.Sprint(through.Header) != fmt.Sprint(direct.Header) || through.ContentLength != direct.ContentLength {
			t.Errorf("%s %s: %d %v, and directly %d %v", c.method, c.path, through.StatusCode, through.Header, direct.StatusCode, direct.Header)
		}
	}
}

// first counts the requests of a service of which the first replica breaks every
// connection after it has read a request.
type first struct{ broken, whole atomic.Int64 }

func (c *first) front(t *testing.T) (f *front, lastBody *atomic.Value) {
	t.Helper()
	lastBody = new(atomic.Value)
	lastBody.Store("")
	bad := speak(t, func(r *http.Request, _ net.Conn) {
		_, _ = io.Copy(io.Discard, r.Body)
		c.broken.Add(1)
	})
	good := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		lastBody.Store(string(b))
		c.whole.Add(1)
		w.WriteHeader(http.StatusOK)
	})
	// The first request goes to the second address of the list.
	return newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, good.URL, bad), lastBody
}

// A request is sent again where that cannot do a thing twice, with its body whole,
// and never otherwise.
func TestRepeated(t *testing.T) {
	for _, c := range []struct {
		name, method, body string
		header             []string
		status             int
		broken, whole      int64
	}{
		{"get", "GET", "", nil, 200, 1, 1},
		{"head", "HEAD", "", nil, 200, 1, 1},
		{"options", "OPTIONS", "", nil, 200, 1, 1},
		{"put", "PUT", "abc", nil, 200, 1, 1},
		{"post with a key", "POST", strings.Repeat("abc", 100_000), []string{"Idempotency-Key", "k"}, 200, 1, 1},
		{"post", "POST", "abc", nil, 503, 1, 0},
		{"put with a precondition", "PUT", "abc", []string{"If-Match", `"1"`}, 503, 1, 0},
		{"delete", "DELETE", "", nil, 503, 1, 0},
		{"patch", "PATCH", "abc", nil, 503, 1, 0},
		{"post with a key and more than is kept", "POST", strings.Repeat("a", 1<<20+1), []string{"Idempotency-Key", "k"}, 503, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var n first
			f, lastBody := n.front(t)
			text := f.want(t, c.status, c.method, "/api/movies", c.body, c.header...)
			if n.broken.Load() != c.broken || n.whole.Load() != c.whole {
				t.Errorf("sent %d times to the one that breaks and %d times to the other, want %d and %d", n.broken.Load(), n.whole.Load(), c.broken, c.whole)
			}
			if c.status == 200 && lastBody.Load() != c.body {
				t.Errorf("the body of the repeat has %d bytes, want %d", len(lastBody.Load().(string)), len(c.body))
			}
			if c.status == 503 && !strings.Contains(text, "'inventory' is down") {
				t.Errorf("%s", text)
			}
		})
	}
}

// What could not be sent at all is sent elsewhere, whatever it is.
func TestRefusedConnection(t *testing.T) {
	var n first
	whole := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		n.whole.Add(1)
	})
	for i, method := range []string{"POST", "DELETE", "PUT", "GET"} {
		f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, whole.URL, nowhere(t))
		f.want(t, 200, method, "/", "abc")
		if int(n.whole.Load()) != i+1 {
			t.Errorf("%s: sent %d times", method, n.whole.Load())
		}
	}
	f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, nowhere(t), nowhere(t))
	resp, text, err := f.call(t, "GET", "/api/movies", "")
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(text, "'inventory'") || resp.Header.Get("Content-Type") != "application/problem+json" || resp.Header.Get("X-Request-Id") == "" {
		t.Errorf("%v %s %v", resp, text, err)
	}
}

// A service that is slow has been asked, and is not asked twice.
func TestSlowAnswer(t *testing.T) {
	var asked atomic.Int64
	release := make(chan struct{})
	h := func(http.ResponseWriter, *http.Request) { asked.Add(1); <-release }
	f := newFront(t, gateway.UpstreamOptions{Answer: 100 * time.Millisecond}, gateway.ProxyOptions{}, serve(t, h).URL, serve(t, h).URL)
	f.want(t, 503, "GET", "/", "")
	close(release)
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// An answer that breaks off is never a well-ended short one.
func TestBrokenAnswer(t *testing.T) {
	for name, head := range map[string]string{
		"length": "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[1,2,3]",
		"chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n[1,2,3]\r\n",
		"head":   "HTTP/1.1 200 OK\r\nContent-Le",
	} {
		var asked atomic.Int64
		f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, speak(t, func(_ *http.Request, conn net.Conn) {
			asked.Add(1)
			_, _ = io.WriteString(conn, head)
			time.Sleep(50 * time.Millisecond)
		}))
		resp, text, err := f.call(t, "POST", "/", "x")
		if name == "head" {
			if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%s: %v %s %v", name, resp, text, err)
			}
		} else if err == nil {
			t.Errorf("%s: a short answer looks whole: %s", name, text)
		}
		if asked.Load() != 1 {
			t.Errorf("%s: asked %d times", name, asked.Load())
		}
	}
}

// Bytes pass as they come, in both directions at once.
func TestStreams(t *testing.T) {
	for _, length := range []string{"", "8"} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			one := make([]byte, 1)
			for {
				if _, err := io.ReadFull(r.Body, one); err != nil {
					return
				}
				_, _ = w.Write(one)
				_ = http.NewResponseController(w).Flush()
			}
		})
		f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, s.URL)
		in, out := io.Pipe()
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL, in)
		go func() { _, _ = out.Write([]byte{'a'}) }()
		resp, err := f.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		one := make([]byte, 1)
		for i := range byte(8) {
			if _, err := io.ReadFull(resp.Body, one); err != nil || one[0] != 'a'+i {
				t.Fatalf("%q %v, want %q before more is sent", one, err, 'a'+i)
			}
			if i < 7 {
				_, _ = out.Write([]byte{'b' + i})
			}
		}
		_ = out.Close()
		if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
			t.Errorf("%q %v", rest, err)
		}
		_ = resp.Body.Close()
	}
}

// A caller who does not read stops the service from writing.
func TestBackpressure(t *testing.T) {
	var written atomic.Int64
	gone := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(gone)
		block := make([]byte, 64<<10)
		for {
			n, err := w.Write(block)
			if err != nil {
				return
			}
			written.Add(int64(n))
		}
	})
	f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, s.URL)
	ctx, leave := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, f.URL, http.NoBody)
	resp, err := f.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	for last := int64(-1); last != written.Load(); time.Sleep(200 * time.Millisecond) {
		if last = written.Load(); last > 64<<20 {
			t.Fatalf("%d bytes were taken from the service that nobody reads", last)
		}
	}
	leave() // and one who goes away ends the service's work
	_ = resp.Body.Close()
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the service writes on for a caller who has gone")
	}
}

func TestCallerLeaves(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(ended)
	})
	f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, s.URL)
	ctx, leave := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, f.URL, http.NoBody)
	go func() { <-began; leave() }()
	if _, err := f.Client().Do(r); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the service works on for a caller who has gone")
	}
}

// A body that is not sent to its end is the caller's fault, not the service's.
func TestCutBody(t *testing.T) {
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, s.URL)
	for range 10 { // more than a breaker would bear
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", f.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
		_ = conn.(*net.TCPConn).CloseWrite()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("%v %v", resp, err)
		}
		_ = conn.Close()
	}
	f.want(t, 200, "GET", "/", "")
}

// A caller that asks before it sends hears what the service says to that.
func TestExpectContinue(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > 10 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	})
	f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, s.URL)
	for _, c := range []struct {
		length, body string
		first, last  int
	}{{"3", "abc", 100, 200}, {"1000", "", 413, 0}} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", f.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %s\r\n\r\n", c.length)
		lines := bufio.NewReader(conn)
		resp, err := http.ReadResponse(lines, nil)
		if err != nil || resp.StatusCode != c.first {
			t.Fatalf("%v %v, want %d", resp, err, c.first)
		}
		if c.last != 0 {
			fmt.Fprint(conn, c.body)
			if resp, err = http.ReadResponse(lines, nil); err != nil || resp.StatusCode != c.last || resp.Header.Get("X-Request-Id") == "" {
				t.Errorf("%v %v, want %d", resp, err, c.last)
			}
		}
		_ = conn.Close()
	}
}

// A service that refuses a large body early is heard.
func TestEarlyRefusal(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	})
	f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, s.URL)
	f.want(t, 413, "POST", "/", strings.Repeat("a", 5<<20))
	if text := f.want(t, 413, "POST", "/", strings.Repeat("a", 64<<20+1)); !strings.Contains(text, "64 MiB") {
		t.Errorf("%s", text)
	}
}

func TestSwitchingProtocols(t *testing.T) {
	f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, speak(t, func(_ *http.Request, conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	}))
	f.want(t, 503, "GET", "/", "", "Connection", "Upgrade", "Upgrade", "websocket")
}
