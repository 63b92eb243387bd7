package purchases

import (
	"strings"
	"testing"

	"emporium/internal/market"
)

var goodDates = map[string]string{
	"2016-08-05T08:40:51.620Z":                             "2016-08-05T08:40:51.620Z",
	"2016-08-05T08:40:51Z":                                 "2016-08-05T08:40:51.000Z",
	"2016-08-05t08:40:51.6z":                               "2016-08-05T08:40:51.600Z",
	"2016-08-05 08:40:51.6209999Z":                         "2016-08-05T08:40:51.620Z",
	"2016-08-05T08:40:51+05:30":                            "2016-08-05T03:10:51.000Z",
	"2016-08-05T08:40:51-00:00":                            "2016-08-05T08:40:51.000Z",
	"2016-12-31T23:59:60Z":                                 "2017-01-01T00:00:00.000Z",
	"2017-01-01T05:29:60.5+05:30":                          "2017-01-01T00:00:00.000Z",
	"2016-02-29T00:00:00Z":                                 "2016-02-29T00:00:00.000Z",
	"0001-01-01T00:00:00Z":                                 "0001-01-01T00:00:00.000Z",
	"9999-12-31T23:59:59.9999999Z":                         "9999-12-31T23:59:59.999Z",
	"2016-08-05T08:40:51." + strings.Repeat("9", 40) + "Z": "2016-08-05T08:40:51.999Z",
}

var badDates = []string{
	"", "yesterday", "2016-08-05", "2016-08-05T08:40Z", "2016-08-05T08:40:51", "2016-08-05T08:40:51,5Z", "2016-08-05T8:40:51Z",
	"2016-02-30T00:00:00Z", "2015-02-29T00:00:00Z", "2016-13-01T00:00:00Z", "2016-08-05T24:00:00Z", "2016-08-05T08:60:00Z", "2016-08-05T08:40:61Z",
	"2016-08-05T08:40:60Z", "2016-08-05T08:40:51+24:00", "2016-08-05T08:40:51+0200", "2016-08-05T08:40:51.Z", " 2016-08-05T08:40:51Z", "2016-08-05T08:40:51Z\n",
	"0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "9999-12-31T23:59:60Z", "+2016-08-05T08:40:51Z", "1470386451",
}

func TestParseDate(t *testing.T) {
	for text, want := range goodDates {
		if got, err := parseDate(text); err != nil || got.String() != want {
			t.Errorf("%q: %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range badDates {
		if got, err := parseDate(text); err == nil {
			t.Errorf("%q was taken for %s", text, got)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	for text := range goodDates {
		f.Add(text)
	}
	for _, text := range badDates {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseDate(text)
		if err != nil {
			return
		}
		if len(got.String()) != len(market.TimeLayout) {
			t.Fatalf("%q is kept as %s, which has another width", text, got)
		}
		if again, err := parseDate(got.String()); err != nil || again != got {
			t.Fatalf("%q is %s, which reads as %s, %v", text, got, again, err)
		}
	})
}
