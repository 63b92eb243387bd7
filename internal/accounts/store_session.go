package accounts

import (
	"context"
	"database/sql"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

type sessionStatements struct {
	addSession, holdSession, rotateSession *database.Stmt
	deleteSession, deleteSessionsOf        *database.Stmt
	sweepSessions, sessionsOf, findSession *database.Stmt
}

const sessionColumns = `id, user_id, token_generation, rotation, token_hash, rotated_at, expires_at`

func prepareSessions(db *database.DB) sessionStatements {
	return sessionStatements{
		addSession: db.Prepare(`INSERT INTO sessions (id, user_id, token_generation, token_hash, rotated_at, expires_at, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`),
		findSession: db.Prepare(`SELECT ` + sessionColumns + ` FROM sessions WHERE id = $1`),
		holdSession: db.PrepareForUpdate(`SELECT ` + sessionColumns + ` FROM sessions WHERE id = $1`),
		rotateSession: db.Prepare(`UPDATE sessions SET rotation = rotation + 1, token_hash = $1, rotated_at = $2, expires_at = $3
			WHERE id = $4 AND rotation = $5`),
		deleteSession:    db.Prepare(`DELETE FROM sessions WHERE id = $1`),
		deleteSessionsOf: db.Prepare(`DELETE FROM sessions WHERE user_id = $1`),
		sweepSessions: db.Prepare(`DELETE FROM sessions WHERE id IN
			(SELECT s.id FROM sessions s WHERE s.expires_at <= $1 ORDER BY s.expires_at LIMIT $2)`),
		sessionsOf: db.Prepare(`SELECT id, created_at, rotated_at, expires_at FROM sessions WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3`),
	}
}

// insertSession adds a session, and takes away some of those that are over.
func (s *store) insertSession(tx *database.Tx, n session) error {
	if err := tx.Send(s.sweepSessions, n.rotated, sweepAtOnce); err != nil {
		return err
	}
	_, err := tx.Exec(s.addSession, n.id, n.user, n.generation, n.hash, n.rotated, n.expires, n.made)
	return err
}

// selectSessions reads the sessions of an account whose ids are above one.
func (s *store) selectSessions(ctx context.Context, user market.UserID, after string, limit int) ([]session, error) {
	rows, err := s.sessionsOf.Query(ctx, user, after, limit)
	return database.All(rows, err, func(row database.Row) (n session, err error) {
		var made sql.Null[market.Time]
		err = row.Scan(&n.id, &made, &n.rotated, &n.expires)
		n.made = made.V
		return n, err
	})
}

func scanSession(row database.Row) (n session, err error) {
	err = row.Scan(&n.id, &n.user, &n.generation, &n.rotation, &n.hash, &n.rotated, &n.expires)
	return n, err
}

// selectSession reads a session; ErrNoRows when it is over.
func (s *store) selectSession(ctx context.Context, id string) (session, error) {
	return scanSession(s.findSession.QueryRow(ctx, id))
}

// selectSessionForUpdate reads a session and holds it; ErrNoRows when it is over.
func (s *store) selectSessionForUpdate(tx *database.Tx, id string) (session, error) {
	return scanSession(tx.QueryRow(s.holdSession, id))
}

// updateSession stores the refresh token that follows, and says whether the
// session was still as it was read.
func (s *store) updateSession(tx *database.Tx, before session, next []byte, now, expires market.Time) (bool, error) {
	n, err := tx.Exec(s.rotateSession, next, now, expires, before.id, before.rotation)
	return n == 1, err
}

func (s *store) deleteSessionRow(tx *database.Tx, id string) error {
	_, err := tx.Exec(s.deleteSession, id)
	return err
}

func (s *store) deleteSessions(tx *database.Tx, user market.UserID) error {
	_, err := tx.Exec(s.deleteSessionsOf, user)
	return err
}
