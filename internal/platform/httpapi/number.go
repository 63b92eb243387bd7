package httpapi

import (
	"github.com/danielgtaylor/huma/v2"

	"emporium/internal/market"
)

// In a body, a number may be a JSON number or a JSON string that holds one.
// These types say so in the document, and the decoder reads both.

// numberPattern is a JSON number (RFC 8259, section 6).
const numberPattern = `^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`

// Number is the text of a JSON number, for amounts that must stay exact. It is
// judged by the service ([emporium/internal/market.ParseMoney]).
type Number string

// Schema is a number, or a string that holds one.
func (Number) Schema(huma.Registry) *huma.Schema { return numberOr(huma.TypeNumber) }

// Int is a whole number.
type Int int64

// Integer is the number of an optional field.
func Integer(o market.Opt[Int]) market.Opt[int64] {
	return market.Opt[int64]{Set: o.Set, Null: o.Null, Value: int64(o.Value)}
}

// Schema is an integer, or a string that holds one.
func (Int) Schema(huma.Registry) *huma.Schema { return numberOr(huma.TypeInteger) }

// Float is a measure, such as a coordinate; never money.
type Float float64

// Schema is a number, or a string that holds one.
func (Float) Schema(huma.Registry) *huma.Schema { return numberOr(huma.TypeNumber) }

// Scalar is a value under a key of the caller's own: the JSON of a number, as it
// was sent, or of a string.
type Scalar string

// Schema is a number or a string.
func (Scalar) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{{Type: huma.TypeNumber}, {Type: huma.TypeString}}}
}

// MarshalJSON writes the value as it is.
func (s Scalar) MarshalJSON() ([]byte, error) { return []byte(s), nil }

func numberOr(kind string) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{{Type: kind}, {Type: huma.TypeString, Pattern: numberPattern}}}
}
