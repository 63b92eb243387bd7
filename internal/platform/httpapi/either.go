package httpapi

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Either is a member of an answer that has one of two shapes: give the one that
// it has this time. With neither it is zero, which omitzero leaves out.
type Either[A, B any] struct {
	First  *A
	Second *B
}

// MarshalJSONTo writes the one that is there.
func (e Either[A, B]) MarshalJSONTo(enc *jsontext.Encoder) error {
	if e.First != nil {
		return json.MarshalEncode(enc, e.First)
	}
	return json.MarshalEncode(enc, e.Second)
}

// MarshalJSON is for the examples of the document, which huma writes in the
// older way.
func (e Either[A, B]) MarshalJSON() ([]byte, error) {
	if e.First != nil {
		return json.Marshal(e.First)
	}
	return json.Marshal(e.Second)
}

// Schema is either. It is anyOf, since an empty array is of both shapes.
func (Either[A, B]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{r.Schema(reflect.TypeFor[A](), true, ""), r.Schema(reflect.TypeFor[B](), true, "")}}
}
