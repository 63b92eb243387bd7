package accounts

import (
	"context"
	"database/sql"
	"errors"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

const apiKeyColumns = `id, user_id, name, scopes, hint, created_by, created_at, expires_at, used_at`

type apiKeyStatements struct {
	addKeyOf, countKeys, keysOf, deleteKeyOf, findKey, useKey *database.Stmt
}

func prepareAPIKeys(db *database.DB) apiKeyStatements {
	return apiKeyStatements{
		addKeyOf: db.Prepare(`INSERT INTO api_keys (user_id, name, scopes, key_hash, hint, created_by, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING ` + apiKeyColumns),
		countKeys:   db.Prepare(`SELECT COUNT(*) FROM api_keys WHERE user_id = $1`),
		keysOf:      db.Prepare(`SELECT ` + apiKeyColumns + ` FROM api_keys WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3`),
		deleteKeyOf: db.Prepare(`DELETE FROM api_keys WHERE user_id = $1 AND id = $2`),
		findKey:     db.Prepare(`SELECT ` + apiKeyColumns + ` FROM api_keys WHERE key_hash = $1`),
		useKey:      db.Prepare(`UPDATE api_keys SET used_at = $1 WHERE id = $2 AND (used_at IS NULL OR used_at < $1)`),
	}
}

func scanAPIKey(row database.Row) (k APIKey, err error) {
	var used sql.Null[market.Time]
	err = row.Scan(&k.ID, &k.User, &k.Name, &k.Scopes, &k.Hint, &k.By, &k.Made, &k.Expires, &used)
	k.Used = used.V
	return k, err
}

// insertAPIKey adds a key to an account that the change holds; a Conflict when it
// has as many as it may.
func (s *store) insertAPIKey(tx *database.Tx, k APIKey, hash []byte) (APIKey, error) {
	var n int
	if err := tx.QueryRow(s.countKeys, k.User).Scan(&n); err != nil {
		return k, err
	}
	if n >= maxAPIKeys {
		return k, market.Refuse(market.Conflict, "too_many_keys", "the account has %d keys, and may not have more: revoke one first", n)
	}
	return scanAPIKey(tx.QueryRow(s.addKeyOf, k.User, k.Name, string(k.Scopes), hash, k.Hint, k.By, k.Made, k.Expires))
}

func (s *store) selectAPIKeys(ctx context.Context, user market.UserID, after int64, limit int) ([]APIKey, error) {
	rows, err := s.keysOf.Query(ctx, user, after, limit)
	return database.All(rows, err, scanAPIKey)
}

func (s *store) deleteAPIKey(tx *database.Tx, user market.UserID, id int64) error {
	n, err := tx.Exec(s.deleteKeyOf, user, id)
	if err == nil && n == 0 {
		err = market.Refuse(market.NotFound, "unknown_key", "the account has no key with the id %d", id)
	}
	return err
}

// selectAPIKey looks a key up by its hash; an Unauthenticated when there is none.
func (s *store) selectAPIKey(ctx context.Context, hash []byte) (APIKey, error) {
	k, err := scanAPIKey(s.findKey.QueryRow(ctx, hash))
	if errors.Is(err, database.ErrNoRows) {
		return k, badToken()
	}
	return k, err
}

func (s *store) updateKeyUsed(tx *database.Tx, id int64, hour market.Time) error {
	return tx.Send(s.useKey, hour, id)
}
