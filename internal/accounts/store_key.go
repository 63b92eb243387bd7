package accounts

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

type keyStatements struct {
	addKey, keys, lengthenKeys, deleteKey *database.Stmt
}

func prepareKeys(db *database.DB) keyStatements {
	return keyStatements{
		addKey: db.Prepare(`INSERT INTO signing_keys (generation, seed, created_at, signs_at, token_seconds) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (generation) DO NOTHING RETURNING generation`),
		keys: db.Prepare(`SELECT generation, seed, created_at, signs_at, token_seconds FROM signing_keys ORDER BY generation DESC`),
		lengthenKeys: db.Prepare(`UPDATE signing_keys SET token_seconds = $1 WHERE token_seconds < $1
			AND generation >= (SELECT MAX(k.generation) FROM signing_keys k WHERE k.signs_at <= $2)`),
		deleteKey: db.Prepare(`DELETE FROM signing_keys WHERE generation = $1`),
	}
}

// insertKey stores a key, and says whether it was the first of its generation.
func (s *store) insertKey(tx *database.Tx, generation int64, seed []byte, made, signs market.Time, tokenLife time.Duration) (bool, error) {
	var got int64
	err := tx.QueryRow(s.addKey, generation, seed, made, signs, seconds(tokenLife)).Scan(&got)
	if errors.Is(err, database.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// lengthenTokens notes how long tokens live that are signed from now on.
func (s *store) lengthenTokens(tx *database.Tx, life time.Duration, now market.Time) error {
	_, err := tx.Exec(s.lengthenKeys, seconds(life), now)
	return err
}

func (s *store) deleteSigningKey(tx *database.Tx, generation int64) error {
	_, err := tx.Exec(s.deleteKey, generation)
	return err
}

// selectKeys gives the signing keys, the newest first.
func (s *store) selectKeys(ctx context.Context) ([]signingKey, error) {
	rows, err := s.keys.Query(ctx)
	return database.All(rows, err, scanKey)
}

// selectKeysIn is selectKeys in a change.
func (s *store) selectKeysIn(tx *database.Tx) ([]signingKey, error) {
	rows, err := tx.Query(s.keys)
	return database.All(rows, err, scanKey)
}

func scanKey(row database.Row) (signingKey, error) {
	var generation, life int64
	var seed []byte
	var made, signs market.Time
	if err := row.Scan(&generation, &seed, &made, &signs, &life); err != nil {
		return signingKey{}, err
	}
	if len(seed) != ed25519.SeedSize {
		return signingKey{}, fmt.Errorf("the stored key %d has %d bytes, not %d", generation, len(seed), ed25519.SeedSize)
	}
	k := newSigningKey(ed25519.NewKeyFromSeed(seed))
	k.generation, k.made, k.signs, k.tokenLife = generation, made.Time, signs.Time, time.Duration(life)*time.Second
	return k, nil
}

// seconds counts them, rounded up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
