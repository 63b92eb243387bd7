// Package purchases is the megastore's data API: its customers, its products and
// who bought what, when. Nothing in it is ever changed or removed.
package purchases

import (
	"embed"
	"io/fs"
	"strings"
	"unicode"
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

const (
	maxText   = 255       // characters of a name, an address and a face
	maxNumber = 1<<53 - 1 // of ids, sizes and prices: what every reader of JSON keeps exact
)

// NewProduct is a product that is to be added.
type NewProduct struct {
	ID          market.Opt[int64] // chosen by the caller; otherwise the next one
	Face        string            // kept code point by code point
	Size, Price int64             // the price in cents
}

// NewPurchase is a purchase that is to be added.
type NewPurchase struct {
	ID        market.Opt[int64] // chosen by the caller; otherwise the next one
	ProductID int64
	Username  string
	Date      market.Opt[string] // in any form of RFC 3339; otherwise now
}

// checkCustomer gives every fault of a new customer. A name may be of any
// characters that can be seen, since it may come from another shop; so may what
// stands around the @ of an address.
func checkCustomer(c market.Customer) error {
	var faults market.Faults
	checkText(&faults, "username", c.Username)
	checkText(&faults, "email", c.Email)
	if strings.ContainsFunc(c.Username, unicode.IsControl) {
		faults.Add("body.username", nil, "username must not contain control characters")
	}
	if local, domain, _ := strings.Cut(c.Email, "@"); c.Email != "" && (local == "" || domain == "") {
		faults.Add("body.email", nil, "email must be an address, such as ann@example.com")
	}
	return faults.Err("invalid_user")
}

func checkText(faults *market.Faults, field, text string) {
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		faults.Add("body."+field, nil, "%s must not be empty", field)
	case n > maxText:
		faults.Add("body."+field, nil, "%s may have at most %d characters; it has %d", field, maxText, n)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		faults.Add("body."+field, nil, "%s must be text in UTF-8 without null characters", field)
	}
}

// product gives the product as it would be, without its id when that is not
// chosen, or every fault.
func (n NewProduct) product() (market.Product, error) {
	var faults market.Faults
	p := market.Product{ID: chosen(&faults, n.ID), Face: n.Face, Size: n.Size, Price: n.Price}
	checkText(&faults, "face", n.Face)
	for _, f := range []struct {
		name  string
		value int64
	}{{"size", n.Size}, {"price", n.Price}} {
		if f.value < 0 || f.value > maxNumber {
			faults.Add("body."+f.name, f.value, "%s must be from 0 to %d", f.name, int64(maxNumber))
		}
	}
	return p, faults.Err("invalid_product")
}

// purchase gives the purchase as it would be, without its id when that is not
// chosen, or every fault that can be seen without the other tables.
func (n NewPurchase) purchase(now market.Time) (market.Purchase, error) {
	var faults market.Faults
	p := market.Purchase{ID: chosen(&faults, n.ID), ProductID: n.ProductID, Username: n.Username, Date: now}
	if n.Date.Ptr() != nil {
		date, err := parseDate(n.Date.Value)
		if err != nil {
			faults.Add("body.date", nil, "date %s", err)
		}
		p.Date = date
	}
	return p, faults.Err("invalid_purchase")
}

// chosen gives the id that the caller chose, or 0.
func chosen(faults *market.Faults, id market.Opt[int64]) int64 {
	if id.Ptr() == nil {
		return 0
	}
	if id.Value < 1 || id.Value > maxNumber {
		faults.Add("body.id", id.Value, "id must be from 1 to %d", int64(maxNumber))
	}
	return id.Value
}
