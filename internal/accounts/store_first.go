package accounts

import (
	"context"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

type linkStatements struct{ sweep, insert, find, del, delAll *database.Stmt }

func prepareLinks(db *database.DB) linkStatements {
	return linkStatements{
		sweep:  db.Prepare(`DELETE FROM staff_links WHERE expires_at <= $1`),
		insert: db.Prepare(`INSERT INTO staff_links (token_hash, expires_at) VALUES ($1, $2)`),
		find: db.Prepare(`SELECT 1 FROM staff_links WHERE token_hash = $1 AND expires_at > $2
			AND NOT EXISTS (SELECT 1 FROM accounts WHERE role = 'staff')`),
		del:    db.Prepare(`DELETE FROM staff_links WHERE token_hash = $1 AND expires_at > $2`),
		delAll: db.Prepare(`DELETE FROM staff_links`),
	}
}

// insertLink stores a link, and takes away those that no longer hold.
func (s *store) insertLink(tx *database.Tx, hash []byte, now, expires market.Time) error {
	if err := tx.Send(s.links.sweep, now); err != nil {
		return err
	}
	return tx.Send(s.links.insert, hash, expires)
}

// selectLink gives ErrNoRows when a link does not hold.
func (s *store) selectLink(ctx context.Context, hash []byte, now market.Time) error {
	var one int
	return s.links.find.QueryRow(ctx, hash, now).Scan(&one)
}

// deleteLink says whether there was such a link that still held.
func (s *store) deleteLink(tx *database.Tx, hash []byte, now market.Time) (bool, error) {
	n, err := tx.Exec(s.links.del, hash, now)
	return n > 0, err
}

// deleteLinks takes all links away. Of two who use different ones at once, the
// second waits here, or is told of a deadlock and tries again, and then finds its
// own gone.
func (s *store) deleteLinks(tx *database.Tx) error {
	_, err := tx.Exec(s.links.delAll)
	return err
}
