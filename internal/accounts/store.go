package accounts

import (
	"context"
	"errors"
	"fmt"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

const columns = `id, first_name, last_name, birth_date, mail, version`

// store is the service's SQL.
type store struct {
	get, hold, list, insert, update, del *database.Stmt
	password                             *database.Stmt
	firstKey, keys                       *database.Stmt
}

func newStore(db *database.DB) (*store, error) {
	s := &store{
		get:  db.Prepare(`SELECT ` + columns + ` FROM accounts WHERE id = $1`),
		hold: db.PrepareForUpdate(`SELECT ` + columns + ` FROM accounts WHERE id = $1`),
		list: db.Prepare(`SELECT ` + columns + ` FROM accounts WHERE id > $1 ORDER BY id LIMIT $2`),
		insert: db.Prepare(`INSERT INTO accounts (first_name, last_name, birth_date, mail, mail_key, password_hash)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (mail_key) DO NOTHING RETURNING ` + columns),
		update: db.Prepare(`UPDATE accounts SET first_name = $1, last_name = $2, birth_date = $3, version = version + 1
			WHERE id = $4 AND version = $5 RETURNING ` + columns),
		del:      db.Prepare(`DELETE FROM accounts WHERE id = $1 AND version = $2`),
		password: db.Prepare(`SELECT id, password_hash FROM accounts WHERE mail_key = $1`),
		firstKey: db.Prepare(`INSERT INTO signing_keys (generation, seed, created_at) VALUES (1, $1, $2) ON CONFLICT (generation) DO NOTHING`),
		keys:     db.Prepare(`SELECT seed FROM signing_keys ORDER BY generation DESC`),
	}
	return s, db.PrepareErr()
}

func scanAccount(row database.Row) (a Account, err error) {
	err = row.Scan(&a.ID, &a.FirstName, &a.LastName, &a.BirthDate, &a.Mail, &a.Version)
	return a, err
}

// found says in the service's words that there is no such account.
func found(a Account, err error, id market.UserID) (Account, error) {
	if errors.Is(err, database.ErrNoRows) {
		return a, market.Refuse(market.NotFound, "unknown_account", "no account has the id %d", id)
	}
	return a, err
}

func (s *store) selectAccount(ctx context.Context, id market.UserID) (Account, error) {
	a, err := scanAccount(s.get.QueryRow(ctx, id))
	return found(a, err, id)
}

// selectAccountForUpdate reads an account and holds it until the change ends.
func (s *store) selectAccountForUpdate(tx *database.Tx, id market.UserID) (Account, error) {
	a, err := scanAccount(tx.QueryRow(s.hold, id))
	return found(a, err, id)
}

func (s *store) selectAccounts(ctx context.Context, after int64, limit int) ([]Account, error) {
	rows, err := s.list.Query(ctx, after, limit)
	return database.All(rows, err, scanAccount)
}

// selectPassword reads what a password is checked against; ErrNoRows when no
// account has the mail.
func (s *store) selectPassword(ctx context.Context, mailKey string) (id market.UserID, stored hash, err error) {
	var text string
	if err := s.password.QueryRow(ctx, mailKey).Scan(&id, &text); err != nil {
		return 0, stored, err
	}
	if stored, err = parseHash(text); err != nil {
		return 0, stored, fmt.Errorf("the stored password of account %d: %w", id, err)
	}
	return id, stored, nil
}

// insertAccount leaves it to the unique key whether the mail is free.
func (s *store) insertAccount(tx *database.Tx, n Newcomer, mailKey, passwordHash string) (Account, error) {
	a, err := scanAccount(tx.QueryRow(s.insert, n.FirstName, n.LastName, n.BirthDate, n.Mail, mailKey, passwordHash))
	if errors.Is(err, database.ErrNoRows) {
		return a, market.Refuse(market.Conflict, "mail_taken", "an account with the mail '%s' exists", n.Mail)
	}
	return a, err
}

func (s *store) updateAccount(tx *database.Tx, a Account) (Account, error) {
	return scanAccount(tx.QueryRow(s.update, a.FirstName, a.LastName, a.BirthDate, a.ID, a.Version))
}

func (s *store) deleteAccount(tx *database.Tx, a Account) error {
	_, err := tx.Exec(s.del, a.ID, a.Version)
	return err
}

// insertFirstKey stores a key if there is none yet.
func (s *store) insertFirstKey(tx *database.Tx, seed []byte, now market.Time) error {
	_, err := tx.Exec(s.firstKey, seed, now)
	return err
}

// selectKeys gives the seeds of the signing keys, the newest first.
func (s *store) selectKeys(tx *database.Tx) ([][]byte, error) {
	rows, err := tx.Query(s.keys)
	return database.All(rows, err, func(row database.Row) (seed []byte, err error) {
		err = row.Scan(&seed)
		return seed, err
	})
}
