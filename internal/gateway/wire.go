package gateway

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"emporium/internal/platform/dial"
)

// wire is the connections to one replica, over HTTP/1.1.
//
// http.Transport has two goroutines for each connection, which read and write
// for the one that asks. Here the one that asks does that itself: a request
// without a body, or with a short one, wakes nobody on its way through, which
// takes about a quarter of the work off a gateway (docs/adr/0017-gateway.md). What is written and
// read is net/http's, by Request.Write and ReadResponse.
type wire struct {
	dial   func(ctx context.Context) (net.Conn, error)
	answer time.Duration // how long a head may take, once the request was sent
	most   int           // idle connections to keep

	mu   sync.Mutex
	idle []*conn // the one used last is the last
}

// roundTrip sends a request and gives its answer, whose body must be closed. The
// connection that it takes may turn out to be stale: then it is sent on another,
// as again gives it anew, or not at all when that could do a thing twice.
func (w *wire) roundTrip(out *http.Request, again func(unsent bool) *http.Request) (*http.Response, error) {
	for {
		c, err := w.take(out.Context())
		if err != nil {
			return nil, err
		}
		reused := !c.idleSince.IsZero()
		resp, err := c.exchange(out)
		if err == nil {
			return resp, nil
		}
		_ = c.Close()
		if out.Context().Err() != nil {
			return nil, out.Context().Err()
		}
		if !reused || c.heard || isTimeout(err) || again == nil {
			return nil, err
		}
		anew := again(c.sent.Load() == 0)
		if anew == nil {
			return nil, err
		}
		out = anew
	}
}

// take gives an idle connection that still stands, or makes one.
func (w *wire) take(ctx context.Context) (*conn, error) {
	for {
		c := w.pop()
		if c == nil {
			break
		}
		if c.stands() {
			return c, nil
		}
		_ = c.Close()
	}
	raw, err := w.dial(ctx)
	if err != nil {
		return nil, &dialError{err}
	}
	c := &conn{Conn: raw, wire: w}
	c.in, c.out = bufio.NewReader(c), bufio.NewWriter(c)
	return c, nil
}

func (w *wire) pop() *conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.idle)
	if n == 0 {
		return nil
	}
	c := w.idle[n-1]
	w.idle = w.idle[:n-1]
	return c
}

// put takes a connection back, and lets go of the one that was idle for longest
// when its time is over.
func (w *wire) put(c *conn) {
	if c.sending != nil {
		dial.Patient(c.Conn, false)
	}
	c.idleSince = time.Now() //nolint:forbidigo // the age of a connection, not of the domain
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.idle) > 0 && (len(w.idle) >= w.most || c.idleSince.Sub(w.idle[0].idleSince) > idleFor) {
		_ = w.idle[0].Close()
		w.idle = append(w.idle[:0], w.idle[1:]...)
	}
	w.idle = append(w.idle, c)
}

// closeIdle lets go of all connections that are not in use.
func (w *wire) closeIdle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.idle {
		_ = c.Close()
	}
	w.idle = nil
}

// stands looks whether the other side has closed an idle connection, or said
// something that nobody asked for.
func (c *conn) stands() bool {
	if c.in.Buffered() > 0 {
		return false
	}
	raw := c.Conn
	if secure, ok := raw.(interface{ NetConn() net.Conn }); ok {
		raw = secure.NetConn()
	}
	sc, ok := raw.(syscall.Conn)
	if !ok {
		return true
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	var b [1]byte
	var peek error
	err = rc.Control(func(fd uintptr) {
		_, _, peek = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	return err == nil && errors.Is(peek, syscall.EAGAIN)
}

// answerBody is the body of an answer. Read to its end, it gives the connection
// back.
type answerBody struct {
	io.ReadCloser
	conn *conn // nil once it is given back or closed
	ctx  context.Context
	stop func() bool // of the watch over the caller; false: it has gone
	keep bool        // the connection may serve again
}

// Read reads on, and says of a caller who has gone that it has.
func (b *answerBody) Read(p []byte) (int, error) {
	if b.conn == nil {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		if !errors.Is(err, io.EOF) && b.ctx.Err() != nil {
			err = b.ctx.Err()
		}
		b.finish(errors.Is(err, io.EOF))
	}
	return n, err
}

// Close gives up what was not read.
func (b *answerBody) Close() error {
	b.finish(false)
	return nil
}

func (b *answerBody) finish(whole bool) {
	c := b.conn
	if c == nil {
		return
	}
	b.conn = nil
	if b.stop() && whole && b.keep && c.written() && c.in.Buffered() == 0 {
		c.wire.put(c)
		return
	}
	_ = c.Close()
}
