package auctions

import (
	"context"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

const userColumns = `id, name, COALESCE(account_id, 0), version`

type userStatements struct {
	get, hold, list, items, known, insert, update, forget *database.Stmt
	// in the order in which a bidder goes
	holdItems, rejudge, delBids, del *database.Stmt
}

func prepareUsers(db *database.DB) userStatements {
	return userStatements{
		get:  db.Prepare(`SELECT ` + userColumns + ` FROM bidders WHERE id = $1`),
		hold: db.PrepareForUpdate(`SELECT ` + userColumns + ` FROM bidders WHERE id = $1`),
		list: db.Prepare(`SELECT ` + userColumns + ` FROM bidders WHERE id > $1 ORDER BY id LIMIT $2`),
		items: db.Prepare(`SELECT item_id FROM bids WHERE bidder_id = $1
			GROUP BY item_id ORDER BY MIN(id)`),
		known:     db.Prepare(`SELECT 1 FROM bidders WHERE id = $1`),
		insert:    db.Prepare(`INSERT INTO bidders (name, account_id) VALUES ($1, $2) RETURNING ` + userColumns),
		update:    db.Prepare(`UPDATE bidders SET name = $1, version = version + 1 WHERE id = $2 AND version = $3 RETURNING ` + userColumns),
		forget:    db.Prepare(`UPDATE bidders SET name = $1, account_id = NULL, version = version + 1 WHERE account_id = $2`),
		holdItems: db.PrepareForUpdate(`SELECT id FROM items WHERE id IN (SELECT item_id FROM bids WHERE bidder_id = $1) ORDER BY id`),
		rejudge: db.Prepare(`UPDATE items SET version = version + 1, winning_bid_id =
				(SELECT b.id FROM bids b WHERE b.item_id = items.id AND b.bidder_id <> $1 ORDER BY b.value_cents DESC, b.seq LIMIT 1)
			WHERE id IN (SELECT item_id FROM bids WHERE bidder_id = $1)`),
		delBids: db.Prepare(`DELETE FROM bids WHERE bidder_id = $1`),
		del:     db.Prepare(`DELETE FROM bidders WHERE id = $1 AND version = $2`),
	}
}

func scanUser(row database.Row) (u User, err error) {
	err = row.Scan(&u.ID, &u.Name, &u.Account, &u.Version)
	return u, err
}

func (s *store) selectUser(ctx context.Context, id UserID) (User, error) {
	u, err := scanUser(s.users.get.QueryRow(ctx, id))
	return u, orRefuse(err, func() error { return noUser(id.String()) })
}

// selectUserForUpdate reads a bidder and holds it until the change ends.
func (s *store) selectUserForUpdate(tx *database.Tx, id UserID) (User, error) {
	u, err := scanUser(tx.QueryRow(s.users.hold, id))
	return u, orRefuse(err, func() error { return noUser(id.String()) })
}

func (s *store) selectUsers(ctx context.Context, after UserID, limit int) ([]User, error) {
	rows, err := s.users.list.Query(ctx, after, limit)
	return database.All(rows, err, scanUser)
}

func (s *store) selectItemsOf(ctx context.Context, id UserID) ([]ItemID, error) {
	rows, err := s.users.items.Query(ctx, id)
	return database.All(rows, err, func(row database.Row) (i ItemID, err error) {
		err = row.Scan(&i)
		return i, err
	})
}

func (s *store) knowsUser(tx *database.Tx, id UserID) (bool, error) {
	var one int
	err := tx.QueryRow(s.users.known, id).Scan(&one)
	return err == nil, orRefuse(err, func() error { return nil })
}

func (s *store) insertUser(tx *database.Tx, n NewUser) (User, error) {
	var account *market.UserID
	if n.Account != 0 {
		account = &n.Account
	}
	u, err := scanUser(tx.QueryRow(s.users.insert, n.Name, account))
	if database.IsUnique(err) {
		return User{}, market.Refuse(market.Conflict, "account_has_bidder", "account %d has a bidder already", n.Account)
	}
	return u, err
}

func (s *store) updateUser(tx *database.Tx, u User) (User, error) {
	return scanUser(tx.QueryRow(s.users.update, u.Name, u.ID, u.Version))
}

// deleteUser deletes a bidder and its bids, after it has chosen the winners of
// their items among the others. The items are held before: who bids on one at
// the same time has either bid, and is seen, or waits.
func (s *store) deleteUser(tx *database.Tx, u User) error {
	if _, err := tx.Exec(s.users.holdItems, u.ID); err != nil {
		return err
	}
	if _, err := tx.Exec(s.users.rejudge, u.ID); err != nil {
		return err
	}
	if _, err := tx.Exec(s.users.delBids, u.ID); err != nil {
		return err
	}
	_, err := tx.Exec(s.users.del, u.ID, u.Version)
	return err
}

func (s *store) forgetAccount(tx *database.Tx, account market.UserID) error {
	_, err := tx.Exec(s.users.forget, deletedName, account)
	return err
}
