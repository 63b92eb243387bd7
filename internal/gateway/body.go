package gateway

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// keepBody is how much of a request's body is kept so that the request can be
// sent again, in bytes. What is longer is sent once.
const keepBody = 1 << 20

var (
	errViewClosed = errors.New("this attempt has ended")
	errNotKept    = errors.New("too much of the body was sent to send it again")
)

// body passes a request's body on as it comes, and keeps what it has passed so
// that a second attempt can start over, even while the caller still sends.
type body struct {
	lost  atomic.Bool           // more was passed than is kept
	short bool                  // it is all here, before any of it was passed
	fault atomic.Pointer[error] // why the caller did not send it to its end

	mu   sync.Mutex // held while waiting for the caller, by one attempt; the next waits here too
	src  io.Reader
	kept []byte
	end  error // of src, once it came
}

func newBody(src io.Reader, size int64) *body {
	b := &body{src: src}
	if size > 0 && size <= keepBody {
		b.kept = make([]byte, 0, size)
	}
	return b
}

// cut says why the caller did not send its body to the end, or gives nil.
func (b *body) cut() error {
	if b == nil {
		return nil
	}
	if fault := b.fault.Load(); fault != nil {
		return &cutError{*fault}
	}
	return nil
}

// cutError is a body that the caller did not send to its end.
type cutError struct{ cause error }

func (*cutError) Error() string   { return "the body ended before it was complete" }
func (e *cutError) Unwrap() error { return e.cause }

// shortBody is up to how many bytes a body is waited for before it is sent: a slow
// caller then holds no connection, and sending it takes no goroutine.
const shortBody = 32 << 10

// gather waits for the whole of a short body.
func (b *body) gather(size int64) error {
	b.kept = b.kept[:size]
	if _, err := io.ReadFull(b.src, b.kept); err != nil {
		return &cutError{err}
	}
	b.end, b.short = io.EOF, true
	return nil
}

// isShort says whether a body is all here.
func isShort(r io.Reader) bool {
	_, streamed := r.(*bodyView)
	return !streamed
}

// view is the body from its beginning, for one attempt.
func (b *body) view() (io.ReadCloser, error) {
	if b.lost.Load() {
		return nil, errNotKept
	}
	if b.short { // in a form that net/http knows to be in memory, and sends together with the head
		return io.NopCloser(bytes.NewReader(b.kept)), nil
	}
	return &bodyView{body: b}, nil
}

// bodyView reads a body for one attempt. An attempt that failed may go on
// reading for a moment; what it takes from the caller is kept for the next.
type bodyView struct {
	body   *body
	at     int  // how much of what is kept was read
	alone  bool // it read what is lost, and only it can go on
	closed atomic.Bool
}

// Read gives what is kept, and then what the caller sends.
func (v *bodyView) Read(p []byte) (int, error) {
	b := v.body
	b.mu.Lock()
	defer b.mu.Unlock()
	if v.closed.Load() {
		return 0, errViewClosed
	}
	if v.at < len(b.kept) {
		n := copy(p, b.kept[v.at:])
		v.at += n
		return n, nil
	}
	if b.end != nil {
		return 0, b.end
	}
	if b.lost.Load() && !v.alone {
		return 0, errNotKept
	}
	n, err := b.src.Read(p)
	if err != nil {
		b.end = err
		if !errors.Is(err, io.EOF) {
			b.fault.Store(&err)
		}
	}
	switch {
	case v.alone:
	case len(b.kept)+n <= keepBody:
		b.kept = append(b.kept, p[:n]...)
		v.at += n
	default:
		b.lost.Store(true)
		b.kept, v.at, v.alone = nil, 0, true
	}
	return n, err
}

// Close ends the attempt. The caller's body is the server's to close.
func (v *bodyView) Close() error {
	v.closed.Store(true)
	return nil
}
