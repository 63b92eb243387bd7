package database

import (
	"context"

	"emporium/internal/market"
)

// LoggedAction is a change by staff, as the log has it.
type LoggedAction struct {
	ID int64
	At market.Time
	market.Action
}

type logStatements struct{ insert, list *Stmt }

func prepareLog(db *DB) logStatements {
	return logStatements{
		insert: db.Prepare(`INSERT INTO staff_log (at, account_id, operation, call, address, note) VALUES ($1, $2, $3, $4, $5, $6)`),
		list: db.Prepare(`SELECT id, at, COALESCE(account_id, 0), operation, call, address, note FROM staff_log
			WHERE id > $1 ORDER BY id LIMIT $2`),
	}
}

// logged is a change that writes down, with itself, who of the staff made it. One
// that fails leaves nothing.
func logged[T any](ctx context.Context, db *DB, fn func(tx *Tx) (T, error)) func(tx *Tx) (T, error) {
	action := market.ActionOf(ctx)
	if action == nil {
		return fn
	}
	var who *market.UserID
	if action.User != 0 {
		who = &action.User
	}
	return func(tx *Tx) (T, error) {
		result, err := fn(tx)
		if err != nil {
			return result, err
		}
		return result, tx.Send(db.log.insert, market.At(db.options.Now()), who, action.Operation, action.Call, action.From, action.Note)
	}
}

// StaffLog gives what staff has changed here, after an id, in the order in which
// it was done.
func (db *DB) StaffLog(ctx context.Context, after int64, limit int) ([]LoggedAction, error) {
	rows, err := db.log.list.Query(ctx, after, limit)
	return All(rows, err, func(row Row) (a LoggedAction, err error) {
		err = row.Scan(&a.ID, &a.At, &a.User, &a.Operation, &a.Call, &a.From, &a.Note)
		return a, err
	})
}
