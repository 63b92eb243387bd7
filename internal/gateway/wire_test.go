package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/gateway"
)

// talk answers connections by hand, request after request, until answer says
// that a connection is over. It counts the connections.
func talk(t *testing.T, answer func(r *http.Request, conn net.Conn) (goOn bool)) (address string, connections *atomic.Int64) {
	t.Helper()
	connections = new(atomic.Int64)
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
			connections.Add(1)
			go func() {
				defer conn.Close()
				for in := bufio.NewReader(conn); ; {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					if _, err := io.Copy(io.Discard, r.Body); err != nil || !answer(r, conn) {
						return
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String(), connections
}

const short = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// A connection serves again when nothing speaks against it.
func TestConnectionsServeAgain(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		connections  int64 // for ten requests
	}{
		{"length", short, 1},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 1},
		{"no body", "HTTP/1.1 204 No Content\r\n\r\n", 1},
		{"empty body", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1},
		{"announced", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 10},
		{"old", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 10},
		{"more than asked for", short + short, 10},
	} {
		address, connections := talk(t, func(_ *http.Request, conn net.Conn) bool {
			_, err := io.WriteString(conn, c.answer)
			return err == nil
		})
		f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, address)
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "GET", "POST", "PUT", "DELETE", "GET", "POST"} {
			resp, text, err := f.call(t, method, "/", "")
			if err != nil || resp.StatusCode/100 != 2 || text != "ok" && text != "" {
				t.Errorf("%s: %s: %v %q %v", c.name, method, resp, text, err)
			}
		}
		if n := connections.Load(); n != c.connections {
			t.Errorf("%s: %d connections for ten requests, want %d", c.name, n, c.connections)
		}
	}
}

// A service that closes connections without a word loses nobody's request, nor
// gets one twice.
func TestStaleConnections(t *testing.T) {
	var asked atomic.Int64
	address, _ := talk(t, func(_ *http.Request, conn net.Conn) bool {
		asked.Add(1)
		_, _ = io.WriteString(conn, short)
		return false
	})
	f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, address)
	for i := range 30 {
		f.want(t, 200, "POST", "/", strings.Repeat("x", i*3000))
		time.Sleep(2 * time.Millisecond)
	}
	if asked.Load() != 30 {
		t.Errorf("30 requests were sent %d times", asked.Load())
	}

	// One that closes with a request on its way has perhaps acted on it.
	asked.Store(0)
	address, _ = talk(t, func(_ *http.Request, conn net.Conn) bool {
		if asked.Add(1)%2 == 0 {
			return false
		}
		_, _ = io.WriteString(conn, short)
		return true
	})
	f = newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, address)
	f.want(t, 200, "POST", "/", "x")
	f.want(t, 503, "POST", "/", "x")
	if asked.Load() != 2 {
		t.Errorf("two requests were sent %d times", asked.Load())
	}
	f.want(t, 200, "GET", "/", "")
	f.want(t, 200, "GET", "/", "") // on a new connection, after the one it took broke
	f.want(t, 200, "PUT", "/", strings.Repeat("y", 100_000))
}

func TestHeads(t *testing.T) {
	long := "X-Long: " + strings.Repeat("x", 70<<10) + "\r\n"
	for _, c := range []struct {
		name, answer string
		status       int
		body         string
	}{
		{"until the end", "HTTP/1.1 200 OK\r\n\r\nall of it", 200, "all of it"},
		{"too long", "HTTP/1.1 200 OK\r\n" + long + "Content-Length: 2\r\n\r\nok", 503, ""},
		{"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", 503, ""},
		{"a few before it", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 3) + short, 200, "ok"},
		{"many before it", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 50) + short, 503, ""},
		{"continue unasked", "HTTP/1.1 100 Continue\r\n\r\n" + short, 200, "ok"},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", 503, ""},
	} {
		f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, speak(t, func(_ *http.Request, conn net.Conn) {
			_, _ = io.WriteString(conn, c.answer)
			_ = conn.(*net.TCPConn).CloseWrite()
			time.Sleep(20 * time.Millisecond)
		}))
		resp, text, err := f.call(t, "GET", "/", "")
		if err != nil || resp.StatusCode != c.status || c.body != "" && text != c.body {
			t.Errorf("%s: %v %.200s %v", c.name, resp, text, err)
		}
		if resp != nil && (resp.Header.Get("X-Request-Id") == "" && resp.StatusCode != http.StatusOK || resp.Header.Get("Link") != "") {
			t.Errorf("%s: %v", c.name, resp.Header)
		}
	}
}

func TestEarlyHints(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
	})
	f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, s.URL)
	var hints []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		hints = append(hints, fmt.Sprint(code, h.Get("Link")))
		return nil
	}})
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, f.URL, http.NoBody)
	resp, err := f.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if len(hints) != 1 || hints[0] != "103</style.css>" || resp.StatusCode != http.StatusOK {
		t.Errorf("%v %v", hints, resp)
	}
}

func TestTrailers(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.Copy(w, r.Body)
		w.Header().Set("X-Sum", "3")
		w.Header().Set(http.TrailerPrefix+"X-Late", "4")
	})
	f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, s.URL)
	resp, text, err := f.call(t, "POST", "/", "abc")
	if err != nil || text != "abc" || resp.Trailer.Get("X-Sum") != "3" || resp.Trailer.Get("X-Late") != "4" {
		t.Errorf("%q %v %v", text, resp.Trailer, err)
	}
}

// Bodies of all lengths, announced or not, come through whole in both directions,
// from many callers at once.
func TestBodiesOfAllLengths(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		if r.ContentLength >= 0 && r.URL.Path == "/known" {
			w.Header().Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
		}
		_, _ = io.Copy(w, r.Body)
	})
	f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, s.URL)
	f.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 16
	var callers sync.WaitGroup
	for c := range 8 {
		callers.Go(func() {
			for i, n := range []int{0, 1, 100, 4095, 4096, 4097, 32 << 10, 32<<10 + 1, 100_000, 1 << 20, 1<<20 + 1, 3 << 20} {
				body := strings.Repeat(string(rune('a'+c)), n)
				var src io.Reader = strings.NewReader(body)
				path := "/known"
				if (c+i)%2 == 0 {
					src, path = io.MultiReader(src), "/chunked"
				}
				r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL+path, src)
				resp, err := f.Client().Do(r)
				if err != nil {
					t.Errorf("%d bytes: %v", n, err)
					continue
				}
				text, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || string(text) != body {
					t.Errorf("%d bytes: %d came back, %d %v", n, len(text), resp.StatusCode, err)
				}
			}
		})
	}
	callers.Wait()
}
