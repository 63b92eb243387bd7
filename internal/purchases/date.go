package purchases

import (
	"errors"
	"regexp"
	"strings"
	"time"

	"emporium/internal/market"
)

// dateForm is RFC 3339, section 5.6, in all it allows: letters of either case, a
// space for the T, fractions of any length, and seconds up to 60.
var dateForm = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:([0-6][0-9])(?:\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$`)

var (
	errDateForm  = errors.New("must be an RFC 3339 time, such as 2016-08-05T08:40:51.620Z")
	errDateRange = errors.New("must be in the years 1 to 9999")
)

// secondsAt is where the seconds stand in every form.
const secondsAt = len("2006-01-02T15:04:")

// parseDate reads an RFC 3339 time and cuts it to milliseconds. A leap second,
// which can only be the last of a UTC day, is the first moment of the next.
func parseDate(text string) (market.Time, error) {
	m := dateForm.FindStringSubmatch(text)
	if m == nil {
		return market.Time{}, errDateForm
	}
	text = strings.Replace(strings.ToUpper(text), " ", "T", 1)
	leap := m[1] == "60"
	if leap {
		text = text[:secondsAt] + "59" + text[secondsAt+2:]
	}
	parsed, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return market.Time{}, errDateForm // a day that does not exist, or seconds beyond 60
	}
	parsed = parsed.UTC()
	if leap {
		if parsed.Hour() != 23 || parsed.Minute() != 59 {
			return market.Time{}, errDateForm
		}
		parsed = parsed.Truncate(time.Second).Add(time.Second)
	}
	if y := parsed.Year(); y < 1 || y > 9999 {
		return market.Time{}, errDateRange
	}
	return market.At(parsed), nil
}
