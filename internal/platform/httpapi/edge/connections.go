package edge

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"emporium/internal/platform/httpapi"
)

// ConnectionOptions say how many connections a server keeps.
type ConnectionOptions struct {
	Most       int                   // all together; 0: any number
	PerAddress int                   // of one address; 0: any number
	Exempt     func(netip.Addr) bool // addresses with as many as they like: trusted proxies; nil: none
	Now        func() time.Time
	Log        *slog.Logger
}

// Connections are those of a server, on all its listeners. When there are too
// many, one that has waited long without a request makes room for the next; when
// each has one, the next is refused.
type Connections struct {
	o ConnectionOptions

	mu      sync.Mutex
	open    map[*conn]bool
	of      map[string]int // of an address
	told    time.Time
	refused int // since then
}

// NewConnections counts connections.
func NewConnections(o ConnectionOptions) *Connections {
	return &Connections{o: o, open: map[*conn]bool{}, of: map[string]int{}}
}

// conn is a connection that is counted.
type conn struct {
	*net.TCPConn // which net/http looks for more in than net.Conn has

	all   *Connections
	who   string       // that it is counted for; "" when it is for nobody
	since atomic.Int64 // since when it has waited, in Unix nanoseconds; 0: a request is under way
	once  sync.Once
	ours  sync.Once // when it turns out to be of this deployment
}

// Listen counts the connections of a listener.
func (c *Connections) Listen(l net.Listener) net.Listener { return &listener{l, c} }

type listener struct {
	net.Listener

	all *Connections
}

// Accept gives the next connection that may stay.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := raw.(*net.TCPConn)
		if !ok {
			return raw, nil
		}
		if kept := l.all.keep(tcp); kept != nil {
			return kept, nil
		}
		_ = tcp.SetLinger(0) // nothing of it is kept, not even by the system
		_ = tcp.Close()
	}
}

// keep counts a connection; nil: there are too many.
func (c *Connections) keep(tcp *net.TCPConn) *conn {
	at, _ := netip.ParseAddrPort(tcp.RemoteAddr().String())
	ip := at.Addr().Unmap().WithZone("")
	k := &conn{TCPConn: tcp, all: c}
	now := c.o.Now()
	k.since.Store(now.UnixNano())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.o.PerAddress > 0 && (c.o.Exempt == nil || !c.o.Exempt(ip)) {
		k.who = httpapi.AddressKey(ip)
		if c.of[k.who] >= c.o.PerAddress {
			c.tell(now, "too many connections of an address", k.who)
			return nil
		}
	}
	if c.o.Most > 0 && len(c.open) >= c.o.Most && !c.makeRoom() {
		c.tell(now, "too many connections", k.who)
		return nil
	}
	c.open[k] = true
	if k.who != "" {
		c.of[k.who]++
	}
	return k
}

// tell logs refusals, once a minute. The caller holds c.mu.
func (c *Connections) tell(now time.Time, what, who string) {
	c.refused++
	if now.Sub(c.told) < time.Minute {
		return
	}
	c.o.Log.Warn("connections refused", "why", what, "address", who, "refused", c.refused, "open", len(c.open))
	c.told, c.refused = now, 0
}

// looked is how many connections are looked at to find the one that has waited
// longest.
const looked = 64

// makeRoom closes one that waits without a request. The caller holds c.mu.
func (c *Connections) makeRoom() bool {
	var idle *conn
	var longest int64
	n := 0
	for k := range c.open {
		if since := k.since.Load(); since != 0 && (idle == nil || since < longest) {
			idle, longest = k, since
		}
		if n++; n >= looked && idle != nil { // where few wait, all are looked at
			break
		}
	}
	if idle == nil {
		return false
	}
	idle.forget()
	_ = idle.TCPConn.Close()
	return true
}

// forget counts a connection no longer. The caller holds all.mu.
func (k *conn) forget() {
	k.once.Do(func() {
		delete(k.all.open, k)
		k.uncount()
	})
}

// uncount counts it for nobody. The caller holds all.mu.
func (k *conn) uncount() {
	if k.who == "" {
		return
	}
	if k.all.of[k.who]--; k.all.of[k.who] == 0 {
		delete(k.all.of, k.who)
	}
	k.who = ""
}

// Close closes the connection.
func (k *conn) Close() error {
	k.all.mu.Lock()
	k.forget()
	k.all.mu.Unlock()
	return k.TCPConn.Close()
}

// State is a server's hook: it notes which connections wait.
func (c *Connections) State(raw net.Conn, state http.ConnState) {
	if k := counted(raw); k != nil && state == http.StateIdle {
		k.since.Store(c.o.Now().UnixNano())
	}
}

func counted(raw net.Conn) *conn {
	if secure, ok := raw.(*tls.Conn); ok {
		raw = secure.NetConn()
	}
	k, _ := raw.(*conn)
	return k
}

type connKey struct{}

// Context is a server's hook: it lets requests find their connection.
func (c *Connections) Context(ctx context.Context, raw net.Conn) context.Context {
	if k := counted(raw); k != nil {
		return context.WithValue(ctx, connKey{}, k)
	}
	return ctx
}

// Handler notes that a request has come whole, but for its body: its connection
// waits no longer. One that sends its head slowly still does, and makes room.
func (c *Connections) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if k, ok := r.Context().Value(connKey{}).(*conn); ok {
			k.since.Store(0)
		}
		next.ServeHTTP(w, r)
	})
}

// Proven counts the connection of a request for nobody: it belongs to another
// process of this deployment, which needs many.
func Proven(ctx context.Context) {
	k, ok := ctx.Value(connKey{}).(*conn)
	if !ok {
		return
	}
	k.ours.Do(func() { // its requests do not all wait for the others' connections
		k.all.mu.Lock()
		defer k.all.mu.Unlock()
		k.uncount()
	})
}
