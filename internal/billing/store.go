package billing

import (
	"context"
	"errors"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

const columns = `id, user_id, number_of_items, total_amount`

// store is the service's SQL.
type store struct {
	db                     *database.DB
	get, insert, insertMsg *database.Stmt
}

func newStore(db *database.DB) (*store, error) {
	s := &store{
		db:        db,
		get:       db.Prepare(`SELECT ` + columns + ` FROM orders WHERE id = $1`),
		insert:    db.Prepare(`INSERT INTO orders (user_id, number_of_items, total_amount) VALUES ($1, $2, $3)`),
		insertMsg: db.Prepare(`INSERT INTO order_messages (message_id) VALUES ($1) ON CONFLICT (message_id) DO NOTHING`),
	}
	return s, db.PrepareErr()
}

func scanOrder(row database.Row) (o Order, err error) {
	var amount string
	if err = row.Scan(&o.ID, &o.UserID, &o.NumberOfItems, &amount); err != nil {
		return o, err
	}
	o.TotalAmount, err = market.ParseMoney(amount)
	return o, err
}

func (s *store) selectOrder(ctx context.Context, id int64) (Order, error) {
	o, err := scanOrder(s.get.QueryRow(ctx, id))
	if errors.Is(err, database.ErrNoRows) {
		return o, market.Refuse(market.NotFound, "unknown_order", "no order has the id %d", id)
	}
	return o, err
}

// selectOrders reads the orders after an id, of one user or (with "") of all.
func (s *store) selectOrders(ctx context.Context, userID string, after int64, limit int) ([]Order, error) {
	var f database.Filter
	f.And("id > ?", after)
	if userID != "" {
		f.And("user_id = ?", userID)
	}
	rows, err := s.db.Query(ctx, `SELECT `+columns+` FROM orders`+f.Where()+` ORDER BY id LIMIT `+f.Arg(limit), f.Args()...)
	return database.All(rows, err, scanOrder)
}

// insertOrder stores an order, unless its message was stored before. A message
// without an id is always new.
func (s *store) insertOrder(tx *database.Tx, messageID string, o Order) error {
	if messageID != "" {
		if fresh, err := tx.Exec(s.insertMsg, messageID); err != nil || fresh == 0 {
			return err
		}
	}
	return tx.Send(s.insert, o.UserID, o.NumberOfItems, o.TotalAmount.Fixed())
}
