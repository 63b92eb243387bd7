package market

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Money is an amount in hundredths: 250 is Money(25000), 0.05 is Money(5). It
// never passes through binary floating point.
type Money int64

// Why an amount cannot be read.
var (
	ErrNotNumber   = errors.New("must be a number")
	ErrDecimals    = errors.New("may have at most two decimals")
	ErrOutOfBounds = errors.New("is too large")
)

// maxMoney bounds amounts to 15 digits before the point, so that sums of many
// still fit.
const maxMoney = 1e17

// ParseMoney reads a JSON number ("180", "180.5", "1.8e2", "-0") exactly.
// Trailing zeros count for nothing: 1.500 has one decimal.
func ParseMoney(s string) (Money, error) {
	digits, exp, negative, err := parseDecimal(s)
	if err != nil {
		return 0, err
	}
	if digits == "" {
		return 0, nil
	}
	exp += 2
	if exp < 0 {
		return 0, ErrDecimals
	}
	if len(digits)+exp > 17 {
		return 0, ErrOutOfBounds
	}
	n, err := strconv.ParseInt(digits+strings.Repeat("0", exp), 10, 64)
	if err != nil || n >= maxMoney {
		return 0, ErrOutOfBounds
	}
	if negative {
		n = -n
	}
	return Money(n), nil
}

// ParseInteger reads a JSON number that is a whole number ("5", "5.0", "5e2").
func ParseInteger(s string) (int64, error) {
	digits, exp, negative, err := parseDecimal(s)
	switch {
	case err != nil:
		return 0, err
	case digits == "":
		return 0, nil
	case exp < 0:
		return 0, errors.New("must be a whole number")
	case len(digits)+exp > 19:
		return 0, ErrOutOfBounds
	}
	text := digits + strings.Repeat("0", exp)
	if negative {
		text = "-" + text
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, ErrOutOfBounds
	}
	return n, nil
}

// parseDecimal splits a JSON number (RFC 8259, section 6) into its significant
// digits and a power of ten. The digits are empty for zero; they neither begin
// nor end with a zero.
func parseDecimal(s string) (digits string, exp int, negative bool, err error) {
	rest, negative := strings.CutPrefix(s, "-")
	mantissa, exponent, hasExp := cutAny(rest, "eE")
	whole, fraction, hasPoint := strings.Cut(mantissa, ".")
	if !allDigits(whole) || (len(whole) > 1 && whole[0] == '0') || (hasPoint && !allDigits(fraction)) {
		return "", 0, false, ErrNotNumber
	}
	if hasExp {
		unsigned := exponent
		if exponent != "" && (exponent[0] == '+' || exponent[0] == '-') {
			unsigned = exponent[1:]
		}
		if !allDigits(unsigned) {
			return "", 0, false, ErrNotNumber
		}
		if exp, err = strconv.Atoi(exponent); err != nil {
			exp = math.MaxInt32 // so large that it is out of bounds, or that no digit is left
			if exponent[0] == '-' {
				exp = -math.MaxInt32
			}
		}
	}
	digits = strings.TrimLeft(whole+fraction, "0")
	exp -= len(fraction)
	trimmed := strings.TrimRight(digits, "0")
	exp += len(digits) - len(trimmed)
	return trimmed, min(max(exp, -math.MaxInt32), math.MaxInt32), negative, nil
}

func cutAny(s, chars string) (before, after string, found bool) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// String writes the shortest decimal: "180", "180.5", "0.05".
func (m Money) String() string {
	text := m.Fixed()
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(text, "0"), "0"), ".")
}

// Fixed writes two decimals: "180.00".
func (m Money) Fixed() string {
	sign, n := "", uint64(m)
	if m < 0 {
		sign, n = "-", -n
	}
	cents := strconv.FormatUint(n%100, 10)
	if len(cents) < 2 {
		cents = "0" + cents
	}
	return sign + strconv.FormatUint(n/100, 10) + "." + cents
}

// MarshalJSON writes a JSON number.
func (m Money) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalJSON reads a JSON number of at most two decimals.
func (m *Money) UnmarshalJSON(b []byte) (err error) {
	*m, err = ParseMoney(string(b))
	return err
}
