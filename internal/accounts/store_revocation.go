package accounts

import (
	"context"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

type revocationStatements struct {
	tick, revoke, sweepRevoked, revocations, lastRevocation *database.Stmt
	nextGeneration                                          *database.Stmt
}

// sweepAtOnce is how many rows that are over go with a new one.
const sweepAtOnce = 32

func prepareRevocations(db *database.DB) revocationStatements {
	return revocationStatements{
		// The row is held until the commit: places become visible in their order.
		tick:   db.Prepare(`UPDATE revocation_clock SET last_id = last_id + 1 WHERE id = 1 RETURNING last_id`),
		revoke: db.Prepare(`INSERT INTO revocations (id, user_id, token_id, token_generation, expires_at) VALUES ($1, $2, $3, $4, $5)`),
		sweepRevoked: db.Prepare(`DELETE FROM revocations WHERE id IN
			(SELECT r.id FROM revocations r WHERE r.expires_at <= $1 ORDER BY r.expires_at LIMIT $2)`),
		revocations: db.Prepare(`SELECT id, user_id, token_id, token_generation, expires_at FROM revocations
			WHERE id > $1 ORDER BY id LIMIT $2`),
		lastRevocation: db.Prepare(`SELECT last_id FROM revocation_clock WHERE id = 1`),
		nextGeneration: db.Prepare(`UPDATE accounts SET token_generation = token_generation + 1 WHERE id = $1 RETURNING token_generation`),
	}
}

// insertRevocation adds to the list, and takes away some of what is over.
func (s *store) insertRevocation(tx *database.Tx, r revocation, now market.Time) error {
	if err := tx.QueryRow(s.tick).Scan(&r.id); err != nil {
		return err
	}
	if err := tx.Send(s.revoke, r.id, r.user, r.token, r.generation, r.expires); err != nil {
		return err
	}
	return tx.Send(s.sweepRevoked, now, sweepAtOnce)
}

// selectRevocations reads on in the list. The place that was given last is read
// after it, so it is never behind what was found.
func (s *store) selectRevocations(ctx context.Context, after int64, limit int) (found revocations, err error) {
	rows, err := s.revocations.Query(ctx, after, limit)
	found.list, err = database.All(rows, err, func(row database.Row) (r revocation, err error) {
		err = row.Scan(&r.id, &r.user, &r.token, &r.generation, &r.expires)
		return r, err
	})
	if err == nil {
		err = s.lastRevocation.QueryRow(ctx).Scan(&found.last)
	}
	return found, err
}

// updateGeneration ends the tokens that an account has, and gives the first
// generation that holds.
func (s *store) updateGeneration(tx *database.Tx, user market.UserID) (first int64, err error) {
	err = tx.QueryRow(s.nextGeneration, user).Scan(&first)
	return first, err
}
