// Package popular tells a user of the megastore who else bought what he bought
// last, the product that was bought most first.
package popular

import (
	"cmp"
	"slices"

	"github.com/go-json-experiment/json"

	"emporium/internal/market"
)

// Product is a product of the user's latest purchases, with everyone who bought
// it. What it holds is shared with other answers and must not be changed.
type Product struct {
	ID     int64    `json:"id"`
	Face   string   `json:"face"`
	Price  int64    `json:"price"` // in cents
	Size   int64    `json:"size"`
	Recent []string `json:"recent"` // names, each once, in the order of their latest purchases
}

const (
	latestPurchases = 5    // how many purchases of the user are asked for
	buyersPage      = 1000 // how many of a product's are asked for at a time: as many as a data API gives

	// nearlyFull is the length from which a page may not be the last. A full one
	// can come short by a few: a server that takes out rows after it has counted
	// them (a user who is gone, a purchase that was undone) gives fewer than it was
	// asked for. One that is a tenth short has ended.
	nearlyFull = buyersPage - buyersPage/10

	// maxProducts bounds what a server can make us ask for when it gives more
	// purchases than the five.
	maxProducts = 1000
)

// latest is what the user's latest purchases are reduced to: the products, each
// once, in the order in which the purchases come.
type latest struct {
	Products []int64 `json:"products"`
}

func latestOf(purchases []market.Purchase) *latest {
	l := &latest{}
	seen := map[int64]bool{}
	for _, p := range purchases {
		if p.ProductID > 0 && !seen[p.ProductID] && len(l.Products) < maxProducts {
			seen[p.ProductID] = true
			l.Products = append(l.Products, p.ProductID)
		}
	}
	return l
}

// buyers is what a product's purchases are reduced to.
type buyers struct {
	Purchases int      `json:"purchases"` // every one, two by one person as two
	Names     []string `json:"names"`     // each once, in the order in which they come
}

// tally makes buyers of pages that may overlap.
type tally struct {
	buyers
	names map[string]bool
	ids   map[int64]bool
}

func newTally() *tally { return &tally{names: map[string]bool{}, ids: map[int64]bool{}} }

// add counts a page and says how many of it were new. A purchase whose id came
// before is the same one, pushed onto the next page by newer ones. Purchases
// without an id cannot be told apart and all count.
func (t *tally) add(page []market.Purchase) (fresh int) {
	for _, p := range page {
		if p.ID != 0 {
			if t.ids[p.ID] {
				continue
			}
			t.ids[p.ID] = true
		}
		fresh++
		t.Purchases++
		if p.Username != "" && !t.names[p.Username] {
			t.names[p.Username] = true
			t.Names = append(t.Names, p.Username)
		}
	}
	return fresh
}

// bought is a product of an answer, before the products are put in order.
type bought struct {
	product *market.Product // nil: the data API does not know it
	buyers  *buyers
}

// ranked puts the most bought first and leaves equal ones in their order. A
// product without a record is left out: there is nothing to show of it.
func ranked(all []bought) []Product {
	all = slices.DeleteFunc(all, func(b bought) bool { return b.product == nil })
	slices.SortStableFunc(all, func(a, b bought) int { return cmp.Compare(b.buyers.Purchases, a.buyers.Purchases) })
	products := make([]Product, len(all))
	for i, b := range all {
		products[i] = Product{ID: b.product.ID, Face: b.product.Face, Price: b.product.Price, Size: b.product.Size, Recent: b.buyers.Names}
	}
	return products
}

// encode writes an answer: an array, also of nothing.
func encode(products []Product) ([]byte, error) { return json.Marshal(products) }

func unknownUser(username string) *market.Error {
	return market.Refuse(market.NotFound, "unknown_user", "User with username of '%s' was not found", username)
}
