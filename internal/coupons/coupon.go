// Package coupons keeps the coupons of merchants, and says which are valid.
package coupons

import (
	"embed"
	"io/fs"
	"math"
	"strings"
	"unicode/utf8"

	"emporium/internal/market"
)

//go:embed migrations
var files embed.FS

// Migrations make the service's tables: a folder for each engine.
func Migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// Coupon is what a merchant offers. Texts may be nil, dates are always there.
type Coupon struct {
	ID          int64
	Category    *string
	Code        *string
	Description *string
	Merchant    *string
	Title       *string
	Store       *Store // nil: no particular one
	ExpireAt    market.Time
	PublishedAt market.Time
	Version     int64
}

// Shown is a coupon as its readers get it. It is kept so, beside its columns:
// reading those one by one and encoding them takes three times as long. When
// what is shown changes, a migration writes it anew.
type Shown struct {
	ID      int64
	Version int64
	Rest    string // a JSON object of all but the id
}

// Store is where a coupon is taken. A store of which nothing is known is still
// one, and differs from none.
type Store struct {
	Lat    *float64 // degrees, six decimals
	Long   *float64
	City   *string
	Phone  *string
	State  *string
	Street *string
	Zip    *string
}

// Valid says whether the coupon expires at or after its publication. It does
// not ask what time it is.
func (c Coupon) Valid() bool { return !c.ExpireAt.Before(c.PublishedAt.Time) }

// Status is what the list can be narrowed to.
type Status string

// The statuses; the zero Status is all coupons.
const (
	Valid   Status = "valid"   // expires at or after its publication
	Invalid Status = "invalid" // expires before it
)

// Filter says which coupons a list shows. The zero Filter is all of them.
type Filter struct {
	Status Status
}

// Bounds of the texts, in characters: far above what is real, far below what
// would make a list hard to read. The input types of http.go document them.
const (
	maxText        = 1000
	maxDescription = 100_000
)

// Draft is what a caller asks a coupon to be. A field that is not set stays as
// it is; in a new coupon it is null, and a date is now.
type Draft struct {
	ID          market.Opt[int64] // read-only: may only repeat what is stored
	Category    market.Opt[string]
	Code        market.Opt[string]
	Description market.Opt[string]
	Merchant    market.Opt[string]
	Title       market.Opt[string]
	Store       market.Opt[Store]  // replaces the whole store
	ExpireAt    market.Opt[string] // as [ParseDate] reads it; null is as if not set
	PublishedAt market.Opt[string]
}

// written gives the coupon as it would be and as it would be shown.
func (d Draft) written(c Coupon) (_ Coupon, shown string, err error) {
	if c, err = d.apply(c); err != nil {
		return Coupon{}, "", err
	}
	shown, err = render(c)
	return c, shown, err
}

// apply gives the coupon as it would be, or every fault of the draft.
func (d Draft) apply(c Coupon) (Coupon, error) {
	var faults market.Faults
	if d.ID.Set && d.ID.Value != c.ID {
		faults.Add("body.id", d.ID.Value, "id is read-only; it is %d", c.ID)
	}
	for _, f := range []struct {
		name   string
		given  market.Opt[string]
		stored **string
		bound  int
	}{
		{"category", d.Category, &c.Category, maxText},
		{"couponcode", d.Code, &c.Code, maxText},
		{"description", d.Description, &c.Description, maxDescription},
		{"merchant", d.Merchant, &c.Merchant, maxText},
		{"title", d.Title, &c.Title, maxText},
	} {
		checkText(&faults, f.name, f.given.Ptr(), f.bound)
		*f.stored = f.given.Or(*f.stored)
	}
	if d.Store.Set {
		c.Store = d.Store.Ptr().checked(&faults)
	}
	applyDate(&faults, "expire_at", d.ExpireAt, &c.ExpireAt)
	applyDate(&faults, "published_at", d.PublishedAt, &c.PublishedAt)
	return c, faults.Err("invalid_coupon")
}

func applyDate(faults *market.Faults, name string, given market.Opt[string], stored *market.Time) {
	text := given.Ptr()
	if text == nil {
		return
	}
	date, err := ParseDate(*text)
	if err != nil {
		faults.Add("body."+name, clip(*text), "%s %s", name, err)
		return
	}
	*stored = date
}

// checked gives the store as it is kept.
func (s *Store) checked(faults *market.Faults) *Store {
	if s == nil {
		return nil
	}
	kept := *s
	kept.Lat = checkDegrees(faults, "store.lat", s.Lat, 90)
	kept.Long = checkDegrees(faults, "store.long", s.Long, 180)
	checkText(faults, "store.city", s.City, maxText)
	checkText(faults, "store.phone", s.Phone, maxText)
	checkText(faults, "store.state", s.State, maxText)
	checkText(faults, "store.street", s.Street, maxText)
	checkText(faults, "store.zip", s.Zip, maxText)
	return &kept
}

// checkDegrees rounds to six decimals, some ten centimetres, and then looks at
// the bound.
func checkDegrees(faults *market.Faults, name string, degrees *float64, bound float64) *float64 {
	if degrees == nil {
		return nil
	}
	rounded := math.Round(*degrees*1e6)/1e6 + 0 // -0 becomes 0
	if !(math.Abs(rounded) <= bound) {
		faults.Add("body."+name, nil, "%s must be from -%g to %g; got %g", name, bound, bound, *degrees)
		return nil
	}
	return &rounded
}

// checkText asks for what every engine can store. From HTTP it comes as clean
// text; from elsewhere it may not.
func checkText(faults *market.Faults, name string, text *string, bound int) {
	if text == nil {
		return
	}
	if !utf8.ValidString(*text) || strings.IndexByte(*text, 0) >= 0 {
		faults.Add("body."+name, nil, "%s must be text in UTF-8 without null characters", name)
	} else if n := utf8.RuneCountInString(*text); n > bound {
		faults.Add("body."+name, nil, "%s may have at most %d characters; it has %d", name, bound, n)
	}
}

// clip keeps a value that is echoed to a readable length.
func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}
