// Package property keeps what owners offer: properties of some type in some
// city, and their rooms.
package property

import (
	"embed"
	"io/fs"
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

// ID is the number of a property.
type ID int64

// Property is a place that somebody offers.
type Property struct {
	ID          ID
	Name        string
	Description string
	City        string
	Type        TypeID
	Owner       market.UserID
	Version     int64
}

// Change is what a caller asks a property to become, or to be from the start. A
// field that is not set stays.
type Change struct {
	ID          market.Opt[int64] // read-only: may only repeat what is stored
	Name        market.Opt[string]
	Description market.Opt[string]
	City        market.Opt[string]
	Type        market.Opt[int64]
	Owner       market.Opt[int64] // read-only: whose it is comes from the token
}

// apply gives the property as it would be, and every fault that shows without
// knowing which types there are.
func (c Change) apply(p Property) (Property, market.Faults) {
	var faults market.Faults
	if c.ID.Set && c.ID.Value != int64(p.ID) {
		faults.Add("body.propertyId", c.ID.Value, "propertyId is read-only; it is %d", p.ID)
	}
	setText(&faults, "name", &p.Name, c.Name)
	setText(&faults, "description", &p.Description, c.Description)
	setText(&faults, "city", &p.City, c.City)
	if c.Type.Set {
		p.Type = TypeID(c.Type.Value)
	}
	if c.Owner.Set && c.Owner.Value != int64(p.Owner) {
		faults.Add("body.userId", c.Owner.Value, "userId is read-only; it is %d", p.Owner)
	}
	return p, faults
}

// maxText is how many characters a text may have.
const maxText = 255

// setText puts a text that was given in its place, and notes when it is not 1 to
// 255 characters long.
func setText(faults *market.Faults, field string, to *string, given market.Opt[string]) {
	if !given.Set {
		return
	}
	*to = given.Value
	switch n := utf8.RuneCountInString(given.Value); {
	case n == 0:
		faults.Add("body."+field, nil, "%s must not be empty", field)
	case n > maxText:
		faults.Add("body."+field, nil, "%s may have at most %d characters; it has %d", field, maxText, n)
	}
}

// mine refuses a change of what belongs to somebody else.
func (p Property) mine(by market.Identity) error {
	if !by.MayChange(p.Owner) {
		return market.Refuse(market.Denied, "not_owner", "the property %d belongs to somebody else", p.ID)
	}
	return nil
}
