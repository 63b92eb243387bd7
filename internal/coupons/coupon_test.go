package coupons_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"emporium/internal/coupons"
	"emporium/internal/market"
)

func TestParseDate(t *testing.T) {
	for text, want := range map[string]string{
		"2016-08-05T08:40:51.620Z":    "2016-08-05T08:40:51.620Z",
		"2016-08-05T08:40:51.6Z":      "2016-08-05T08:40:51.600Z",
		"2016-08-05T08:40:51.620999Z": "2016-08-05T08:40:51.620Z",
		"2016-02-29T23:59:59.999999Z": "2016-02-29T23:59:59.999Z",
		"0001-01-01T00:00:00.0Z":      "0001-01-01T00:00:00.000Z",
		"9999-12-31T23:59:59.999999Z": "9999-12-31T23:59:59.999Z",
	} {
		if got, err := coupons.ParseDate(text); err != nil || got.String() != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range badDates {
		if got, err := coupons.ParseDate(text); err == nil || !strings.Contains(err.Error(), "does not match format") {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
}

var badDates = []string{
	"", "Z", "now", "2016-08-05", "1470386451", "2016-08-05T08:40:51Z", "2016-08-05T08:40:51.Z", "2016-08-05T08:40:51.1234567Z",
	"2016-08-05T08:40:51.620", "2016-08-05T08:40:51.620+00:00", "2016-08-05T08:40:51.620+02:00", "2016-08-05 08:40:51.620Z",
	"2016-08-05t08:40:51.620z", "2016-08-05T08:40:51,620Z", "2016-8-5T08:40:51.620Z", " 2016-08-05T08:40:51.620Z", "2016-08-05T08:40:51.620Z\n",
	"2016-02-30T08:40:51.620Z", "2015-02-29T08:40:51.620Z", "2016-13-05T08:40:51.620Z", "2016-00-05T08:40:51.620Z", "2016-08-00T08:40:51.620Z",
	"2016-12-31T23:59:60.000Z", "2016-08-05T24:00:00.000Z", "2016-08-05T08:60:00.000Z", "0000-01-01T00:00:00.000Z", "-001-01-01T00:00:00.000Z",
	"12016-08-05T08:40:51.620Z", "２016-08-05T08:40:51.62Z", strings.Repeat("é", 100),
}

var dateSyntax = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,6}Z$`)

// A date is taken when and only when it has the format and comes back as it
// went in, to the millisecond.
func FuzzParseDate(f *testing.F) {
	for _, text := range badDates {
		f.Add(text)
	}
	f.Add("2016-08-05T08:40:51.620Z")
	f.Add("2016-08-05T08:40:51.6Z")
	f.Add("9999-12-31T23:59:59.999999Z")
	f.Fuzz(func(t *testing.T, text string) {
		date, err := coupons.ParseDate(text)
		parsed, wrong := time.Parse("2006-01-02T15:04:05Z", text)
		if exists := dateSyntax.MatchString(text) && wrong == nil && parsed.Year() > 0; exists != (err == nil) {
			t.Fatalf("%q exists: %v; got %v", text, exists, err)
		}
		if err != nil {
			return
		}
		digits := (strings.TrimSuffix(text, "Z") + "00")[:len(market.TimeLayout)-1]
		if date.String() != digits+"Z" {
			t.Fatalf("%q became %s", text, date)
		}
		if again, err := coupons.ParseDate(date.String()); err != nil || again != date {
			t.Fatalf("%s came back as %s, %v", date, again, err)
		}
	})
}
