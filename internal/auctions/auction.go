// Package auctions tracks bids: who bids how much on which item, and which bid
// of an item is winning.
package auctions

import (
	"embed"
	"errors"
	"io/fs"

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

// User is a bidder.
type User struct {
	ID      UserID
	Name    string
	Account market.UserID // the account that it belongs to, or 0
	Version int64
}

// Item is what is bid on.
type Item struct {
	ID      ItemID
	Name    string
	Winning *BidID  // nil while it has no bid
	Bids    []BidID // in id order
	Version int64   // changes with the name and with every bid
}

// Bid is an amount that a bidder offers for an item. It stays on its item.
type Bid struct {
	ID      BidID
	Item    ItemID
	User    UserID
	Value   market.Money
	Seq     int64       // orders the bids of an item in time: renewed when the value changes
	Placed  market.Time // when it was placed or its value was changed last
	Version int64
}

// Beats says whether a bid wins over another on the same item: it is higher, or
// as high and earlier.
func (b Bid) Beats(other Bid) bool {
	if b.Value != other.Value {
		return b.Value > other.Value
	}
	return b.Seq < other.Seq
}

// Winner gives the bid that wins over all others, or nil when there is none.
// It is what the index bids_rank finds without reading them all.
func Winner(bids []Bid) *BidID {
	if len(bids) == 0 {
		return nil
	}
	best := bids[0]
	for _, b := range bids[1:] {
		if b.Beats(best) {
			best = b
		}
	}
	return &best.ID
}

// maxName bounds names, in bytes: far above any real one.
const maxName = 1000

// maxValue is the amount that a bid must stay below.
const maxValue = market.Money(1e12 * 100)

// deletedName is what the bidder of a deleted account is called: nothing that
// says who it was.
const deletedName = "Deleted account"

// faults is everything wrong with a body. One fault alone keeps its code.
type faults struct {
	list market.Faults
	code string
}

func (f *faults) add(code, field string, value any, format string, args ...any) {
	f.list.Add("body."+field, value, format, args...)
	f.code = code
}

func (f *faults) err() error {
	if len(f.list) > 1 {
		return f.list.Err("invalid_body")
	}
	return f.list.Err(f.code)
}

// readOnly notes a field that says something else than what is stored.
func (f *faults) readOnly(field string, given market.Opt[string], stored string) {
	if given.Set && given.Value != stored {
		f.add("read_only", field, given.Value, "%s is read-only; it is '%s'", field, stored)
	}
}

func (f *faults) name(field, name string) {
	switch {
	case name == "":
		f.add("invalid_name", field, nil, "%s must not be empty", field)
	case len(name) > maxName:
		f.add("invalid_name", field, nil, "%s may have at most %d bytes; it has %d", field, maxName, len(name))
	}
}

// value reads the amount of a bid, exactly.
func (f *faults) value(text string) market.Money {
	const field, code = "bid.value", "invalid_value"
	m, err := market.ParseMoney(text)
	switch {
	case errors.Is(err, market.ErrDecimals):
		f.add(code, field, clip(text), "%s may have at most two decimals; got %s", field, clip(text))
	case errors.Is(err, market.ErrOutOfBounds) || m >= maxValue:
		f.add(code, field, clip(text), "%s must be below %s; got %s", field, maxValue, clip(text))
	case err != nil:
		f.add(code, field, clip(text), "%s must be a number; got '%s'", field, clip(text))
	case m <= 0:
		f.add(code, field, clip(text), "%s must be greater than 0; got %s", field, clip(text))
	}
	return m
}

func (f *faults) unknownItem(id string) {
	f.add("unknown_item", "bid.item", clip(id), "no item has the id '%s'", clip(id))
}

func (f *faults) unknownUser(id string) {
	f.add("unknown_user", "bid.user", clip(id), "no user has the id '%s'", clip(id))
}

// NewUser is a bidder to be.
type NewUser struct {
	Name    string
	Account market.UserID // the account that it shall belong to, or 0
}

func (n NewUser) check() error {
	var f faults
	f.name("name", n.Name)
	if n.Account < 0 {
		f.add("invalid_account", "account_id", n.Account, "account_id must be a positive integer; got %d", n.Account)
	}
	return f.err()
}

// UserChange is what a caller asks a bidder to become.
type UserChange struct {
	ID   market.Opt[string] // read-only: may only repeat what is stored
	Name string
}

func (c UserChange) apply(u User) (User, error) {
	var f faults
	f.readOnly("user_id", c.ID, u.ID.String())
	f.name("name", c.Name)
	u.Name = c.Name
	return u, f.err()
}

// NewItem is an item to be.
type NewItem struct{ Name string }

func (n NewItem) check() error {
	var f faults
	f.name("item.name", n.Name)
	return f.err()
}

// ItemChange is what a caller asks an item to become. A field that is not set
// stays; all but the name may only repeat what is stored.
type ItemChange struct {
	ID      market.Opt[string]
	Name    market.Opt[string]
	Winning market.Opt[string]
	Bids    []BidShown // nil when they were left out
}

// BidShown is a bid as an answer showed it, by its id or whole, and as a caller
// now repeats it.
type BidShown struct {
	ID    string
	Whole bool // the rest was there too
	Item  string
	User  string
	Value string
}

func (s BidShown) repeats(b Bid) bool {
	if !s.Whole || s.ID != b.ID.String() {
		return s.ID == b.ID.String()
	}
	value, err := market.ParseMoney(s.Value)
	return err == nil && value == b.Value && s.Item == b.Item.String() && s.User == b.User.String()
}

// apply gives the item as it would be, or every fault of the change. The bids
// are those of the item; they matter only when the change repeats them.
func (c ItemChange) apply(i Item, bids []Bid) (Item, error) {
	var f faults
	f.readOnly("item_id", c.ID, i.ID.String())
	if c.Name.Set {
		f.name("item.name", c.Name.Value)
		i.Name = c.Name.Value
	}
	if c.Winning.Set && (c.Winning.Null != (i.Winning == nil) || !c.Winning.Null && c.Winning.Value != i.Winning.String()) {
		f.add("read_only", "item.winning", nil, "item.winning is read-only: the highest bid wins, and the earlier of two equal ones")
	}
	same := c.Bids == nil || len(c.Bids) == len(bids)
	for n := 0; same && n < len(c.Bids); n++ {
		same = c.Bids[n].repeats(bids[n])
	}
	if !same {
		f.add("read_only", "item.bids", nil, "item.bids is read-only: place, change and delete bids under /api/v1/bids")
	}
	return i, f.err()
}

// NewBid is a bid to be, as its caller wrote it.
type NewBid struct {
	Item  string
	User  string // may be empty in protected mode, where one bids as oneself
	Value string // a JSON number
}

// BidChange is what a caller asks a bid to become, as it was written. A field
// that is not set stays.
type BidChange struct {
	ID    market.Opt[string] // read-only
	Item  market.Opt[string] // read-only: a bid stays on its item
	User  market.Opt[string]
	Value market.Opt[string] // a JSON number
}

// apply gives the bid as it would be, and notes what is wrong. Whether its user
// exists is left to the store.
func (c BidChange) apply(b Bid, f *faults) Bid {
	f.readOnly("bid_id", c.ID, b.ID.String())
	if c.Item.Set && c.Item.Value != b.Item.String() {
		f.add("read_only", "bid.item", clip(c.Item.Value), "bid.item is read-only: a bid stays on its item, %s", b.Item)
	}
	if c.Value.Set {
		b.Value = f.value(c.Value.Value)
	}
	if c.User.Set {
		b.User = userID(c.User.Value)
	}
	return b
}
