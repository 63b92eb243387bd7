package gateway

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strconv"
	"sync"
	"sync/atomic"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

// ProxyOptions say how requests are handed on.
type ProxyOptions struct {
	// Forward tells services who asks, in Forwarded and X-Forwarded-*. Without it
	// services hear only of this machine: that is the open mode nobody chose, in
	// which every server refuses what came through a proxy.
	Forward bool
	Trusted Trusted // whose own word on that is believed
	// Vouch says in the head of a request that it was let in here, and for whom;
	// nil: nothing is said.
	Vouch func(h http.Header, on *http.Request)
	Log   *slog.Logger
}

// maxBody bounds what is passed on, in bytes. Services have lower limits of their
// own, and say so themselves.
const maxBody = 64 << 20

// Proxy hands requests on to a service that runs elsewhere, and its answers back
// as they are.
func Proxy(u *Upstream, o ProxyOptions) http.Handler {
	p := &httputil.ReverseProxy{
		Transport: u, BufferPool: &copyBuffers, ErrorHandler: refuseFor(o.Log),
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.URL.RawQuery = pr.In.URL.RawQuery // as it was written
			o.forward(pr)
			if o.Vouch != nil {
				o.Vouch(pr.Out.Header, pr.In)
			}
		},
		ModifyResponse: func(resp *http.Response) error {
			// It was sent on, and the answer's own would be a second one.
			resp.Header["X-Request-Id"] = resp.Request.Header["X-Request-Id"]
			return nil
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > maxBody {
			httpapi.RefuseBody(w, r, maxBody)
			return
		}
		// No protocol but HTTP is spoken here: an offer of another is passed over,
		// as by a service that is asked directly.
		delete(r.Header, "Upgrade")
		r.Header["X-Request-Id"] = []string{httpapi.RequestID(w)}
		for _, name := range theirs {
			delete(w.Header(), name)
		}
		a := &answer{ResponseWriter: w, left: -1}
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).EnableFullDuplex() // else net/http reads the body to its end before it writes
			a.body = &sentBody{ReadCloser: r.Body, size: r.ContentLength}
			r = r.WithContext(r.Context()) // net/http looks at the body of its own request
			r.Body = a.body
		}
		p.ServeHTTP(a, r)
	})
}

// theirs are headers that each process puts on its answers: those of the service
// come back as they are.
var theirs = []string{"X-Request-Id", "X-Content-Type-Options", "Content-Security-Policy"}

// oneOf are headers that must not stand twice in an answer, and that both may
// add: the gateway speaks for the address that was asked.
var oneOf = []string{
	"Access-Control-Allow-Credentials", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Allow-Origin",
	"Access-Control-Expose-Headers", "Access-Control-Max-Age", "Strict-Transport-Security",
}

// answer writes what a service answered: with nothing added, and nothing held
// back while more is to come.
type answer struct {
	http.ResponseWriter
	left int64     // of a body whose length is known; else negative
	body *sentBody // that the caller sends; nil: none
}

// WriteHeader keeps net/http from adding what the service left out.
func (a *answer) WriteHeader(status int) {
	if status >= http.StatusOK {
		h := a.Header()
		for _, name := range []string{"Content-Type", "Date"} {
			if _, ok := h[name]; !ok {
				h[name] = nil
			}
		}
		for _, name := range oneOf {
			if v := h[name]; len(v) > 1 {
				h[name] = v[:1]
			}
		}
		a.left = contentLength(h)
		if a.body != nil && !a.body.whole.Load() {
			h["Connection"] = []string{"close"} // what is still to come must not be taken for a request
		}
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write passes bytes on, at once when more are to come.
func (a *answer) Write(b []byte) (int, error) {
	n, err := a.ResponseWriter.Write(b)
	if a.left > 0 {
		if a.left -= int64(n); a.left > 0 && err == nil {
			err = http.NewResponseController(a.ResponseWriter).Flush()
		}
	}
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// sentBody is what a caller sends, up to maxBody.
type sentBody struct {
	io.ReadCloser
	size  int64 // as announced, or -1
	read  int64
	whole atomic.Bool // it was read to its end
}

// Read reads what the caller sends.
func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.read += int64(n); b.read > maxBody {
		return 0, &http.MaxBytesError{Limit: maxBody}
	}
	if b.read == b.size || errors.Is(err, io.EOF) {
		b.whole.Store(true)
	}
	return n, err
}

// refuseFor answers for a service that did not.
func refuseFor(log *slog.Logger) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		w.Header().Set("X-Request-Id", r.Header.Get("X-Request-Id"))
		w = unwrap(w)
		var refusal *market.Error
		var over *http.MaxBytesError
		var cut *cutError
		switch {
		case errors.As(err, &over):
			httpapi.RefuseBody(w, r, maxBody)
		case errors.As(err, &cut):
			httpapi.Refuse(w, r, market.Refuse(market.Invalid, "body_cut", "%s", cut.Error()))
		case r.Context().Err() != nil: // nobody reads this
			httpapi.Refuse(w, r, &market.Error{Kind: market.Unavailable, Detail: "the request was cancelled"})
		case errors.As(err, &refusal):
			log.WarnContext(r.Context(), "not answered", "request_id", r.Header.Get("X-Request-Id"), "path", httpapi.LoggedPath(r.URL.Path), "detail", refusal.Detail, "cause", refusal.Cause)
			httpapi.Refuse(w, r, refusal)
		default: // an answer that is not HTTP, or switches to something else
			log.ErrorContext(r.Context(), "not answered", "request_id", r.Header.Get("X-Request-Id"), "path", httpapi.LoggedPath(r.URL.Path), "error", err)
			httpapi.Refuse(w, r, &market.Error{Kind: market.Unavailable, Code: "service_down", Detail: "the service did not answer properly"})
		}
	}
}

// unwrap is for answers of the gateway's own.
func unwrap(w http.ResponseWriter) http.ResponseWriter {
	a, ok := w.(*answer)
	if !ok {
		return w
	}
	if a.body != nil && !a.body.whole.Load() {
		w.Header().Set("Connection", "close")
	}
	return a.ResponseWriter
}

// contentLength is the length that a head announces, or -1.
func contentLength(h http.Header) int64 {
	if v := h["Content-Length"]; len(v) == 1 {
		if n, err := strconv.ParseInt(v[0], 10, 64); err == nil {
			return n
		}
	}
	return -1
}

// copyBytes is the size of the buffers that answers are copied through.
const copyBytes = 32 << 10

type buffers struct{ pool sync.Pool }

var copyBuffers = buffers{pool: sync.Pool{New: func() any { return new([copyBytes]byte) }}}

// Get gives a buffer.
func (b *buffers) Get() []byte { return b.pool.Get().(*[copyBytes]byte)[:] }

// Put takes it back.
func (b *buffers) Put(buf []byte) { b.pool.Put((*[copyBytes]byte)(buf)) }
