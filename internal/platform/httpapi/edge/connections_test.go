package edge_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"emporium/internal/platform/httpapi/edge"
)

// serve runs a server with limits on its connections, and gives its address.
func serve(t *testing.T, o edge.ConnectionOptions, h http.Handler) (*edge.Connections, string) {
	t.Helper()
	o.Now, o.Log = time.Now, quiet
	c := edge.NewConnections(o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: c.Handler(h), ConnState: c.State, ConnContext: c.Context, ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(c.Listen(l)) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return c, l.Addr().String()
}

// caller is a connection from one of this machine's own addresses.
type caller struct {
	net.Conn
	in *bufio.Reader
}

func call(t *testing.T, from, to string) *caller {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
	c, err := d.DialContext(t.Context(), "tcp", to)
	if errors.Is(err, syscall.ECONNRESET) { // refused so soon that it was never there
		return &caller{}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &caller{c, bufio.NewReader(c)}
}

// ask makes a request, and says whether it was answered.
func (c *caller) ask(t *testing.T) bool {
	t.Helper()
	if c.Conn == nil {
		return false
	}
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusNoContent
}

func TestConnectionsOfAnAddress(t *testing.T) {
	conns, at := serve(t, edge.ConnectionOptions{PerAddress: 3, Exempt: func(ip netip.Addr) bool { return ip == netip.MustParseAddr("127.0.0.9") }}, fine)
	var kept []*caller
	for range 3 {
		c := call(t, "127.0.0.2", at)
		if !c.ask(t) {
			t.Fatal("one of the first three was refused")
		}
		kept = append(kept, c)
	}
	for range 3 {
		if call(t, "127.0.0.2", at).ask(t) {
			t.Error("a fourth connection was answered")
		}
	}
	if !call(t, "127.0.0.3", at).ask(t) {
		t.Error("another address was refused")
	}
	for range 10 {
		if !call(t, "127.0.0.9", at).ask(t) {
			t.Error("a trusted proxy was refused")
		}
	}
	if !kept[0].ask(t) {
		t.Error("one that was there before was broken off")
	}
	_ = kept[1].Close()
	for deadline := time.Now().Add(10 * time.Second); !call(t, "127.0.0.2", at).ask(t); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("one that has ended still counts")
		}
	}
	if n := conns.Len(); n != 14 {
		t.Errorf("%d connections are open, want 14", n)
	}
}

// A connection that belongs to another process of the deployment counts for
// nobody.
func TestProvenConnections(t *testing.T) {
	_, at := serve(t, edge.ConnectionOptions{PerAddress: 2}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		edge.Proven(r.Context())
		w.WriteHeader(http.StatusNoContent)
	}))
	for range 10 {
		c := call(t, "127.0.0.2", at)
		for range 2 {
			if !c.ask(t) {
				t.Fatal("refused")
			}
		}
	}
}

// When all connections are taken, those that wait make room, whether they have
// said nothing, half a head, or had an answer. Those with a request stay.
func TestConnectionsMakeRoom(t *testing.T) {
	for name, hold := range map[string]string{"silent": "", "slow": "GET / HTTP/1.1\r\nHost: x\r\nX-S", "idle": "GET / HTTP/1.1\r\nHost: x\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			conns, at := serve(t, edge.ConnectionOptions{Most: 20}, fine)
			for range 20 {
				c := call(t, "127.0.0.2", at)
				_, _ = io.WriteString(c, hold)
				if name == "idle" {
					if resp, err := http.ReadResponse(c.in, nil); err != nil || resp.StatusCode != http.StatusNoContent {
						t.Fatal(err)
					}
				}
			}
			for range 30 {
				if !call(t, "127.0.0.3", at).ask(t) {
					t.Fatal("refused while others wait")
				}
			}
			if n := conns.Len(); n > 20 {
				t.Errorf("%d connections are open, of 20", n)
			}
		})
	}
	t.Run("busy", func(t *testing.T) {
		entered, goOn := make(chan struct{}), make(chan struct{})
		_, at := serve(t, edge.ConnectionOptions{Most: 3}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			entered <- struct{}{}
			select {
			case <-goOn:
				w.WriteHeader(http.StatusNoContent)
			case <-r.Context().Done():
			}
		}))
		answers := make(chan bool)
		for range 3 {
			c := call(t, "127.0.0.2", at)
			go func() { answers <- c.ask(t) }()
			<-entered
		}
		if call(t, "127.0.0.3", at).ask(t) {
			t.Error("a fourth was answered")
		}
		close(goOn)
		for range 3 {
			if !<-answers {
				t.Error("a request under way was broken off")
			}
		}
	})
}
