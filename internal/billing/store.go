package billing

import (
	"context"
	"errors"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

const columns = `id, user_id, number_of_items, total_amount`

// orderColumns is how many of them a new order has.
const orderColumns = 3

// store is the service's SQL.
type store struct {
	db               *database.DB
	get              *database.Stmt
	insert, messages *database.Bulk
	deleted          deletedStatements
	forgets          bool // accounts that are deleted
}

func newStore(db *database.DB, forgets bool) (*store, error) {
	s := &store{
		db:       db,
		deleted:  prepareDeleted(db),
		forgets:  forgets,
		get:      db.Prepare(`SELECT ` + columns + ` FROM orders WHERE id = $1`),
		insert:   db.PrepareBulk(`INSERT INTO orders (user_id, number_of_items, total_amount) VALUES`, orderColumns, ``),
		messages: db.PrepareBulk(`INSERT INTO order_messages (message_id) VALUES`, 1, `ON CONFLICT (message_id) DO NOTHING RETURNING message_id`),
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

// batchRows are orders as the rows that they become, with the ids of their
// messages.
type batchRows struct {
	ids    []string // by order; "" for a message without one
	given  []any    // the ids that are not ""
	values []any    // orderColumns for each order
}

func (b *batchRows) add(messageID string, o Order) {
	b.ids = append(b.ids, messageID)
	if messageID != "" {
		b.given = append(b.given, messageID)
	}
	b.values = append(b.values, o.UserID, o.NumberOfItems, o.TotalAmount.Fixed())
}

// insertOrders stores orders, but for those whose messages were stored before,
// or come twice in the batch. A message without an id is always new.
func (s *store) insertOrders(tx *database.Tx, b *batchRows) error {
	fresh := make(map[string]bool, len(b.given))
	for stmt, ids := range s.messages.Parts(b.given) {
		rows, err := tx.Query(stmt, ids...)
		noted, err := database.All(rows, err, func(row database.Row) (id string, err error) {
			return id, row.Scan(&id)
		})
		if err != nil {
			return err
		}
		for _, id := range noted {
			fresh[id] = true
		}
	}
	values := b.values
	if len(fresh) < len(b.given) {
		values = make([]any, 0, len(b.values))
		for i, id := range b.ids {
			if id == "" || fresh[id] {
				values = append(values, b.values[i*orderColumns:][:orderColumns]...)
				delete(fresh, id)
			}
		}
	}
	if s.forgets {
		var err error
		if values, err = s.anonymised(tx, values); err != nil {
			return err
		}
	}
	for stmt, part := range s.insert.Parts(values) {
		if err := tx.Send(stmt, part...); err != nil {
			return err
		}
	}
	return nil
}
