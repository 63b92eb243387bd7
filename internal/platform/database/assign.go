package database

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

var errNull = errors.New("NULL needs a pointer or a Scanner")

// assignAll writes a row's values to where Scan was told to put them.
func assignAll(dest []any, values []driver.Value) error {
	if len(dest) != len(values) {
		return fmt.Errorf("scan: %d columns into %d places", len(values), len(dest))
	}
	for i, v := range values {
		if err := assign(dest[i], v); err != nil {
			return fmt.Errorf("scan column %d into %T: %w", i+1, dest[i], err)
		}
	}
	return nil
}

// assign converts one value, as database/sql does where the two kinds are
// alike; it takes no number for a text. The common types come first.
func assign(dest any, v driver.Value) error {
	switch d := dest.(type) {
	case *string:
		if s, ok := v.(string); ok {
			*d = s
			return nil
		}
	case *int64:
		if n, ok := v.(int64); ok {
			*d = n
			return nil
		}
	case **string:
		if s, ok := v.(string); ok {
			*d = &s
			return nil
		}
	case *[]byte:
		switch v := v.(type) {
		case []byte:
			*d = v
			return nil
		case nil:
			*d = nil
			return nil
		}
	case *any:
		*d = v
		return nil
	case sql.Scanner:
		return d.Scan(v)
	}
	to := reflect.ValueOf(dest)
	if to.Kind() != reflect.Pointer || to.IsNil() {
		return errors.New("not a pointer")
	}
	return assignKind(to.Elem(), v)
}

// assignKind converts by the kind of the place, so that named types work.
func assignKind(to reflect.Value, v driver.Value) error {
	if to.Kind() == reflect.Pointer {
		if v == nil {
			to.SetZero()
			return nil
		}
		to.Set(reflect.New(to.Type().Elem()))
		return assign(to.Interface(), v)
	}
	switch v := v.(type) {
	case nil:
		return errNull
	case int64:
		return assignInt(to, v)
	case float64:
		if to.CanFloat() {
			to.SetFloat(v)
			return nil
		}
	case bool:
		if to.Kind() == reflect.Bool {
			to.SetBool(v)
			return nil
		}
	case string:
		return assignText(to, v)
	case []byte:
		if to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8 {
			to.SetBytes(v)
			return nil
		}
		return assignText(to, string(v))
	}
	if from := reflect.ValueOf(v); from.Type().AssignableTo(to.Type()) { // a time
		to.Set(from)
		return nil
	}
	return fmt.Errorf("it is a %T", v)
}

func assignInt(to reflect.Value, n int64) error {
	switch {
	case to.CanInt() && !to.OverflowInt(n):
		to.SetInt(n)
	case to.CanUint() && n >= 0 && !to.OverflowUint(uint64(n)):
		to.SetUint(uint64(n))
	case to.CanFloat():
		to.SetFloat(float64(n))
	case to.Kind() == reflect.Bool && (n == 0 || n == 1):
		to.SetBool(n == 1)
	default:
		return fmt.Errorf("it is %d", n)
	}
	return nil
}

func assignText(to reflect.Value, s string) error {
	switch {
	case to.Kind() == reflect.String:
		to.SetString(s)
		return nil
	case to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8:
		to.SetBytes([]byte(s))
		return nil
	case to.CanInt(): // PostgreSQL gives sums as decimal text
		n, err := strconv.ParseInt(s, 10, to.Type().Bits())
		if err != nil {
			return err
		}
		to.SetInt(n)
		return nil
	}
	return errors.New("it is a text")
}
