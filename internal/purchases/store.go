package purchases

import (
	"context"
	"errors"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

const (
	customerColumns = `username, email`
	productColumns  = `id, face, size, price`
	purchaseColumns = `id, product_id, username, date`
)

// store is the service's SQL.
type store struct {
	db *database.DB

	customer, customers, insertedCustomer  *database.Stmt
	product, products, insertedProduct     *database.Stmt
	byUser, byProduct, insertedPurchase    *database.Stmt
	hasCustomer, hasProduct, next, atLeast *database.Stmt
}

func newStore(db *database.DB) (*store, error) {
	s := &store{
		db:        db,
		customer:  db.Prepare(`SELECT ` + customerColumns + ` FROM customers WHERE username = $1`),
		customers: db.Prepare(`SELECT ` + customerColumns + ` FROM customers ORDER BY number LIMIT $1 OFFSET $2`),
		product:   db.Prepare(`SELECT ` + productColumns + ` FROM products WHERE id = $1`),
		products:  db.Prepare(`SELECT ` + productColumns + ` FROM products ORDER BY number LIMIT $1 OFFSET $2`),
		byUser: db.Prepare(`SELECT ` + purchaseColumns + ` FROM purchases WHERE username = $1
			ORDER BY date DESC, id DESC LIMIT $2 OFFSET $3`),
		byProduct: db.Prepare(`SELECT ` + purchaseColumns + ` FROM purchases WHERE product_id = $1
			ORDER BY date DESC, id DESC LIMIT $2 OFFSET $3`),

		insertedCustomer: db.Prepare(`INSERT INTO customers (username, email) VALUES ($1, $2) RETURNING ` + customerColumns),
		insertedProduct:  db.Prepare(`INSERT INTO products (id, face, size, price) VALUES ($1, $2, $3, $4) RETURNING ` + productColumns),
		// Inserts nothing when the product or the customer is unknown, which stands
		// before an id that is taken.
		insertedPurchase: db.Prepare(`INSERT INTO purchases (id, product_id, username, date)
			SELECT $1, products.id, customers.username, $4 FROM products CROSS JOIN customers
			WHERE products.id = $2 AND customers.username = $3 RETURNING ` + purchaseColumns),
		hasCustomer: db.Prepare(`SELECT EXISTS (SELECT 1 FROM customers WHERE username = $1)`),
		hasProduct:  db.Prepare(`SELECT EXISTS (SELECT 1 FROM products WHERE id = $1)`),

		next:    db.Prepare(`UPDATE counters SET last = last + 1 WHERE noun = $1 RETURNING last`),
		atLeast: db.Prepare(`UPDATE counters SET last = $2 WHERE noun = $1 AND last < $2`),
	}
	return s, db.PrepareErr()
}

func scanCustomer(row database.Row) (c market.Customer, err error) {
	err = row.Scan(&c.Username, &c.Email)
	return c, err
}

func scanProduct(row database.Row) (p market.Product, err error) {
	err = row.Scan(&p.ID, &p.Face, &p.Size, &p.Price)
	return p, err
}

func scanPurchase(row database.Row) (p market.Purchase, err error) {
	err = row.Scan(&p.ID, &p.ProductID, &p.Username, &p.Date)
	return p, err
}

func (s *store) selectCustomer(ctx context.Context, username string) (market.Customer, error) {
	c, err := scanCustomer(s.customer.QueryRow(ctx, username))
	if errors.Is(err, database.ErrNoRows) {
		return c, market.Refuse(market.NotFound, "unknown_user", "there is no user '%s'", username)
	}
	return c, err
}

func (s *store) selectCustomers(ctx context.Context, skip, limit int) ([]market.Customer, error) {
	rows, err := s.customers.Query(ctx, limit, skip)
	return database.All(rows, err, scanCustomer)
}

func (s *store) selectProduct(ctx context.Context, id int64) (market.Product, error) {
	p, err := scanProduct(s.product.QueryRow(ctx, id))
	if errors.Is(err, database.ErrNoRows) {
		return p, market.Refuse(market.NotFound, "unknown_product", "there is no product %d", id)
	}
	return p, err
}

func (s *store) selectProducts(ctx context.Context, skip, limit int) ([]market.Product, error) {
	rows, err := s.products.Query(ctx, limit, skip)
	return database.All(rows, err, scanProduct)
}

func (s *store) selectByUser(ctx context.Context, username string, skip, limit int) ([]market.Purchase, error) {
	rows, err := s.byUser.Query(ctx, username, limit, skip)
	return database.All(rows, err, scanPurchase)
}

func (s *store) selectByProduct(ctx context.Context, product int64, skip, limit int) ([]market.Purchase, error) {
	rows, err := s.byProduct.Query(ctx, product, limit, skip)
	return database.All(rows, err, scanPurchase)
}
