package accounts

import (
	"context"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

type resetStatements struct {
	addReset, findReset, takeReset, dropReset *database.Stmt
	byMail, hashOf, setPassword               *database.Stmt
}

func prepareResets(db *database.DB) resetStatements {
	return resetStatements{
		addReset: db.Prepare(`INSERT INTO password_resets (user_id, token_hash, created_at, expires_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (user_id) DO UPDATE SET token_hash = excluded.token_hash, created_at = excluded.created_at, expires_at = excluded.expires_at
			WHERE password_resets.created_at <= $5`),
		findReset: db.Prepare(`SELECT a.id, a.mail FROM password_resets r JOIN accounts a ON a.id = r.user_id
			WHERE r.token_hash = $1 AND r.expires_at > $2`),
		takeReset:   db.Prepare(`DELETE FROM password_resets WHERE token_hash = $1 AND expires_at > $2 RETURNING user_id`),
		dropReset:   db.Prepare(`DELETE FROM password_resets WHERE user_id = $1`),
		byMail:      db.Prepare(`SELECT ` + columns + ` FROM accounts WHERE mail_key = $1`),
		hashOf:      db.Prepare(`SELECT password_hash FROM accounts WHERE id = $1`),
		setPassword: db.Prepare(`UPDATE accounts SET password_hash = $1 WHERE id = $2`),
	}
}

// insertReset stores the one reset of an account, instead of one that was made
// before a time; false when there is a younger one.
func (s *store) insertReset(tx *database.Tx, user market.UserID, hash []byte, now, expires, before market.Time) (bool, error) {
	n, err := tx.Exec(s.addReset, user, hash, now, expires, before)
	return n == 1, err
}

// selectReset looks whose reset a token is; ErrNoRows when it is none, or over.
func (s *store) selectReset(ctx context.Context, hash []byte, now market.Time) (user market.UserID, mail string, err error) {
	err = s.findReset.QueryRow(ctx, hash, now).Scan(&user, &mail)
	return user, mail, err
}

// deleteReset uses a token up: of two who try, one gets the account.
func (s *store) deleteReset(tx *database.Tx, hash []byte, now market.Time) (user market.UserID, err error) {
	err = tx.QueryRow(s.takeReset, hash, now).Scan(&user)
	return user, err
}

// selectByMail reads the account of a mail; ErrNoRows when there is none.
func (s *store) selectByMail(ctx context.Context, mailKey string) (Account, error) {
	return scanAccount(s.byMail.QueryRow(ctx, mailKey))
}

func (s *store) selectHash(ctx context.Context, user market.UserID) (hash string, err error) {
	err = s.hashOf.QueryRow(ctx, user).Scan(&hash)
	return hash, err
}

func (s *store) updatePassword(tx *database.Tx, user market.UserID, hash string) error {
	_, err := tx.Exec(s.setPassword, hash, user)
	return err
}
