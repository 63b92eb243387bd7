package httpapi

import (
	"reflect"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Raw is a body that is passed on: its known fields as a T, and the JSON as it
// was sent, compact, with its keys in their order and its values untouched.
// Fields that T does not know are passed on too.
type Raw[T any] struct {
	Value T
	JSON  jsontext.Value
}

func isRaw(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[API]().PkgPath() && strings.HasPrefix(t.Name(), "Raw[")
}

// readPassed reads the value twice: once whole, once by the plan of its type.
func readPassed(read readFunc) readFunc {
	return func(d *bodyReader, v reflect.Value, path string) error {
		whole, err := d.dec.ReadValue()
		if err != nil {
			return err
		}
		whole = whole.Clone()
		if err := whole.Compact(); err != nil {
			return err
		}
		v.Field(1).SetBytes(whole)
		inner := &bodyReader{dec: jsontext.NewDecoder(strings.NewReader(string(whole)))}
		if err := read(inner, v.Field(0), path); err != nil {
			return err
		}
		d.faults = append(d.faults, inner.faults...)
		return nil
	}
}
