package market

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// TimeLayout is how a [Time] is written and stored: RFC 3339 in UTC with
// exactly three decimals, so that text order is time order.
const TimeLayout = "2006-01-02T15:04:05.000Z"

// Time is an instant in UTC with milliseconds, the same in JSON, in SQLite
// (fixed-width text) and in PostgreSQL (timestamptz).
type Time struct{ time.Time }

// At cuts an instant to what is stored: UTC, whole milliseconds.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Millisecond)} }

// String writes the instant as [TimeLayout] does.
func (t Time) String() string { return t.UTC().Format(TimeLayout) }

// MarshalText writes the instant as [TimeLayout] does.
func (t Time) MarshalText() ([]byte, error) { return t.AppendText(nil) }

// AppendText appends the instant as [TimeLayout] does.
func (t Time) AppendText(b []byte) ([]byte, error) {
	return t.UTC().AppendFormat(b, TimeLayout), nil
}

// MarshalJSON writes the text in quotes. Without it, that of time.Time would be
// promoted, which drops the zeros at the end.
func (t Time) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, len(TimeLayout)+2)
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, TimeLayout)
	return append(b, '"'), nil
}

// UnmarshalJSON reads any RFC 3339 instant in quotes; null changes nothing.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return fmt.Errorf("%s is not an RFC 3339 time", b)
	}
	return t.UnmarshalText(b[1 : len(b)-1])
}

// UnmarshalText reads any RFC 3339 instant and cuts it to milliseconds.
func (t *Time) UnmarshalText(b []byte) error {
	parsed, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("%q is not an RFC 3339 time", b)
	}
	*t = At(parsed)
	return nil
}

// Value gives the database the fixed-width text, which both engines take.
func (t Time) Value() (driver.Value, error) { return t.String(), nil }

// Scan reads what either engine gives back.
func (t *Time) Scan(v any) error {
	switch v := v.(type) {
	case time.Time:
		*t = At(v)
		return nil
	case string:
		return t.UnmarshalText([]byte(v))
	case []byte:
		return t.UnmarshalText(v)
	}
	return fmt.Errorf("scan %T into a time", v)
}
