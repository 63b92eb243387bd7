package demo

import (
	"iter"
	"strconv"

	"emporium/internal/market"
)

// Order is what billing is told of.
type Order struct {
	UserID string       `json:"user_id"` // an account's number
	Items  int          `json:"number_of_items"`
	Total  market.Money `json:"total_amount"`
}

const orderCount = 300

// Orders gives three hundred of the accounts' orders.
func (d *Data) Orders() iter.Seq[Order] {
	return func(yield func(Order) bool) {
		r := d.random("orders")
		for range orderCount {
			items := 1 + min(r.IntN(6), r.IntN(12))
			total := market.Money(0)
			for range items {
				total += market.Money(3_50 + 50*r.IntN(120))
			}
			if chance(r, 3) {
				total = 0 // a voucher paid for all of it
			}
			if !yield(Order{UserID: strconv.Itoa(1 + r.IntN(len(owners))), Items: items, Total: total}) {
				return
			}
		}
	}
}
