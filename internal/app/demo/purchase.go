package demo

import (
	"cmp"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"emporium/internal/market"
)

// Purchase is a customer's purchase of one product.
type Purchase struct {
	ID        int         `json:"id"`
	ProductID int         `json:"product_id"`
	Username  string      `json:"username"`
	Date      market.Time `json:"date"`
}

const (
	purchaseCount = 10_000
	purchaseDays  = 180
)

// Purchases gives ten thousand of the last half year, oldest first: few products
// sell most, few customers buy most (both by Zipf's law), and evenings are busy.
func (d *Data) Purchases() iter.Seq[Purchase] {
	return func(yield func(Purchase) bool) {
		r := d.random("purchases")
		var names []string
		for c := range d.Customers() {
			names = append(names, c.Username)
		}
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		names = names[:len(names)*9/10]
		best := r.Perm(productCount)
		product := rand.NewZipf(r, 1.25, 3, productCount-1)
		buyer := rand.NewZipf(r, 1.1, 25, uint64(len(names)-1))

		made := make([]Purchase, purchaseCount)
		for i := range made {
			made[i] = Purchase{ProductID: 1 + best[product.Uint64()], Username: names[buyer.Uint64()], Date: market.At(d.evening(r))}
			if i < len(names) {
				made[i].Username = names[i] // everyone of them at least once
			}
		}
		slices.SortStableFunc(made, func(a, b Purchase) int { return cmp.Compare(a.Date.UnixMilli(), b.Date.UnixMilli()) })
		for i, p := range made {
			p.ID = i + 1
			if !yield(p) {
				return
			}
		}
	}
}

// evening is a moment of the days for which there are purchases; every other one
// that would be at night or in the morning is drawn again.
func (d *Data) evening(r *rand.Rand) time.Time {
	const span = purchaseDays * 24 * time.Hour
	at := d.now.Add(-time.Duration(r.Int64N(int64(span))))
	if at.Hour() < 16 && chance(r, 50) {
		at = d.now.Add(-time.Duration(r.Int64N(int64(span))))
	}
	return at
}
