package gateway

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"sync/atomic"
	"time"

	"emporium/internal/platform/dial"
)

// conn is one connection to a replica, with one request at a time.
type conn struct {
	net.Conn
	wire      *wire
	in        *bufio.Reader
	out       *bufio.Writer
	idleSince time.Time // zero until it has served once
	deadline  time.Time // of the socket; zero: none is set

	// Of the request under way.
	sent    atomic.Int64 // bytes
	heard   bool         // something came back
	head    int          // bytes that the head of the answer may still take; 0: it was read
	sending *sending
}

// sending is a body that another goroutine sends while the answer is awaited.
type sending struct {
	mu     sync.Mutex
	headed bool          // the head of the answer has come
	done   chan struct{} // closed when it was sent, or failed
	err    error
}

var (
	errHeadTooLong = errors.New("the head of the answer is too long")
	errSwitched    = errors.New("the service switched to another protocol")
	errManyHeads   = errors.New("the service answered with too many interim heads")
)

// maxInterim bounds the interim answers (1xx) to one request.
const maxInterim = 8

// Read reads from the connection.
func (c *conn) Read(p []byte) (int, error) {
	if c.head < 0 {
		return 0, errHeadTooLong
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard = true
		if c.head > 0 {
			if c.head -= n; c.head <= 0 {
				c.head = -1
			}
		}
	}
	return n, err
}

// Write writes to the connection.
func (c *conn) Write(p []byte) (int, error) {
	if c.sending != nil {
		_ = c.SetWriteDeadline(time.Now().Add(c.wire.answer)) //nolint:forbidigo // a deadline of the network
	}
	n, err := c.Conn.Write(p)
	c.sent.Add(int64(n))
	return n, err
}

// written says whether the request was sent to its end.
func (c *conn) written() bool {
	s := c.sending
	if s == nil {
		return true
	}
	select {
	case <-s.done:
		return s.err == nil
	default:
		return false
	}
}

// exchange sends a request and reads the head of its answer. Whoever calls closes
// the connection when that fails.
func (c *conn) exchange(out *http.Request) (*http.Response, error) {
	ctx := out.Context()
	c.heard, c.head, c.sending = false, headMaxBytes, nil
	c.sent.Store(0)
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	var held *heldBody
	if out.Body == nil || out.Body == http.NoBody || isShort(out.Body) {
		c.bound()
		err := out.Write(c.out)
		if err == nil {
			err = c.out.Flush()
		}
		if err != nil {
			stop()
			return nil, err
		}
	} else {
		if out.Header.Get("Expect") != "" {
			held = &heldBody{ReadCloser: out.Body, decided: make(chan struct{})}
			out = out.WithContext(ctx)
			out.Body = held
		}
		c.unbound()
		c.sending = &sending{done: make(chan struct{})}
		dial.Patient(c.Conn, true)
		go c.send(out, c.sending)
	}
	resp, err := c.readHead(out, held)
	if held != nil {
		held.decide(false)
	}
	if err != nil {
		stop()
		if c.sending != nil {
			_ = c.Close() // what is being sent ends here
			_ = out.Body.Close()
		}
		return nil, err
	}
	if s := c.sending; s != nil {
		s.mu.Lock()
		s.headed = true
		s.mu.Unlock()
		_ = c.SetReadDeadline(time.Time{})
	} else if resp.ContentLength < 0 || resp.ContentLength > int64(c.in.Buffered()) {
		c.unbound() // a body may take any time; one that is here needs none
	}
	c.head = 0
	body := &answerBody{ReadCloser: resp.Body, conn: c, ctx: ctx, stop: stop, keep: !resp.Close && resp.ProtoAtLeast(1, 1)}
	if resp.Body == http.NoBody {
		body.finish(true)
	} else {
		resp.Body = body
	}
	return resp, nil
}

// bound sets a deadline for what follows up to the head of the answer. Setting
// and taking it away was 3 % of a request's work, so on a busy connection the
// last one holds for a while, and the wait may be a little longer than asked for.
func (c *conn) bound() {
	now := time.Now() //nolint:forbidigo // a deadline of the network
	if left := c.deadline.Sub(now); left < c.wire.answer {
		c.deadline = now.Add(c.wire.answer + c.wire.answer/16)
		_ = c.SetDeadline(c.deadline)
	}
}

// unbound takes the deadline away.
func (c *conn) unbound() {
	if !c.deadline.IsZero() {
		c.deadline = time.Time{}
		_ = c.SetDeadline(c.deadline)
	}
}

// send sends a request with a body that is still coming.
func (c *conn) send(out *http.Request, s *sending) {
	defer close(s.done)
	var w io.Writer = c.out // which net/http flushes after each chunk
	if out.ContentLength > 0 {
		w = &passing{c.out}
	}
	if s.err = out.Write(w); s.err == nil {
		s.err = c.out.Flush()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.headed {
		return
	}
	if s.err != nil {
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) //nolint:forbidigo // an answer may have come before
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(c.wire.answer)) //nolint:forbidigo // a deadline of the network
}

// readHead reads the head of the answer, passing on those before it.
func (c *conn) readHead(out *http.Request, held *heldBody) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(out.Context())
	for range maxInterim {
		resp, err := http.ReadResponse(c.in, out)
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, errSwitched
		case resp.StatusCode >= http.StatusOK:
			return resp, nil
		case resp.StatusCode == http.StatusContinue:
			if held != nil {
				held.decide(true) // the caller hears of it when its body is read
			}
			continue
		}
		if trace != nil && trace.Got1xxResponse != nil {
			if err := trace.Got1xxResponse(resp.StatusCode, textproto.MIMEHeader(resp.Header)); err != nil {
				return nil, err
			}
		}
	}
	return nil, errManyHeads
}

// passing writes a body as it comes.
type passing struct{ *bufio.Writer }

// ReadFrom is how net/http copies a body of a known length.
func (w *passing) ReadFrom(src io.Reader) (n int64, err error) {
	if err := w.Flush(); err != nil { // the head
		return 0, err
	}
	buf := copyBuffers.Get()
	defer copyBuffers.Put(buf)
	for {
		k, err := src.Read(buf)
		if k > 0 {
			if _, failed := w.Write(buf[:k]); failed != nil {
				return n, failed
			}
			if failed := w.Flush(); failed != nil {
				return n, failed
			}
			n += int64(k)
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// askFirst is how long a body is held back for a service that was asked whether
// it wants it, and does not say.
const askFirst = time.Second

// heldBody is a body that is sent once the service wants it (100-continue).
type heldBody struct {
	io.ReadCloser
	once    sync.Once
	decided chan struct{}
	wanted  bool
	passed  bool // the reader's own
}

var errNotWanted = errors.New("the service answered without the body")

func (h *heldBody) decide(wanted bool) {
	h.once.Do(func() {
		h.wanted = wanted
		close(h.decided)
	})
}

// Read waits for the service's word.
func (h *heldBody) Read(p []byte) (int, error) {
	if !h.passed {
		timer := time.NewTimer(askFirst)
		defer timer.Stop()
		select {
		case <-h.decided:
		case <-timer.C:
			h.decide(true)
		}
		if <-h.decided; !h.wanted {
			return 0, errNotWanted
		}
		h.passed = true
	}
	return h.ReadCloser.Read(p)
}
