package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"emporium/internal/market"
)

// A body is read in one pass into its type, and everything wrong with its shape
// is collected: types, missing fields, unknown ones. What a value means (a
// date, an amount, a length) is judged later by the service, after the thing
// was found, because a PUT of a missing thing is a 404 whatever its values.
//
// Fields take the tags that make the document: `json:"name"` (with omitzero it
// may be left out), `nullable:"true"` (it may be null; for an object it is
// `null:"object"`).

// fieldPlan is how one field of a body is read.
type fieldPlan struct {
	name     string
	index    int
	required bool
	nullable bool
	read     readFunc
}

// structPlan is how a struct is read.
type structPlan struct {
	fields   map[string]*fieldPlan
	ordered  []*fieldPlan
	unknowns bool // unknown fields are ignored
}

// readFunc reads the next value into v, noting faults under path. It returns an
// error only when the JSON itself is broken.
type readFunc func(d *bodyReader, v reflect.Value, path string) error

type bodyReader struct {
	dec    *jsontext.Decoder
	faults market.Faults
}

var readers = sync.Pool{New: func() any { return &bodyReader{dec: jsontext.NewDecoder(bytes.NewReader(nil))} }}

// maxFaults bounds the answer to a body that is wrong all over.
const maxFaults = 50

// decodeBody reads data into v by the plan of its type. It gives a market
// Invalid error that lists every fault, or nil.
func decodeBody(data []byte, v reflect.Value, read readFunc) error {
	d := readers.Get().(*bodyReader)
	defer readers.Put(d)
	d.faults = nil
	d.dec.Reset(bytes.NewReader(data))
	err := read(d, v, "")
	if err == nil {
		if _, err = d.dec.ReadToken(); errors.Is(err, io.EOF) {
			return d.faults.Err("invalid_body")
		}
		if err == nil {
			err = errors.New("there is more after the end of the value")
		}
	}
	return badJSON(err, data)
}

// badJSON says where the JSON breaks.
func badJSON(err error, data []byte) error {
	if errors.Is(err, io.EOF) || len(bytes.TrimSpace(data)) == 0 {
		return market.Faults{{Location: "body", Message: "the request needs a body"}}.Err("missing_body")
	}
	what := err.Error()
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		what = fmt.Sprintf("at byte %d: %s", syntax.ByteOffset, strings.TrimPrefix(syntax.Err.Error(), "jsontext: "))
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		what = "it ends too early"
	}
	return market.Faults{{Location: "body", Message: "the body is not valid JSON: " + what}}.Err("invalid_json")
}

func (d *bodyReader) fault(path, format string, args ...any) { d.note(path, nil, format, args...) }

func (d *bodyReader) note(path string, value any, format string, args ...any) {
	if len(d.faults) >= maxFaults {
		return
	}
	name := path
	if name == "" {
		name = "the body"
	}
	d.faults = append(d.faults, market.Fault{Location: strings.TrimSuffix("body."+path, "."), Message: name + " " + fmt.Sprintf(format, args...), Value: value})
}

// wrongNumber is a fault that repeats what was sent. Others do not: it may be a
// password in the wrong place.
func (d *bodyReader) wrongNumber(path, text, format string, args ...any) {
	d.note(path, clip(text), format, args...)
}

// wrongType skips the next value and says what it should have been.
func (d *bodyReader) wrongType(path, want string) error {
	got := kindName(d.dec.PeekKind())
	if err := d.dec.SkipValue(); err != nil {
		return err
	}
	d.fault(path, "must be %s; got %s", want, got)
	return nil
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	default:
		return "nothing"
	}
}

var (
	valueType  = reflect.TypeFor[jsontext.Value]()
	numberType = reflect.TypeFor[Number]()
	scalarType = reflect.TypeFor[Scalar]()
)

// bodyRules are what does not follow from the type of a body alone.
type bodyRules struct {
	ignoreUnknown bool
	protected     bool // the mode
}

// requires says whether a field may not be left out. What may in protected mode
// alone is optional in the document, which is the same in both.
func (rules bodyRules) requires(f reflect.StructField, options string) bool {
	if options != "" {
		return false
	}
	return f.Tag.Get("required") != "false" || f.Tag.Get("required-in") == "open" && !rules.protected
}

// planFor makes the reader of a type. It panics on a type that it does not
// know, when the program starts.
func planFor(t reflect.Type, rules bodyRules) readFunc {
	switch {
	case t == valueType:
		return readRaw
	case t == numberType:
		return readNumber
	case t == scalarType:
		return readScalar
	case isRaw(t):
		return readPassed(planFor(t.Field(0).Type, bodyRules{ignoreUnknown: true, protected: rules.protected}))
	case isOpt(t):
		return readOpt(planFor(t.Field(2).Type, rules))
	}
	switch t.Kind() {
	case reflect.String:
		return readString
	case reflect.Bool:
		return readBool
	case reflect.Int64:
		return readInt
	case reflect.Float64:
		return readFloat
	case reflect.Struct:
		return structReader(t, rules)
	case reflect.Map:
		return readMap(t, planFor(t.Elem(), rules))
	default:
		panic("httpapi: a body cannot hold a " + t.String())
	}
}

func isOpt(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == "emporium/internal/market" && strings.HasPrefix(t.Name(), "Opt[")
}

func structReader(t reflect.Type, rules bodyRules) readFunc {
	plan := &structPlan{fields: map[string]*fieldPlan{}, unknowns: rules.ignoreUnknown}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			panic("httpapi: " + t.String() + "." + f.Name + " needs a json tag")
		}
		fp := &fieldPlan{
			name: name, index: i, read: planFor(f.Type, rules),
			required: rules.requires(f, options),
			nullable: f.Tag.Get("nullable") == "true" || f.Tag.Get("null") == "object",
		}
		plan.fields[name] = fp
		plan.ordered = append(plan.ordered, fp)
	}
	return plan.read
}

func (p *structPlan) read(d *bodyReader, v reflect.Value, path string) error {
	if d.dec.PeekKind() != '{' {
		return d.wrongType(path, "an object")
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	var seen uint64
	for d.dec.PeekKind() != '}' {
		token, err := d.dec.ReadToken()
		if err != nil {
			return err
		}
		if token.Kind() != '"' {
			return errors.New("a field's name must be a string")
		}
		name := token.String()
		f, known := p.fields[name]
		if !known {
			if !p.unknowns {
				d.fault(join(path, name), "is not a field here")
			}
			if err := d.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		seen |= 1 << f.index
		if err := p.readField(d, f, v.Field(f.index), join(path, name)); err != nil {
			return err
		}
	}
	for _, f := range p.ordered {
		if f.required && seen&(1<<f.index) == 0 {
			d.fault(join(path, f.name), "is required")
		}
	}
	_, err := d.dec.ReadToken()
	return err
}

func (p *structPlan) readField(d *bodyReader, f *fieldPlan, v reflect.Value, path string) error {
	if d.dec.PeekKind() != 'n' || v.Type() == valueType {
		return f.read(d, v, path)
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	switch {
	case !f.nullable:
		d.fault(path, "must not be null")
	case isOpt(v.Type()):
		v.Field(0).SetBool(true)
		v.Field(1).SetBool(true)
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func readOpt(read readFunc) readFunc {
	return func(d *bodyReader, v reflect.Value, path string) error {
		v.Field(0).SetBool(true)
		return read(d, v.Field(2), path)
	}
}

func readString(d *bodyReader, v reflect.Value, path string) error {
	if d.dec.PeekKind() != '"' {
		return d.wrongType(path, "a string")
	}
	token, err := d.dec.ReadToken()
	if err != nil {
		return err
	}
	s := token.String()
	if strings.IndexByte(s, 0) >= 0 {
		d.fault(path, "must not contain a null character")
		return nil
	}
	v.SetString(s)
	return nil
}

func readBool(d *bodyReader, v reflect.Value, path string) error {
	if k := d.dec.PeekKind(); k != 't' && k != 'f' {
		return d.wrongType(path, "true or false")
	}
	token, err := d.dec.ReadToken()
	if err == nil {
		v.SetBool(token.Bool())
	}
	return err
}

// numberText reads a number, or a string that holds one. It is "" when there
// was neither, and then the fault is noted.
func (d *bodyReader) numberText(path string) (string, error) {
	kind := d.dec.PeekKind()
	if kind != '0' && kind != '"' {
		return "", d.wrongType(path, "a number")
	}
	if kind == '0' {
		raw, err := d.dec.ReadValue()
		return string(raw), err
	}
	token, err := d.dec.ReadToken()
	if err != nil {
		return "", err
	}
	text := token.String()
	if _, err := market.ParseMoney(text); errors.Is(err, market.ErrNotNumber) {
		d.wrongNumber(path, text, "must be a number; got '%s'", clip(text))
		return "", nil
	}
	return text, nil
}

// clip keeps a value that is echoed readable: text, of a bounded length.
func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func readNumber(d *bodyReader, v reflect.Value, path string) error {
	text, err := d.numberText(path)
	v.SetString(text)
	return err
}

func readScalar(d *bodyReader, v reflect.Value, path string) error {
	kind := d.dec.PeekKind()
	if kind != '0' && kind != '"' {
		return d.wrongType(path, "a number or a string")
	}
	raw, err := d.dec.ReadValue()
	if err != nil || kind == '0' {
		v.SetString(string(raw))
		return err
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return err
	}
	if bytes.IndexByte(text, 0) >= 0 {
		d.fault(path, "must not contain a null character")
		return nil
	}
	quoted, err := jsontext.AppendQuote(nil, text) // however it was escaped
	v.SetString(string(quoted))
	return err
}

func readInt(d *bodyReader, v reflect.Value, path string) error {
	text, err := d.numberText(path)
	if err != nil || text == "" {
		return err
	}
	n, err := market.ParseInteger(text)
	if err != nil {
		d.wrongNumber(path, text, "%s; got %s", err, clip(text))
		return nil
	}
	v.SetInt(n)
	return nil
}

func readFloat(d *bodyReader, v reflect.Value, path string) error {
	text, err := d.numberText(path)
	if err != nil || text == "" {
		return err
	}
	f, _ := strconv.ParseFloat(text, 64) // text is a number: the one error is that it is out of range
	if math.IsInf(f, 0) {
		d.wrongNumber(path, text, "is too large; got %s", clip(text))
		return nil
	}
	v.SetFloat(f + 0) // -0 becomes 0
	return nil
}

func readRaw(d *bodyReader, v reflect.Value, _ string) error {
	raw, err := d.dec.ReadValue()
	if err == nil {
		v.SetBytes(raw.Clone())
	}
	return err
}

func readMap(t reflect.Type, read readFunc) readFunc {
	return func(d *bodyReader, v reflect.Value, path string) error {
		if d.dec.PeekKind() != '{' {
			return d.wrongType(path, "an object")
		}
		if _, err := d.dec.ReadToken(); err != nil {
			return err
		}
		v.Set(reflect.MakeMap(t))
		for d.dec.PeekKind() != '}' {
			token, err := d.dec.ReadToken()
			if err != nil {
				return err
			}
			name := token.String()
			if strings.IndexByte(name, 0) >= 0 {
				d.fault(path, "must not contain a null character in a name")
			}
			elem := reflect.New(t.Elem()).Elem()
			if err := read(d, elem, join(path, name)); err != nil {
				return err
			}
			v.SetMapIndex(reflect.ValueOf(name), elem)
		}
		_, err := d.dec.ReadToken()
		return err
	}
}

// marshal writes an answer: deterministic, so that equal things have equal bytes.
func marshal(w io.Writer, v any) error {
	return json.MarshalWrite(w, v, json.Deterministic(true))
}
