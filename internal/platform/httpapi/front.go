package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"emporium/internal/market"
)

// responseWriter remembers what was answered, and to which request.
type responseWriter struct {
	http.ResponseWriter
	id     string
	front  *FrontOptions
	status int
	bytes  int64
	given  time.Time // when the caller was last given time to read
}

// WriteHeader remembers the status, unless another comes after it (1xx).
func (w *responseWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes.
func (w *responseWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.giveTime(len(b))
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// fits is how many bytes the system takes whether or not the caller reads.
const fits = 16 << 10

// giveTime gives the caller time to read what comes next, anew every so often.
// Most answers are short and need none: the server's own time holds for them.
func (w *responseWriter) giveTime(next int) {
	if w.front.AnswerTime == 0 || w.bytes == 0 && next <= fits {
		return
	}
	if now := w.front.Now(); now.Sub(w.given) > w.front.AnswerTime/8 {
		w.given = now
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(now.Add(w.front.AnswerTime))
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// RequestID is the id of the request that w answers, or "".
func RequestID(w http.ResponseWriter) string {
	if rw, ok := w.(*responseWriter); ok {
		return rw.id
	}
	return ""
}

// aliasAt is the alias of errors at the path of a request that no operation
// answers.
func aliasAt(w http.ResponseWriter, r *http.Request) string {
	if rw, ok := w.(*responseWriter); ok && rw.front.Alias != nil {
		return rw.front.Alias(r.URL.Path)
	}
	return ""
}

// FrontOptions says what stands before every request.
type FrontOptions struct {
	Now      func() time.Time
	Log      *slog.Logger // faults of the server
	Requests *slog.Logger // one line per request; nil: none

	// AnswerTime is how long a caller may take to read what was written of an answer
	// that is long; 0: the server's own time holds for all of it.
	AnswerTime time.Duration

	Alias func(path string) string // of errors that no operation gives, as [API.Alias]; nil: none
}

// What browsers are told of every answer: it is what its Content-Type says, and
// as a page it may load nothing and be framed by nobody. Pages say otherwise by
// [PageHeaders].
var (
	nosniff      = []string{"nosniff"}
	nothingLoads = []string{"default-src 'none'; frame-ancestors 'none'"}
)

// Front is the outermost handler: it gives each request an id, answers a panic
// with a 500 and logs what was answered.
func Front(next http.Handler, o FrontOptions) http.Handler {
	ids := newIDs()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		start := o.Now()
		w := &responseWriter{ResponseWriter: rw, front: &o}
		given := r.Header.Get("X-Request-Id")
		w.id = given
		if !plainID(given) {
			given, w.id = "", ids.next()
		}
		h := rw.Header()
		h["X-Request-Id"], h["X-Content-Type-Options"], h["Content-Security-Policy"] = []string{w.id}, nosniff, nothingLoads
		if trace := r.Header.Get("Traceparent"); trace != "" || given != "" {
			r = r.WithContext(context.WithValue(r.Context(), passKey{}, pass{id: w.id, traceparent: trace, tracestate: r.Header.Get("Tracestate")}))
		}
		whole := answerWhole(w, r, next, o.Log)
		if o.Requests != nil {
			o.Requests.LogAttrs(r.Context(), slog.LevelInfo, "request",
				slog.String("method", r.Method), slog.String("path", LoggedPath(r.URL.Path)), slog.Int("status", w.status),
				slog.Int64("bytes", w.bytes), slog.Duration("took", o.Now().Sub(start)), slog.String("request_id", w.id))
		}
		if !whole {
			panic(http.ErrAbortHandler) // breaks the connection off, so that no half answer looks whole
		}
	})
}

// answerWhole says whether the answer came to its end. A panic is logged, and
// answered with a 500 where nothing was answered yet.
func answerWhole(w *responseWriter, r *http.Request, next http.Handler, log *slog.Logger) (whole bool) {
	defer func() {
		p := recover()
		if p == nil || p == http.ErrAbortHandler { //nolint:errorlint // the sentinel is panicked with as it is
			return
		}
		log.ErrorContext(r.Context(), "panic", "request_id", w.id, "path", LoggedPath(r.URL.Path), "panic", p, "stack", string(debug.Stack()))
		if w.status == 0 {
			writeProblem(w, r, aliasAt(w, r), &statusError{status: http.StatusInternalServerError, code: "internal", detail: "something went wrong on our side; request " + w.id + " is in the log"})
			whole = true
		}
	}()
	next.ServeHTTP(w, r)
	return true
}

// plainID says whether a client's request id can be taken into a log line.
func plainID(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return true
}

// ids makes request ids: a random prefix for the process, and a count.
type requestIDs struct {
	prefix string
	count  atomic.Uint64
}

func newIDs() *requestIDs {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return &requestIDs{prefix: hex.EncodeToString(b[:]) + "-"}
}

func (i *requestIDs) next() string {
	return i.prefix + strconv.FormatUint(i.count.Add(1), 36)
}

type passKey struct{}

// pass is what a request hands on to the servers that are asked on its behalf.
type pass struct{ id, traceparent, tracestate string }

// PassOn gives the headers of an outgoing request the id and the trace (W3C Trace Context) of
// the request on whose behalf it is made.
func PassOn(ctx context.Context, out http.Header) {
	p, ok := ctx.Value(passKey{}).(pass)
	if !ok {
		return
	}
	out.Set("X-Request-Id", p.id)
	if p.traceparent != "" {
		out.Set("Traceparent", p.traceparent)
	}
	if p.tracestate != "" {
		out.Set("Tracestate", p.tracestate)
	}
}

// NotFound answers for a path that is nothing here.
func NotFound(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, r, aliasAt(w, r), &statusError{status: http.StatusNotFound, code: "no_such_path", detail: "there is nothing at this path; see /docs for what there is"})
}

// Refuse answers with a refusal outside an operation.
func Refuse(w http.ResponseWriter, r *http.Request, e *market.Error) {
	writeProblem(w, r, aliasAt(w, r), asStatus(e))
}
