// Package billing takes orders in as messages and works them off as rows. The
// two halves share nothing but the queue: taking in goes with the gateway and
// needs no billing to be up.
package billing

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

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

// Order is what a user has bought, once billing has it.
type Order struct {
	ID            int64
	UserID        string
	NumberOfItems int64
	TotalAmount   market.Money
}

// version counts the changes of an order: it becomes anonymous, or none.
func (o Order) version() int64 {
	if o.UserID == anonymous {
		return 2
	}
	return 1
}

// Bounds of an order. The amount is what numeric(14,2) holds, the number what
// an integer column does.
const (
	maxUserID = 1000
	maxItems  = math.MaxInt32
	maxAmount = market.Money(1e12 * 100)
)

// check gives everything that is wrong with the values of an order.
func check(userID, numberOfItems, totalAmount string) (o Order, err error) {
	var faults market.Faults
	o.UserID = userID
	switch {
	case userID == "":
		faults.Add("body.user_id", nil, "user_id must not be empty")
	case len(userID) > maxUserID:
		faults.Add("body.user_id", nil, "user_id may have at most %d bytes; it has %d", maxUserID, len(userID))
	}
	if o.NumberOfItems, err = market.ParseInteger(numberOfItems); err != nil {
		faults.Add("body.number_of_items", numberOfItems, "number_of_items %s; got %s", err, clip(numberOfItems))
	} else if o.NumberOfItems < 1 || o.NumberOfItems > maxItems {
		faults.Add("body.number_of_items", numberOfItems, "number_of_items must be from 1 to %d; got %s", maxItems, clip(numberOfItems))
	}
	if o.TotalAmount, err = market.ParseMoney(totalAmount); err != nil {
		faults.Add("body.total_amount", totalAmount, "total_amount %s; got %s", err, clip(totalAmount))
	} else if o.TotalAmount < 0 || o.TotalAmount >= maxAmount {
		faults.Add("body.total_amount", totalAmount, "total_amount must be at least 0 and below 1000000000000; got %s", clip(totalAmount))
	}
	return o, faults.Err("invalid_order")
}

// userOf is the account that an order's user_id names, or 0: any text may stand
// there.
func userOf(userID string) market.UserID {
	n, err := strconv.ParseInt(userID, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != userID {
		return 0
	}
	return market.UserID(n)
}

func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}

// ParseMessage reads a message of any producer: a JSON object, or a JSON string
// that holds one; numbers as numbers or in strings; other fields are passed
// over.
func ParseMessage(body []byte) (Order, error) {
	var fields struct {
		UserID        text `json:"user_id"`
		NumberOfItems text `json:"number_of_items"`
		TotalAmount   text `json:"total_amount"`
	}
	if jsontext.Value(body).Kind() == '"' {
		var inner string
		if err := json.Unmarshal(body, &inner); err != nil {
			return Order{}, fmt.Errorf("the message is not JSON: %w", err)
		}
		body = []byte(inner)
	}
	if err := json.Unmarshal(body, &fields); err != nil {
		return Order{}, fmt.Errorf("the message cannot be read: %w", err)
	}
	var faults market.Faults
	for _, f := range []struct {
		name  string
		value text
	}{{"user_id", fields.UserID}, {"number_of_items", fields.NumberOfItems}, {"total_amount", fields.TotalAmount}} {
		if !f.value.given {
			faults.Add("body."+f.name, nil, "%s is missing", f.name)
		}
	}
	if err := faults.Err("invalid_order"); err != nil {
		return Order{}, err
	}
	return check(fields.UserID.s, fields.NumberOfItems.s, fields.TotalAmount.s)
}

// text is a field that is a string or a number, as its text.
type text struct {
	s     string
	given bool
}

// UnmarshalJSONFrom reads a string or a number.
func (t *text) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	t.given = true
	switch d.PeekKind() {
	case '"':
		token, err := d.ReadToken()
		if err != nil {
			return err
		}
		t.s = token.String()
		if strings.IndexByte(t.s, 0) >= 0 || !utf8.ValidString(t.s) {
			return errors.New("a text must be UTF-8 without null characters")
		}
		return nil
	case '0':
		raw, err := d.ReadValue()
		t.s = string(raw)
		return err
	default:
		return errors.New("must be a string or a number")
	}
}
