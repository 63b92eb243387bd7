package accounts

import (
	"context"
	"errors"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

const columns = `id, first_name, last_name, birth_date, mail, role, token_generation, version`

// store is the service's SQL.
type store struct {
	get, hold, list, insert, update, del *database.Stmt
	password                             *database.Stmt
	rehash                               *database.Stmt
	staff, holdStaff, holdMail, role     *database.Stmt
	links                                linkStatements
	keyStatements
	revocationStatements
	sessionStatements
	resetStatements
	apiKeyStatements
	personaStatements
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
		del:       db.Prepare(`DELETE FROM accounts WHERE id = $1 AND version = $2`),
		password:  db.Prepare(`SELECT id, role, token_generation, password_hash FROM accounts WHERE mail_key = $1`),
		staff:     db.Prepare(`SELECT ` + columns + ` FROM accounts WHERE role = 'staff' AND id > $1 ORDER BY id LIMIT $2`),
		holdStaff: db.PrepareForUpdate(`SELECT ` + columns + ` FROM accounts WHERE role = 'staff' ORDER BY id`),
		holdMail:  db.PrepareForUpdate(`SELECT ` + columns + ` FROM accounts WHERE mail_key = $1`),
		role:      db.Prepare(`UPDATE accounts SET role = $1, version = version + 1 WHERE id = $2 AND version = $3 RETURNING ` + columns),
		links:     prepareLinks(db),
		rehash:    db.Prepare(`UPDATE accounts SET password_hash = $1 WHERE id = $2 AND password_hash = $3`),

		keyStatements:        prepareKeys(db),
		revocationStatements: prepareRevocations(db),
		sessionStatements:    prepareSessions(db),
		resetStatements:      prepareResets(db),
		apiKeyStatements:     prepareAPIKeys(db),
		personaStatements:    preparePersonas(db),
	}
	return s, db.PrepareErr()
}

func scanAccount(row database.Row) (a Account, err error) {
	var role string
	err = row.Scan(&a.ID, &a.FirstName, &a.LastName, &a.BirthDate, &a.Mail, &role, &a.generation, &a.Version)
	a.Staff = role == roleStaff
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

// stored is what a sign-in is checked against.
type stored struct {
	user       market.UserID
	staff      bool
	generation int64
	hash       string
}

// selectPassword reads what a password is checked against; ErrNoRows when no
// account has the mail.
func (s *store) selectPassword(ctx context.Context, mailKey string) (found stored, err error) {
	var role string
	err = s.password.QueryRow(ctx, mailKey).Scan(&found.user, &role, &found.generation, &found.hash)
	found.staff = role == roleStaff
	return found, err
}

// updateHash stores the same password's hash as it would be made today, unless
// the password was changed meanwhile.
func (s *store) updateHash(tx *database.Tx, user market.UserID, made, before string) error {
	return tx.Send(s.rehash, made, user, before)
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

// selectMailForUpdate reads the account of a mail and holds it; ErrNoRows when
// there is none.
func (s *store) selectMailForUpdate(tx *database.Tx, mailKey string) (Account, error) {
	return scanAccount(tx.QueryRow(s.holdMail, mailKey))
}

// selectStaffForUpdate reads all staff members and holds them.
func (s *store) selectStaffForUpdate(tx *database.Tx) ([]Account, error) {
	rows, err := tx.Query(s.holdStaff)
	return database.All(rows, err, scanAccount)
}

func (s *store) selectStaff(ctx context.Context, after int64, limit int) ([]Account, error) {
	rows, err := s.staff.Query(ctx, after, limit)
	return database.All(rows, err, scanAccount)
}

func (s *store) updateRole(tx *database.Tx, a Account, role string) (Account, error) {
	return scanAccount(tx.QueryRow(s.role, role, a.ID, a.Version))
}
