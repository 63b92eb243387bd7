package popular

import (
	"context"
	"fmt"
	"slices"

	"emporium/internal/market"
)

// What the data API is asked, each through the cache.

func (s *Service) customer(ctx context.Context, username string) (*market.Customer, error) {
	return s.customers.Get(ctx, market.CustomerKey(username), func(ctx context.Context) (*market.Customer, error) {
		c, err := s.data.User(ctx, username)
		switch kind := market.KindOf(err); {
		case kind == market.NotFound, kind == market.Invalid: // a name that cannot be a user's is not one's
			return nil, unknownUser(username)
		case err != nil:
			return nil, fmt.Errorf("ask for the user: %w", err)
		}
		return &c, nil
	})
}

func (s *Service) latestOf(ctx context.Context, username string) (*latest, error) {
	return s.latest.Get(ctx, market.PurchasesOfKey(username), func(ctx context.Context) (*latest, error) {
		purchases, err := s.data.ByUser(ctx, username, 0, latestPurchases)
		if err != nil && market.KindOf(err) != market.NotFound {
			return nil, fmt.Errorf("ask for the user's purchases: %w", err)
		}
		return latestOf(purchases), nil
	})
}

func (s *Service) product(ctx context.Context, id int64) (*market.Product, error) {
	return s.products.Get(ctx, market.ProductKey(id), func(ctx context.Context) (*market.Product, error) {
		p, err := s.data.Product(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("ask for product %d: %w", id, err)
		}
		return &p, nil
	})
}

func (s *Service) buyersOf(ctx context.Context, product int64) (*buyers, error) {
	return s.buyers.Get(ctx, market.BuyersOfKey(product), func(ctx context.Context) (*buyers, error) {
		b, err := s.loadBuyers(ctx, product)
		if err != nil && market.KindOf(err) != market.NotFound {
			return nil, fmt.Errorf("ask for the buyers of product %d: %w", product, err)
		}
		return b, nil
	})
}

// loadBuyers reads all pages. The next one begins where those before it ended by
// what came, not by what was asked for: when rows were left out or newer ones
// have come meanwhile, pages overlap rather than leave a gap.
func (s *Service) loadBuyers(ctx context.Context, product int64) (*buyers, error) {
	t := newTally()
	var before []market.Purchase
	for skip := 0; ; {
		page, err := s.data.ByProduct(ctx, product, skip, buyersPage)
		if err != nil && market.KindOf(err) != market.NotFound {
			return nil, err
		}
		// A server that knows no skip gives the same page for ever.
		if skip > 0 && slices.Equal(page, before) || t.add(page) == 0 || len(page) < nearlyFull {
			t.Names = slices.Clip(t.Names)
			return &t.buyers, nil
		}
		before, skip = page, skip+len(page)
	}
}
