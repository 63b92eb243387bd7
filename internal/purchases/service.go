package purchases

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// Options are what the service needs. DB and Now must be given.
type Options struct {
	DB   *database.DB
	Now  func() time.Time // dates the purchases that come without a date
	Drop market.Drop      // makes caches forget what a write made stale; nil: nobody caches
	Log  *slog.Logger     // nil: nowhere
}

// Service is the data API's use cases. It answers [market.Purchases].
type Service struct {
	db    *database.DB
	store *store
	now   func() time.Time
	drop  market.Drop
	log   *slog.Logger
}

var _ market.Purchases = (*Service)(nil)

// New makes the service on its database.
func New(o Options) (*Service, error) {
	if o.DB == nil || o.Now == nil {
		return nil, errors.New("purchases need a database and a clock")
	}
	if o.Drop == nil {
		o.Drop = func(context.Context, ...string) error { return nil }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	store, err := newStore(o.DB)
	if err != nil {
		return nil, fmt.Errorf("prepare purchases: %w", err)
	}
	return &Service{db: o.DB, store: store, now: o.Now, drop: o.Drop, log: o.Log}, nil
}

// User is said at [market.Purchases]. Names are compared exactly, case and all.
func (s *Service) User(ctx context.Context, username string) (market.Customer, error) {
	return s.store.selectCustomer(ctx, username)
}

// Users gives customers in the order in which they came.
func (s *Service) Users(ctx context.Context, skip, limit int) ([]market.Customer, error) {
	return s.store.selectCustomers(ctx, skip, limit)
}

// Product is said at [market.Purchases].
func (s *Service) Product(ctx context.Context, id int64) (market.Product, error) {
	return s.store.selectProduct(ctx, id)
}

// Products gives products in the order in which they came.
func (s *Service) Products(ctx context.Context, skip, limit int) ([]market.Product, error) {
	return s.store.selectProducts(ctx, skip, limit)
}

// ByUser is said at [market.Purchases]. Of equal dates the higher id comes first.
func (s *Service) ByUser(ctx context.Context, username string, skip, limit int) ([]market.Purchase, error) {
	return s.store.selectByUser(ctx, username, skip, limit)
}

// ByProduct is said at [market.Purchases]. Of equal dates the higher id comes
// first.
func (s *Service) ByProduct(ctx context.Context, product int64, skip, limit int) ([]market.Purchase, error) {
	return s.store.selectByProduct(ctx, product, skip, limit)
}

// AddUser adds a customer; Conflict when there is one of that name.
func (s *Service) AddUser(ctx context.Context, c market.Customer) (market.Customer, error) {
	if err := checkCustomer(c); err != nil {
		return market.Customer{}, err
	}
	added, err := database.Once(ctx, s.db, func(tx *database.Tx) (market.Customer, error) {
		return s.store.insertCustomer(tx, c)
	})
	if err != nil {
		return market.Customer{}, err
	}
	s.forget(ctx, staleByCustomer(added)...)
	return added, nil
}

// AddProduct adds a product; Conflict when its chosen id is taken.
func (s *Service) AddProduct(ctx context.Context, n NewProduct) (market.Product, error) {
	p, err := n.product()
	if err != nil {
		return market.Product{}, err
	}
	added, err := database.Once(ctx, s.db, func(tx *database.Tx) (market.Product, error) {
		return s.store.insertProduct(tx, p)
	})
	if err != nil {
		return market.Product{}, err
	}
	s.forget(ctx, staleByProduct(added)...)
	return added, nil
}

// AddPurchase adds a purchase; Invalid when its product or its user is unknown,
// Conflict when its chosen id is taken.
func (s *Service) AddPurchase(ctx context.Context, n NewPurchase) (market.Purchase, error) {
	p, err := n.purchase(market.At(s.now()))
	if err != nil {
		return market.Purchase{}, err
	}
	added, err := database.Once(ctx, s.db, func(tx *database.Tx) (market.Purchase, error) {
		return s.store.insertPurchase(tx, p)
	})
	if err != nil {
		return market.Purchase{}, err
	}
	s.forget(ctx, staleByPurchase(added)...)
	return added, nil
}

// What each write makes stale, also of what was known not to exist.

func staleByCustomer(c market.Customer) []string { return []string{market.CustomerKey(c.Username)} }

func staleByProduct(p market.Product) []string { return []string{market.ProductKey(p.ID)} }

func staleByPurchase(p market.Purchase) []string {
	return []string{market.PurchasesOfKey(p.Username), market.BuyersOfKey(p.ProductID)}
}

// forget drops what a committed write made stale. The write stands whether that
// succeeds or not, and also when its caller has gone meanwhile.
func (s *Service) forget(ctx context.Context, keys ...string) {
	if err := s.drop(context.WithoutCancel(ctx), keys...); err != nil {
		s.log.ErrorContext(ctx, "the cache keeps what is stale until it expires", "keys", keys, "error", err)
	}
}
