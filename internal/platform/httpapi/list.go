package httpapi

import (
	"bytes"
	"context"
	"iter"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"emporium/internal/market"
)

// listed and keyed stand for the answers of lists in the document.
type listed[T any] struct {
	Link string `header:"Link" doc:"With a limit: the next page's address (RFC 8288), while there is one."`
	Body []T
}

type keyed[T any] struct {
	Link string `header:"Link" doc:"With a limit: the next page's address (RFC 8288), while there is one."`
	Body map[string]T
}

// RegisterList declares an operation that answers an array, streamed.
func RegisterList[I, T any](g *Group, op Operation, handle func(context.Context, *I) (*List[T], error)) {
	registerList[I, T](g, op, handle, func(buf *bytes.Buffer, item T) error { return marshal(buf, &item) })
}

// Appender is a member of a list whose JSON was made before. It appends one whole
// value.
type Appender interface{ AppendJSON(b []byte) []byte }

// RegisterEncoded is [RegisterList] for members that are JSON already. T
// documents them.
func RegisterEncoded[I, T any, M Appender](g *Group, op Operation, handle func(context.Context, *I) (*List[M], error)) {
	registerList[I, T](g, op, handle, func(buf *bytes.Buffer, item M) error {
		_, err := buf.Write(item.AppendJSON(buf.AvailableBuffer()))
		return err
	})
}

// registerList documents members as D and writes each with member.
func registerList[I, D, T any](g *Group, op Operation, handle func(context.Context, *I) (*List[T], error), member func(*bytes.Buffer, T) error) {
	op = op.checked()
	handle = bounded(g, handle)
	document[I, listed[D]](g, op)
	read := newInputReader[I](g, op)
	g.mount(op, func(w http.ResponseWriter, r *http.Request) error {
		in, ctx, err := read(w, r)
		if err != nil {
			return err
		}
		list, err := handle(ctx, in)
		if err != nil {
			return err
		}
		return stream(w, r, brackets{'[', ']'}, list.Page, list.ID, list.Items, member)
	})
}

// Object is the answer that shows a collection as an object keyed by id, in id
// order, streamed like a [List].
type Object[T any] struct {
	Page  market.Page
	Items iter.Seq2[Keyed[T], error]
}

// NewObject answers with the rows of a walk, each as show gives it.
func NewObject[D, B any](page market.Page, rows iter.Seq2[D, error], show func(D) Keyed[B]) *Object[B] {
	return &Object[B]{Page: page, Items: func(yield func(Keyed[B], error) bool) {
		for row, err := range rows {
			if !yield(show(row), err) {
				return
			}
		}
	}}
}

// RegisterObject declares an operation that answers an object keyed by id.
func RegisterObject[I, T any](g *Group, op Operation, handle func(context.Context, *I) (*Object[T], error)) {
	op = op.checked()
	handle = bounded(g, handle)
	document[I, keyed[T]](g, op)
	read := newInputReader[I](g, op)
	g.mount(op, func(w http.ResponseWriter, r *http.Request) error {
		in, ctx, err := read(w, r)
		if err != nil {
			return err
		}
		object, err := handle(ctx, in)
		if err != nil {
			return err
		}
		id := func(k Keyed[T]) int64 { return k.ID }
		return stream(w, r, brackets{'{', '}'}, object.Page, id, object.Items, func(buf *bytes.Buffer, item Keyed[T]) error {
			key, err := jsontext.AppendQuote(buf.AvailableBuffer(), item.Key)
			if err != nil {
				return err
			}
			buf.Write(key)
			buf.WriteByte(':')
			return marshal(buf, &item.Value)
		})
	})
}
