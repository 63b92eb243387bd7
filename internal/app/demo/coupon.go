package demo

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"emporium/internal/market"
)

// Coupon is a merchant's offer. Some were entered carelessly: they lack fields,
// or end before they begin, which makes them invalid.
type Coupon struct {
	Category    *string      `json:"category"`
	Code        *string      `json:"couponcode"`
	Description *string      `json:"description"`
	Merchant    *string      `json:"merchant"`
	Title       *string      `json:"title"`
	Store       *Store       `json:"store"`
	PublishedAt *market.Time `json:"published_at,omitempty"` // nil: now
	ExpireAt    *market.Time `json:"expire_at,omitempty"`    // nil: now
}

// Store is where a coupon is taken. Latitude and longitude are degrees with at
// most six decimals.
type Store struct {
	Lat    *float64 `json:"lat"`
	Long   *float64 `json:"long"`
	City   *string  `json:"city"`
	Phone  *string  `json:"phone"`
	State  *string  `json:"state"`
	Street *string  `json:"street"`
	Zip    *string  `json:"zip"`
}

const day = 24 * time.Hour

// Coupons gives some four hundred, as they were published over the last half year
// and the coming two weeks, in no order. One in fourteen is invalid.
func (d *Data) Coupons() iter.Seq[Coupon] {
	return func(yield func(Coupon) bool) {
		r := d.random("coupons")
		at := r.Perm(len(towns))
		place := 0
		for _, m := range merchants {
			for range m.stores {
				s := newStore(r, towns[at[place%len(at)]])
				place++
				for range 5 + r.IntN(6) {
					if !yield(d.coupon(r, m, s)) {
						return
					}
				}
			}
		}
	}
}

func newStore(r *rand.Rand, t town) *Store {
	near := func(degrees float64) *float64 {
		return new(math.Round((degrees+(r.Float64()-0.5)*0.02)*1e6) / 1e6)
	}
	return &Store{
		Lat: near(t.lat), Long: near(t.long), City: &t.city, State: &t.state, Zip: &t.zip,
		Street: new(fmt.Sprintf("%d %s", 1+r.IntN(240), pick(r, streets))),
		Phone:  new(fmt.Sprintf("(%s) 555-01%02d", t.area, r.IntN(100))),
	}
}

func (d *Data) coupon(r *rand.Rand, m merchant, s *Store) Coupon {
	title, terms, worth := offer(r, trades[m.trade])
	from := d.now.Add(14 * day).Add(-time.Duration(r.IntN(194*24)) * time.Hour).Truncate(time.Hour)
	until := from.Add(time.Duration(7*(1+r.IntN(20))) * day)
	if chance(r, 7) {
		until = from.Add(-time.Duration(1+r.IntN(30)) * day)
	}
	code := strings.ToUpper(letters(m.name)) + worth + "-" + randomCode(r)
	c := Coupon{
		Category: &m.trade, Merchant: &m.name, Title: &title, Code: &code, Store: s,
		Description: new(terms + " Show this code at " + m.name + " in " + *s.City + "."),
		PublishedAt: new(market.At(from)), ExpireAt: new(market.At(until)),
	}
	switch r.IntN(30) {
	case 0: // by mail only
		c.Store = nil
	case 1:
		c.Store = &Store{City: s.City, State: s.State}
	case 2:
		c.Description = nil
	case 3:
		c.Category, c.Code = nil, nil
	case 4:
		c.PublishedAt, c.ExpireAt = nil, nil
	}
	return c
}

// offer makes up a title, its terms, and what of it goes into the code.
func offer(r *rand.Rand, t trade) (title, terms, worth string) {
	goods, gift := pick(r, t.goods), pick(r, t.gifts)
	percent, dollars := 5*(1+r.IntN(8)), 5*(1+r.IntN(4))
	switch r.IntN(5) {
	case 0:
		return fmt.Sprintf("%d%% off %s", percent, goods),
			fmt.Sprintf("%d%% off the marked price of all %s, while there are any.", percent, goods), strconv.Itoa(percent)
	case 1:
		return fmt.Sprintf("$%d off %s", dollars, goods),
			fmt.Sprintf("$%d off when you spend $%d or more on %s.", dollars, dollars*4, goods), strconv.Itoa(dollars)
	case 2:
		return "Two for one: " + goods, "Take two " + goods + " and pay for the dearer one. One per visit.", "2"
	case 3:
		return fmt.Sprintf("Free with %s: %s", goods, gift), fmt.Sprintf("With any purchase of %s you get %s on the house.", goods, gift), "PLUS"
	default:
		return fmt.Sprintf("Weekday special: %d%% off %s", percent, goods),
			fmt.Sprintf("Monday to Thursday, %d%% off %s. Not with other offers.", percent, goods), strconv.Itoa(percent)
	}
}

// letters gives the first four letters from A to Z of a name.
func letters(name string) string {
	var out []rune
	for _, c := range name {
		if len(out) < 4 && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			out = append(out, c)
		}
	}
	return string(out)
}

// randomCode has no characters that are read as one another.
func randomCode(r *rand.Rand) string {
	const signs = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
	code := make([]byte, 4)
	for i := range code {
		code[i] = signs[r.IntN(len(signs))]
	}
	return string(code)
}
