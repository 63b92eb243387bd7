package market_test

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"emporium/internal/market"
)

func TestParseMoney(t *testing.T) {
	for _, c := range []struct {
		in   string
		want market.Money
		err  error
	}{
		{"180", 18000, nil},
		{"180.5", 18050, nil},
		{"180.55", 18055, nil},
		{"1.500", 150, nil},
		{"1.8e2", 18000, nil},
		{"18e-1", 180, nil},
		{"-0", 0, nil},
		{"-0.01", -1, nil},
		{"0e999999999999999999999", 0, nil},
		{"999999999999999.99", 99999999999999999, nil},
		{"1000000000000000", 0, market.ErrOutOfBounds},
		{"1e309", 0, market.ErrOutOfBounds},
		{"1e99999999999999999999", 0, market.ErrOutOfBounds},
		{"1e-99999999999999999999", 0, market.ErrDecimals},
		{"180.555", 0, market.ErrDecimals},
		{"1e-3", 0, market.ErrDecimals},
		{"", 0, market.ErrNotNumber},
		{"NaN", 0, market.ErrNotNumber},
		{"+1", 0, market.ErrNotNumber},
		{"01", 0, market.ErrNotNumber},
		{".5", 0, market.ErrNotNumber},
		{"5.", 0, market.ErrNotNumber},
		{"1e", 0, market.ErrNotNumber},
		{" 1", 0, market.ErrNotNumber},
		{"0x10", 0, market.ErrNotNumber},
		{"١", 0, market.ErrNotNumber},
	} {
		got, err := market.ParseMoney(c.in)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("ParseMoney(%q) = %d, %v; want %d, %v", c.in, got, err, c.want, c.err)
		}
	}
}

func TestMoneyString(t *testing.T) {
	for m, want := range map[market.Money]string{0: "0", 5: "0.05", -5: "-0.05", 18000: "180", 18050: "180.5", 10: "0.1", 100000: "1000"} {
		if got := m.String(); got != want {
			t.Errorf("Money(%d).String() = %q, want %q", m, got, want)
		}
	}
	if got := market.Money(25000).Fixed(); got != "250.00" {
		t.Errorf("Fixed() = %q, want 250.00", got)
	}
}

// FuzzParseMoney holds the parser against exact rational arithmetic.
func FuzzParseMoney(f *testing.F) {
	for _, s := range []string{"180", "1.5", "-0", "1e309", "NaN", "0.001", "1e-2", "99999999999999999999", "1E+2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := market.ParseMoney(s)
		if err != nil {
			return
		}
		if len(s) > 40 || strings.ContainsAny(s, "eE") && len(s) > 12 {
			return // big.Rat would take exponents literally
		}
		exact, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("ParseMoney took %q, which is no number", s)
		}
		if exact.Cmp(big.NewRat(int64(m), 100)) != 0 {
			t.Fatalf("ParseMoney(%q) = %d", s, m)
		}
		if back, err := market.ParseMoney(m.String()); err != nil || back != m {
			t.Fatalf("%q does not read back: %d, %v", m.String(), back, err)
		}
	})
}

// FuzzParseInteger holds the parser against exact rational arithmetic.
func FuzzParseInteger(f *testing.F) {
	for _, s := range []string{"5", "5.0", "-5", "5e2", "9223372036854775807", "9223372036854775808", "0.5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := market.ParseInteger(s)
		if err != nil || len(s) > 40 || strings.ContainsAny(s, "eE") && len(s) > 12 {
			return
		}
		exact, ok := new(big.Rat).SetString(s)
		if !ok || exact.Cmp(new(big.Rat).SetInt64(n)) != 0 {
			t.Fatalf("ParseInteger(%q) = %d", s, n)
		}
	})
}
