package coupons

import (
	"fmt"
	"time"

	"emporium/internal/market"
)

// dateShape is a date with all decimals that it may have; at least one must be
// there. A 0 stands for any digit.
const dateShape = "0000-00-00T00:00:00.000000Z"

const (
	leastDate = len("0000-00-00T00:00:00.0Z")
	decimals  = len("0000-00-00T00:00:00.") // where they begin
)

// ParseDate reads a date as clients of the coupon API write it: UTC with a Z
// and one to six decimals, which are cut to milliseconds. Years go from 1 to
// 9999. The error reads well after the name of a field, and says "does not
// match format", which those clients look for.
func ParseDate(text string) (market.Time, error) {
	if hasDateShape(text) {
		// The shape leaves to judge only whether there is such a day and time.
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil && t.Year() > 0 {
			return market.At(t), nil
		}
	}
	return market.Time{}, fmt.Errorf("'%s' does not match format 'YYYY-MM-DDThh:mm:ss.ssssssZ': a date that exists, in UTC, with one to six decimals", clip(text))
}

func hasDateShape(text string) bool {
	if len(text) < leastDate || len(text) > len(dateShape) {
		return false
	}
	last := len(text) - 1
	for i := range last {
		if dateShape[i] == '0' {
			if text[i] < '0' || text[i] > '9' {
				return false
			}
		} else if text[i] != dateShape[i] {
			return false
		}
	}
	return last > decimals && text[last] == 'Z'
}
