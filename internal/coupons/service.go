package coupons

import (
	"context"
	"fmt"
	"iter"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// Options are what the service needs.
type Options struct {
	DB  *database.DB
	Now func() time.Time // what a missing date is
}

// Service is the coupons' use cases.
type Service struct {
	db    *database.DB
	store *store
	now   func() time.Time
}

// New makes the service on its database.
func New(o Options) (*Service, error) {
	store, err := newStore(o.DB)
	if err != nil {
		return nil, fmt.Errorf("prepare coupons: %w", err)
	}
	return &Service{db: o.DB, store: store, now: o.Now}, nil
}

// Coupon gives one coupon; NotFound when there is none of that id.
func (s *Service) Coupon(ctx context.Context, id int64) (Shown, error) {
	return s.store.selectShown(ctx, id)
}

// Coupons walks the coupons that a filter lets through, in id order.
func (s *Service) Coupons(ctx context.Context, f Filter, page market.Page) iter.Seq2[Shown, error] {
	return market.Chunks(page, func(c Shown) int64 { return c.ID }, func(after int64, limit int) ([]Shown, error) {
		return s.store.selectCoupons(ctx, f, after, limit)
	})
}

// AddCoupon adds one coupon and gives its id.
func (s *Service) AddCoupon(ctx context.Context, d Draft) (int64, error) {
	c, shown, err := d.written(s.blank())
	if err != nil {
		return 0, err
	}
	id, err := database.Once(ctx, s.db, func(tx *database.Tx) (*int64, error) {
		id := new(int64)
		return id, s.store.insertCoupon(tx, c, shown, id)
	})
	if err != nil {
		return 0, err
	}
	return *id, nil
}

// AddCoupons adds all of the drafts in one transaction, or, when one is
// refused, none, and gives their ids. Other changes wait meanwhile, so a caller
// with many gives some hundred at a time. [Service.Check] tells which are good.
func (s *Service) AddCoupons(ctx context.Context, drafts []Draft) ([]int64, error) {
	coupons := make([]Coupon, len(drafts))
	shown := make([]string, len(drafts))
	blank := s.blank()
	for i, d := range drafts {
		var err error
		if coupons[i], shown[i], err = d.written(blank); err != nil {
			return nil, fmt.Errorf("coupon %d of %d: %w", i+1, len(drafts), err)
		}
	}
	ids := make([]int64, len(drafts))
	err := s.db.Update(ctx, func(tx *database.Tx) error {
		for i, c := range coupons {
			if err := s.store.insertCoupon(tx, c, shown[i], &ids[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// Check says what is wrong with a draft of a new coupon, as AddCoupon would.
func (s *Service) Check(d Draft) error {
	_, err := d.apply(s.blank())
	return err
}

// blank is a new coupon of which nothing was said: both dates are one instant.
func (s *Service) blank() Coupon {
	now := market.At(s.now())
	return Coupon{ExpireAt: now, PublishedAt: now}
}

// ChangeCoupon changes the fields that are set.
func (s *Service) ChangeCoupon(ctx context.Context, id int64, d Draft, match market.IfMatch) (Coupon, error) {
	var changed Coupon
	err := s.db.Update(ctx, func(tx *database.Tx) error {
		c, err := s.store.selectCouponForUpdate(tx, id)
		if err != nil {
			return err
		}
		c, shown, err := d.written(c) // some microseconds; it needs what is stored
		if err != nil {
			return err
		}
		if err := match.Check(c.Version); err != nil {
			return err
		}
		changed, err = s.store.updateCoupon(tx, c, shown)
		return err
	})
	return changed, err
}

// RemoveCoupon takes a coupon away. Its id is never used again.
func (s *Service) RemoveCoupon(ctx context.Context, id int64, match market.IfMatch) error {
	return s.db.Update(ctx, func(tx *database.Tx) error {
		c, err := s.store.selectCouponForUpdate(tx, id)
		if err != nil {
			return err
		}
		if err := match.Check(c.Version); err != nil {
			return err
		}
		return s.store.deleteCoupon(tx, c)
	})
}
