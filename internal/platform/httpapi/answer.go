package httpapi

import (
	"bytes"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"emporium/internal/market"
)

// writeAnswer writes a body whole, or 304 when the caller has it.
func writeAnswer(w http.ResponseWriter, r *http.Request, status int, location, etag string, body any) error {
	h := w.Header()
	if location != "" {
		h.Set("Location", location)
	}
	if etag != "" {
		h["Etag"] = []string{etag}
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			if noneMatch(r.Header["If-None-Match"], etag) {
				w.WriteHeader(http.StatusNotModified)
				return nil
			}
		}
	}
	if body == nil {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if ready, ok := body.(encoded); ok {
		return send(w, r, status, ready)
	}
	buf := bodies.Get().(*bytes.Buffer)
	defer returnBody(buf)
	buf.Reset()
	if err := marshal(buf, body); err != nil {
		return err
	}
	return send(w, r, status, buf.Bytes())
}

var jsonType = []string{"application/json"}

func send(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // an error here means that the caller has gone
	}
	return nil
}

// List is the answer that shows a collection as an array, streamed: it is never
// whole in memory, and an error after the first byte breaks the connection off
// rather than end the JSON well.
type List[T any] struct {
	Page  market.Page         // as it was asked for
	ID    func(T) int64       // the place of a row, for the next page
	Items iter.Seq2[T, error] // with a limit, of one more row than that: see [Ahead]
}

// NewList answers with the rows of a walk, each as show gives it.
func NewList[D, B any](page market.Page, id func(B) int64, rows iter.Seq2[D, error], show func(D) B) *List[B] {
	return &List[B]{Page: page, ID: id, Items: func(yield func(B, error) bool) {
		for row, err := range rows {
			if !yield(show(row), err) {
				return
			}
		}
	}}
}

// Ahead asks for one row more than a page holds, which tells whether there is a
// next page.
func Ahead(p market.Page) market.Page {
	if p.Limit > 0 {
		p.Limit++
	}
	return p
}

// Keyed is one member of a collection that is an object keyed by id.
type Keyed[T any] struct {
	Key   string
	Value T
	ID    int64
}

// flushAt is how many bytes are gathered before they are sent: fewer system
// calls on the one hand, constant memory on the other.
const flushAt = 32 << 10

// brackets are what stands around a collection.
type brackets struct{ open, end byte }

// stream writes a collection. The item function appends one member.
func stream[T any](w http.ResponseWriter, r *http.Request, b brackets, page market.Page, id func(T) int64, items iter.Seq2[T, error], member func(*bytes.Buffer, T) error) error {
	buf := bodies.Get().(*bytes.Buffer)
	defer returnBody(buf)
	buf.Reset()
	buf.WriteByte(b.open)
	started, count, last := false, 0, int64(0)
	fail := func(err error) error {
		if started {
			panic(http.ErrAbortHandler)
		}
		return err
	}
	for item, err := range items {
		if err != nil {
			return fail(err)
		}
		if page.Limit > 0 && count == page.Limit {
			w.Header().Set("Link", nextLink(r, last))
			break
		}
		if count > 0 {
			buf.WriteByte(',')
		}
		if err := member(buf, item); err != nil {
			return fail(err)
		}
		count++
		last = id(item)
		if page.Limit == 0 && buf.Len() >= flushAt {
			if !started {
				started = true
				w.Header()["Content-Type"] = jsonType
				w.WriteHeader(http.StatusOK)
			}
			if r.Method == http.MethodHead {
				return nil
			}
			if _, err := w.Write(buf.Bytes()); err != nil {
				return nil // the reader has gone, and nobody is left to tell
			}
			buf.Reset()
		}
	}
	buf.WriteByte(b.end)
	if started {
		_, _ = w.Write(buf.Bytes())
		return nil
	}
	return send(w, r, http.StatusOK, buf.Bytes())
}

// nextLink is the next page's address (RFC 8288).
func nextLink(r *http.Request, after int64) string {
	q, _ := url.ParseQuery(r.URL.RawQuery)
	cursor, _ := Cursor(after).MarshalText()
	q.Set("cursor", string(cursor))
	return "<" + r.URL.EscapedPath() + "?" + q.Encode() + `>; rel="next"`
}
