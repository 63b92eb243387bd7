package auctions

import (
	"strconv"
	"strings"

	"emporium/internal/market"
)

// UserID is the number of a bidder, written "user1".
type UserID int64

// ItemID is the number of an item, written "item1".
type ItemID int64

// BidID is the number of a bid, written "bid1".
type BidID int64

const (
	userPrefix = "user"
	itemPrefix = "item"
	bidPrefix  = "bid"
)

// String writes "user1".
func (id UserID) String() string { return userPrefix + strconv.FormatInt(int64(id), 10) }

// String writes "item1".
func (id ItemID) String() string { return itemPrefix + strconv.FormatInt(int64(id), 10) }

// String writes "bid1".
func (id BidID) String() string { return bidPrefix + strconv.FormatInt(int64(id), 10) }

// AppendText appends "user1".
func (id UserID) AppendText(b []byte) ([]byte, error) { return appendID(b, userPrefix, int64(id)), nil }

// AppendText appends "item1".
func (id ItemID) AppendText(b []byte) ([]byte, error) { return appendID(b, itemPrefix, int64(id)), nil }

// AppendText appends "bid1".
func (id BidID) AppendText(b []byte) ([]byte, error) { return appendID(b, bidPrefix, int64(id)), nil }

// MarshalText writes "user1".
func (id UserID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// MarshalText writes "item1".
func (id ItemID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// MarshalText writes "bid1".
func (id BidID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// UnmarshalText reads "user1". Whatever no bidder can be called is as unknown
// as one that does not exist: NotFound.
func (id *UserID) UnmarshalText(b []byte) error {
	if *id = userID(string(b)); *id == 0 {
		return noUser(string(b))
	}
	return nil
}

// UnmarshalText reads "item1", and refuses what no item can be called as
// NotFound.
func (id *ItemID) UnmarshalText(b []byte) error {
	if *id = itemID(string(b)); *id == 0 {
		return noItem(string(b))
	}
	return nil
}

// UnmarshalText reads "bid1", and refuses what no bid can be called as NotFound.
func (id *BidID) UnmarshalText(b []byte) error {
	if *id = BidID(parseID(string(b), bidPrefix)); *id == 0 {
		return noBid(string(b))
	}
	return nil
}

// userID gives 0, which nobody has, for what is not an id.
func userID(text string) UserID { return UserID(parseID(text, userPrefix)) }

// itemID gives 0, which nothing has, for what is not an id.
func itemID(text string) ItemID { return ItemID(parseID(text, itemPrefix)) }

func noUser(id string) error {
	return market.Refuse(market.NotFound, "unknown_user", "no user has the id '%s'", clip(id))
}

func noItem(id string) error {
	return market.Refuse(market.NotFound, "unknown_item", "no item has the id '%s'", clip(id))
}

func noBid(id string) error {
	return market.Refuse(market.NotFound, "unknown_bid", "no bid has the id '%s'", clip(id))
}

func appendID(b []byte, prefix string, n int64) []byte {
	return strconv.AppendInt(append(b, prefix...), n, 10)
}

// parseID reads the number behind a prefix, in the one way that it is written:
// digits, the first not 0, at most 64 bits. It gives 0 for anything else.
func parseID(text, prefix string) int64 {
	digits, ok := strings.CutPrefix(text, prefix)
	if !ok || digits == "" || digits[0] < '1' || digits[0] > '9' {
		return 0
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// clip keeps a text that is echoed to a readable length.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
