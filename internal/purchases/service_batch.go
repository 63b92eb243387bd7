package purchases

import (
	"context"
	"fmt"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// Batches are for filling a shop: each is added whole, in one transaction, or
// not at all, and while it is, all other writes wait. Some thousand at a time
// are a good size.

// AddUsers adds customers.
func (s *Service) AddUsers(ctx context.Context, batch []market.Customer) error {
	check := func(c market.Customer) (market.Customer, error) { return c, checkCustomer(c) }
	return addAll(ctx, s, "user", batch, check, s.store.insertCustomer, staleByCustomer)
}

// AddProducts adds products.
func (s *Service) AddProducts(ctx context.Context, batch []NewProduct) error {
	return addAll(ctx, s, "product", batch, NewProduct.product, s.store.insertProduct, staleByProduct)
}

// AddPurchases adds purchases.
func (s *Service) AddPurchases(ctx context.Context, batch []NewPurchase) error {
	now := market.At(s.now())
	check := func(n NewPurchase) (market.Purchase, error) { return n.purchase(now) }
	return addAll(ctx, s, "purchase", batch, check, s.store.insertPurchase, staleByPurchase)
}

func addAll[N, T any](ctx context.Context, s *Service, noun string, batch []N,
	check func(N) (T, error), insert func(*database.Tx, T) (T, error), stale func(T) []string,
) error {
	rows := make([]T, len(batch))
	for i, n := range batch {
		var err error
		if rows[i], err = check(n); err != nil {
			return fmt.Errorf("%s %d of %d: %w", noun, i+1, len(batch), err)
		}
	}
	added := make([]T, len(rows))
	err := s.db.Update(ctx, func(tx *database.Tx) (err error) {
		for i, row := range rows {
			if added[i], err = insert(tx, row); err != nil {
				return fmt.Errorf("%s %d of %d: %w", noun, i+1, len(rows), err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	seen, keys := map[string]bool{}, []string{}
	for _, row := range added {
		for _, key := range stale(row) {
			if !seen[key] {
				seen[key] = true
				keys = append(keys, key)
			}
		}
	}
	if len(keys) > 0 {
		s.forget(ctx, keys...)
	}
	return nil
}
