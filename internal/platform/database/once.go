package database

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/fnv"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"emporium/internal/market"
)

// Records of idempotent requests are kept for a day; every sixteenth new one
// removes up to 32 that are older, so that they go twice as fast as they come.
// Where none come any more, [DB.Tidy] removes them.
const (
	keptOnce   = 24 * time.Hour
	sweepEvery = 16
	sweepLimit = 32
	tidyEvery  = 10 * time.Minute
	tidyLimit  = 500
)

type onceStatements struct {
	find, insert, sweep *Stmt
	count               *atomic.Uint32
}

func prepareOnce(db *DB) onceStatements {
	return onceStatements{
		find: db.Prepare(`SELECT body_hash, result FROM idempotency
			WHERE operation = $1 AND caller = $2 AND key = $3 AND created_at > $4`),
		insert: db.Prepare(`INSERT INTO idempotency (operation, caller, key, body_hash, result, created_at)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (operation, caller, key) DO UPDATE
			SET body_hash = excluded.body_hash, result = excluded.result, created_at = excluded.created_at`),
		sweep: db.Prepare(`DELETE FROM idempotency WHERE (operation, caller, key) IN
			(SELECT operation, caller, key FROM idempotency WHERE created_at <= $1 ORDER BY created_at LIMIT $2)`),
		count: new(atomic.Uint32),
	}
}

// Once is [DB.Update] for a change that may be asked for again. With an
// Idempotency-Key in ctx, the key, a keyed hash of the body and fn's result as
// JSON are written in fn's transaction, and for 24 hours a repeat gets that
// result without running fn; a repeat with another body is a Conflict,
// "idempotency_key_reused". An fn that fails leaves no record. Without a key it
// is Update.
//
// T must read back from its own JSON, and holds all that the answer is made of. It
// is a pointer where fn uses [Tx.QueryRowLater].
func Once[T any](ctx context.Context, db *DB, fn func(tx *Tx) (T, error)) (T, error) {
	var result T
	key := market.OnceKeyOf(ctx)
	if key == nil {
		err := db.Update(ctx, func(tx *Tx) (err error) {
			result, err = fn(tx)
			return err
		})
		return result, err
	}

	mac := hmac.New(sha256.New, db.options.Secret)
	mac.Write(key.Body)
	hash, now, once := mac.Sum(nil), market.At(db.options.Now()), &db.once
	oldest := market.At(now.Add(-keptOnce))
	same := fnv.New64a()
	fmt.Fprintf(same, "%q %q %q", key.Operation, key.Caller, key.Key)
	var stored []byte
	fn = logged(ctx, db, fn) // a repeat is no change
	err := db.engine.update(ctx, func(tx *Tx) error {
		stored = nil
		tx.in.holdKey(int64(same.Sum64())) // a repeat that comes while this is under way waits
		var storedHash []byte
		err := tx.QueryRow(once.find, key.Operation, key.Caller, key.Key, oldest).Scan(&storedHash, &stored)
		if err == nil && !bytes.Equal(storedHash, hash) {
			return market.Refuse(market.Conflict, "idempotency_key_reused",
				"this Idempotency-Key was used with another body: repeat the request as it was, or choose a new key")
		}
		if !errors.Is(err, ErrNoRows) {
			return err
		}
		if result, err = fn(tx); err != nil {
			return err
		}
		if err := tx.in.flush(); err != nil { // the result may be a pointer to what comes later
			return err
		}
		text, err := json.Marshal(result)
		if err != nil {
			return fmt.Errorf("keep the result of %s: %w", key.Operation, err)
		}
		if err := tx.Send(once.insert, key.Operation, key.Caller, key.Key, hash, text, now); err != nil {
			return err
		}
		if once.count.Add(1)%sweepEvery == 0 {
			err = tx.Send(once.sweep, oldest, sweepLimit)
		}
		return err
	})
	if err != nil || stored == nil {
		return result, err
	}
	var kept T // fn may have run before, in a try that came to nothing: of its result none is left here
	if err := json.Unmarshal(stored, &kept); err != nil {
		return kept, fmt.Errorf("read the kept result of %s: %w", key.Operation, err)
	}
	return kept, nil
}

// Sweep removes the records of idempotent requests that are older than a day.
// They hold what was answered, which may be about a person.
func (db *DB) Sweep(ctx context.Context) error {
	for {
		oldest := market.At(db.options.Now().Add(-keptOnce))
		var gone int64
		err := db.Update(ctx, func(tx *Tx) (err error) {
			gone, err = tx.Exec(db.once.sweep, oldest, tidyLimit)
			return err
		})
		if err != nil || gone < tidyLimit {
			return err
		}
	}
}

// Tidy sweeps at once, and then every ten minutes until ctx ends.
func (db *DB) Tidy(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		if err := db.Sweep(ctx); err != nil && ctx.Err() == nil {
			db.options.Log.WarnContext(ctx, "cannot remove old answers to repeated requests", "service", db.options.Name, "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
