package httpapi

import (
	"encoding"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"emporium/internal/market"
)

// An operation's input is a struct. Its fields take their values by tag:
//
//	ID    int64          `path:"id" noun:"Movie ID"`   a positive integer, digits only
//	Title string         `query:"title"`
//	Limit int64          `query:"limit" minimum:"1" maximum:"1000"`
//	All   Flag           `query:"all"`                 0 or 1
//	If    market.IfMatch                               the If-Match header, by embedding IfMatch
//	Accept string        `header:"Accept"`             a header, as it was sent
//	Body  movieInput                                   the JSON body
//
// A path or query field may be any encoding.TextUnmarshaler; its error,
// after the parameter's name, is what the caller reads. Embedded structs are
// walked into; their types must be exported.

type paramPlan struct {
	name  string
	index []int
	set   func(v reflect.Value, text string) error
}

type inputPlan struct {
	path     []paramPlan
	query    []paramPlan
	header   []paramPlan
	ifMatch  []int
	body     []int
	readBody readFunc
}

// IfMatch is embedded by the inputs of changes that take a precondition.
type IfMatch struct {
	If market.IfMatch `header:"If-Match" doc:"Change it only while its ETag is one of these." example:"\"3\""`
}

// PageInput is embedded by the inputs of lists.
type PageInput struct {
	Limit  int64  `query:"limit" minimum:"1" maximum:"1000" doc:"At most this many, 1 to 1000. Without it, the whole collection." example:"20"`
	Cursor Cursor `query:"cursor" doc:"Where to go on: taken from the next page's address in the Link header."`
}

// Page says which part of a list is asked for.
func (p PageInput) Page() market.Page {
	return market.Page{Limit: int(p.Limit), After: int64(p.Cursor)}
}

// Cursor is a place in a list. Callers take it from a Link header and do not
// look into it.
type Cursor int64

// MarshalText writes the cursor.
func (c Cursor) MarshalText() ([]byte, error) {
	return []byte("c" + strconv.FormatInt(int64(c), 36)), nil
}

// UnmarshalText reads what MarshalText wrote.
func (c *Cursor) UnmarshalText(b []byte) error {
	text, ok := strings.CutPrefix(string(b), "c")
	n, err := strconv.ParseInt(text, 36, 64)
	if !ok || err != nil || n < 0 || text[0] == '+' {
		return fmt.Errorf("must be one from a Link header; got '%s'", clip(string(b)))
	}
	*c = Cursor(n)
	return nil
}

// Flag is a query parameter that takes 0 or 1.
type Flag bool

// Schema is 0 or 1.
func (Flag) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeInteger, Enum: []any{0, 1}}
}

// UnmarshalText reads 0 or 1.
func (f *Flag) UnmarshalText(b []byte) error {
	if s := string(b); s != "0" && s != "1" {
		return fmt.Errorf("must be 0 or 1; got '%s'", clip(s))
	}
	*f = b[0] == '1'
	return nil
}

var textType = reflect.TypeFor[encoding.TextUnmarshaler]()

func planInput(t reflect.Type, rules bodyRules) *inputPlan {
	p := &inputPlan{}
	p.walk(t, nil, rules)
	return p
}

func (p *inputPlan) walk(t reflect.Type, at []int, rules bodyRules) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(append([]int(nil), at...), i)
		switch {
		case f.Type == reflect.TypeFor[market.IfMatch]():
			p.ifMatch = index
		case f.Name == "Body":
			p.body, p.readBody = index, planFor(f.Type, rules)
		case f.Tag.Get("path") != "":
			p.path = append(p.path, paramPlan{f.Tag.Get("path"), index, paramSetter(f, f.Tag.Get("path"), true)})
		case f.Tag.Get("query") != "":
			p.query = append(p.query, paramPlan{f.Tag.Get("query"), index, paramSetter(f, f.Tag.Get("query"), false)})
		case f.Tag.Get("header") != "":
			p.header = append(p.header, paramPlan{name: f.Tag.Get("header"), index: index})
		case f.Anonymous && !f.IsExported():
			panic("httpapi: " + f.Name + " must be exported, or the document lacks its fields")
		case f.Anonymous:
			p.walk(f.Type, index, rules)
		default:
			panic("httpapi: " + t.String() + "." + f.Name + " is neither path, query, header nor Body")
		}
	}
}

// paramSetter reads the text of a path or query parameter into its field.
func paramSetter(f reflect.StructField, name string, path bool) func(reflect.Value, string) error {
	noun := f.Tag.Get("noun")
	if noun == "" {
		noun = name
	}
	switch {
	case reflect.PointerTo(f.Type).Implements(textType):
		return func(v reflect.Value, text string) error {
			err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
			if err != nil && market.KindOf(err) == 0 {
				return fmt.Errorf("%s %w", noun, err)
			}
			return err
		}
	case path && f.Type.Kind() == reflect.Int64:
		return func(v reflect.Value, text string) error {
			n, err := ParseID(text)
			if err != nil {
				return fmt.Errorf("%s must be a positive integer; got '%s'", noun, clip(text))
			}
			v.SetInt(n)
			return nil
		}
	case f.Type.Kind() == reflect.Int64:
		lo, hi := bounds(f)
		return func(v reflect.Value, text string) error {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || text[0] == '+' || n < lo || n > hi {
				return fmt.Errorf("%s must be an integer from %d to %d; got '%s'", noun, lo, hi, clip(text))
			}
			v.SetInt(n)
			return nil
		}
	case f.Type.Kind() == reflect.String:
		enum := strings.Split(f.Tag.Get("enum"), ",")
		return func(v reflect.Value, text string) error {
			if enum[0] != "" && !contains(enum, text) {
				return fmt.Errorf("%s must be one of %s; got '%s'", noun, strings.Join(enum, ", "), clip(text))
			}
			v.SetString(text)
			return nil
		}
	case f.Type == reflect.TypeFor[market.Opt[string]]():
		return func(v reflect.Value, text string) error {
			v.Set(reflect.ValueOf(market.Some(text)))
			return nil
		}
	}
	panic("httpapi: a parameter cannot be a " + f.Type.String())
}

func bounds(f reflect.StructField) (lo, hi int64) {
	lo, err := strconv.ParseInt(f.Tag.Get("minimum"), 10, 64)
	if err != nil {
		panic("httpapi: " + f.Name + " needs a minimum")
	}
	hi, err = strconv.ParseInt(f.Tag.Get("maximum"), 10, 64)
	if err != nil {
		panic("httpapi: " + f.Name + " needs a maximum")
	}
	return lo, hi
}

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}

// ParseID reads an id of a path: a positive integer of at most 64 bits, digits
// only.
func ParseID(text string) (int64, error) {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, strconv.ErrSyntax
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && n == 0 {
		err = strconv.ErrRange
	}
	return n, err
}

// readPath reads the ids in the path. One that nothing can be called by is
// unknown: that is said after the body was judged, like of any other thing that
// does not exist.
func (p *inputPlan) readPath(v reflect.Value, r *http.Request) (unknown, fault error) {
	var faults market.Faults
	for _, param := range p.path {
		text := r.PathValue(param.name)
		if !cleanText(text) {
			faults.Add("path."+param.name, nil, "%s must be text in UTF-8 without null characters", param.name)
			continue
		}
		if err := param.set(v.FieldByIndex(param.index), text); err != nil {
			if market.KindOf(err) != 0 {
				unknown = err
				continue
			}
			faults.Add("path."+param.name, clip(text), "%s", err)
		}
	}
	return unknown, faults.Err("invalid_path")
}

// readQuery reads the query parameters: a known one may come once; an unknown
// one is a fault where the service is strict. Elsewhere an operation that knows
// none does not read the query, so that it cannot be wrong.
func (p *inputPlan) readQuery(v reflect.Value, r *http.Request, strict bool) error {
	if r.URL.RawQuery == "" || len(p.query) == 0 && !strict {
		return nil
	}
	var faults market.Faults
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		faults.Add("query", nil, "the query cannot be read: %s", err)
		return faults.Err("invalid_query")
	}
	for _, param := range p.query {
		texts, given := values[param.name]
		delete(values, param.name)
		switch {
		case !given:
		case len(texts) > 1:
			faults.Add("query."+param.name, nil, "query parameter '%s' is given %d times", param.name, len(texts))
		case !cleanText(texts[0]):
			faults.Add("query."+param.name, nil, "%s must be text in UTF-8 without null characters", param.name)
		default:
			if err := param.set(v.FieldByIndex(param.index), texts[0]); err != nil {
				faults.Add("query."+param.name, clip(texts[0]), "%s", err)
			}
		}
	}
	if strict {
		for _, name := range sortedKeys(values) {
			faults.Add("query."+clip(name), nil, "unknown query parameter '%s'", clip(name))
		}
	}
	return faults.Err("invalid_query")
}
