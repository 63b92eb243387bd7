package auctions

import (
	"context"
	"errors"
	"strconv"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

const userColumns = `id, name, COALESCE(account_id, 0), version`

type userStatements struct {
	get, hold, list, items, known, insert, update, forget           *database.Stmt
	of, wholeOf, bidsOf, insertOf, nameOf, holdAccount, markDeleted *database.Stmt
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
		known:    db.Prepare(`SELECT 1 FROM bidders WHERE id = $1`),
		insert:   db.Prepare(`INSERT INTO bidders (name, account_id) VALUES ($1, $2) RETURNING ` + userColumns),
		update:   db.Prepare(`UPDATE bidders SET name = $1, version = version + 1 WHERE id = $2 AND version = $3 RETURNING ` + userColumns),
		forget:   db.Prepare(`UPDATE bidders SET name = $1, account_id = NULL, version = version + 1 WHERE account_id = $2`),
		wholeOf:  db.Prepare(`SELECT ` + userColumns + ` FROM bidders WHERE account_id = $1`),
		bidsOf:   db.Prepare(`SELECT ` + bidColumns + ` FROM bids WHERE bidder_id = $1 AND id > $2 ORDER BY id LIMIT $3`),
		of:       db.Prepare(`SELECT id FROM bidders WHERE account_id = $1`),
		insertOf: db.Prepare(`INSERT INTO bidders (name, account_id) VALUES ('Bidder', $1) ON CONFLICT (account_id) DO NOTHING RETURNING id`),
		nameOf:   db.Prepare(`UPDATE bidders SET name = $1 WHERE id = $2`),
		holdAccount: db.Prepare(`INSERT INTO bidder_accounts (account_id) VALUES ($1)
			ON CONFLICT (account_id) DO UPDATE SET account_id = excluded.account_id RETURNING deleted_at IS NOT NULL`),
		markDeleted: db.Prepare(`INSERT INTO bidder_accounts (account_id, deleted_at) VALUES ($1, $2)
			ON CONFLICT (account_id) DO UPDATE SET deleted_at = excluded.deleted_at`),
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
		if err := s.holdAccount(tx, n.Account); err != nil {
			return User{}, err
		}
		account = &n.Account
	}
	u, err := scanUser(tx.QueryRow(s.users.insert, n.Name, account))
	if database.IsUnique(err) {
		return User{}, market.Refuse(market.Conflict, "account_has_bidder", "account %d has a bidder already", n.Account)
	}
	return u, err
}

// selectBidderOf gives the bidder that belongs to an account, or 0.
func (s *store) selectBidderOf(tx *database.Tx, account market.UserID) (id UserID, err error) {
	err = tx.QueryRow(s.users.of, account).Scan(&id)
	return id, orRefuse(err, func() error { return nil })
}

// selectUserOf gives the bidder that belongs to an account, if there is one.
func (s *store) selectUserOf(ctx context.Context, account market.UserID) (u User, known bool, err error) {
	u, err = scanUser(s.users.wholeOf.QueryRow(ctx, account))
	return u, err == nil, orRefuse(err, func() error { return nil })
}

// selectBidsOfBidder reads the bids of a bidder after an id.
func (s *store) selectBidsOfBidder(ctx context.Context, id UserID, after BidID, limit int) ([]Bid, error) {
	rows, err := s.users.bidsOf.Query(ctx, id, after, limit)
	return database.All(rows, err, scanBid)
}

// insertBidderOf makes the bidder of an account, unless another bid of it has
// done so at the same time. Everyone reads its name, so it says nothing of the
// account.
func (s *store) insertBidderOf(tx *database.Tx, account market.UserID) (id UserID, err error) {
	if err := s.holdAccount(tx, account); err != nil {
		return 0, err
	}
	err = tx.QueryRow(s.users.insertOf, account).Scan(&id)
	if errors.Is(err, database.ErrNoRows) {
		return s.selectBidderOf(tx, account)
	}
	if err != nil {
		return 0, err
	}
	return id, tx.Send(s.users.nameOf, "Bidder "+strconv.FormatInt(int64(id), 10), id)
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

// holdAccount keeps an account from being marked as deleted until the
// transaction ends, and refuses one that is.
func (s *store) holdAccount(tx *database.Tx, account market.UserID) error {
	var deleted bool
	if err := tx.QueryRow(s.users.holdAccount, account).Scan(&deleted); err != nil {
		return err
	}
	if deleted {
		return market.Refuse(market.Unauthenticated, "account_deleted", "the account %d was deleted", account)
	}
	return nil
}

// markDeleted remembers that an account is gone.
func (s *store) markDeleted(tx *database.Tx, account market.UserID, at market.Time) error {
	_, err := tx.Exec(s.users.markDeleted, account, at)
	return err
}

func (s *store) forgetAccount(tx *database.Tx, account market.UserID) error {
	_, err := tx.Exec(s.users.forget, deletedName, account)
	return err
}
