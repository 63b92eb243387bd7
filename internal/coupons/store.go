package coupons

import (
	"context"
	"errors"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

const columns = `id, category, couponcode, description, merchant, title,
	has_store, lat, long, city, phone, state, street, zip, expire_at, published_at, version`

const shownColumns = `id, version, shown`

// store is the service's SQL.
type store struct {
	db                              *database.DB
	hold, show, insert, update, del *database.Stmt
}

func newStore(db *database.DB) (*store, error) {
	s := &store{
		db:   db,
		hold: db.PrepareForUpdate(`SELECT ` + columns + ` FROM coupons WHERE id = $1`),
		show: db.Prepare(`SELECT ` + shownColumns + ` FROM coupons WHERE id = $1`),
		insert: db.Prepare(`INSERT INTO coupons (category, couponcode, description, merchant, title,
				has_store, lat, long, city, phone, state, street, zip, expire_at, published_at, valid, shown)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) RETURNING id`),
		update: db.Prepare(`UPDATE coupons SET category = $1, couponcode = $2, description = $3, merchant = $4, title = $5,
				has_store = $6, lat = $7, long = $8, city = $9, phone = $10, state = $11, street = $12, zip = $13,
				expire_at = $14, published_at = $15, valid = $16, shown = $17, version = version + 1
			WHERE id = $18 AND version = $19 RETURNING version`),
		del: db.Prepare(`DELETE FROM coupons WHERE id = $1 AND version = $2`),
	}
	return s, db.PrepareErr()
}

func scanCoupon(row database.Row) (c Coupon, err error) {
	var hasStore int64
	var s Store
	err = row.Scan(&c.ID, &c.Category, &c.Code, &c.Description, &c.Merchant, &c.Title,
		&hasStore, &s.Lat, &s.Long, &s.City, &s.Phone, &s.State, &s.Street, &s.Zip, &c.ExpireAt, &c.PublishedAt, &c.Version)
	if hasStore == 1 {
		c.Store = &s
	}
	return c, err
}

func scanShown(row database.Row) (c Shown, err error) {
	err = row.Scan(&c.ID, &c.Version, &c.Rest)
	return c, err
}

// found says in the service's words that there is no such coupon.
func found[T any](c T, err error, id int64) (T, error) {
	if errors.Is(err, database.ErrNoRows) {
		return c, market.Refuse(market.NotFound, "unknown_coupon", "no coupon has the id %d", id)
	}
	return c, err
}

func (s *store) selectShown(ctx context.Context, id int64) (Shown, error) {
	c, err := scanShown(s.show.QueryRow(ctx, id))
	return found(c, err, id)
}

// selectCouponForUpdate reads a coupon and holds it until the change ends.
func (s *store) selectCouponForUpdate(tx *database.Tx, id int64) (Coupon, error) {
	c, err := scanCoupon(tx.QueryRow(s.hold, id))
	return found(c, err, id)
}

// selectCoupons reads the coupons after an id that a filter lets through.
func (s *store) selectCoupons(ctx context.Context, of Filter, after int64, limit int) ([]Shown, error) {
	var f database.Filter
	if of.Status != "" {
		f.And("valid = ?", flag(of.Status == Valid))
	}
	f.And("id > ?", after)
	rows, err := s.db.Query(ctx, `SELECT `+shownColumns+` FROM coupons`+f.Where()+` ORDER BY id LIMIT `+f.Arg(limit), f.Args()...)
	return database.All(rows, err, scanShown)
}

// insertCoupon puts the id of a new coupon into id, where it is after the change.
func (s *store) insertCoupon(tx *database.Tx, c Coupon, shown string, id *int64) error {
	return tx.QueryRowLater(s.insert, values(c, shown)...).Scan(id)
}

func (s *store) updateCoupon(tx *database.Tx, c Coupon, shown string) (Coupon, error) {
	err := tx.QueryRow(s.update, append(values(c, shown), c.ID, c.Version)...).Scan(&c.Version)
	return c, err
}

func (s *store) deleteCoupon(tx *database.Tx, c Coupon) error {
	_, err := tx.Exec(s.del, c.ID, c.Version)
	return err
}

// values are what insert and update write, in the order of their placeholders.
func values(c Coupon, shown string) []any {
	var s Store
	if c.Store != nil {
		s = *c.Store
	}
	return []any{
		c.Category, c.Code, c.Description, c.Merchant, c.Title,
		flag(c.Store != nil), s.Lat, s.Long, s.City, s.Phone, s.State, s.Street, s.Zip,
		c.ExpireAt, c.PublishedAt, flag(c.Valid()), shown,
	}
}

// flag is how both engines hold yes and no.
func flag(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
