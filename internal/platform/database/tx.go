package database

import (
	"context"
	"database/sql"
)

// Tx is the transaction that a change runs in. It belongs to the change's
// function and ends with it. Rows are read to their end before the same
// statement is used again.
type Tx struct {
	writer *writer
	ctx    context.Context // the writer's own, never a caller's: see [writer]
	rows   []*sql.Rows     // closed when the change ends, whatever it did with them
	lost   error           // set when SQLite has rolled the whole transaction back
}

// QueryRow runs a statement that gives one row, also one that writes
// (`INSERT … RETURNING`, a guarded `UPDATE … RETURNING`). Scan must be called.
func (tx *Tx) QueryRow(s *Stmt, args ...any) Row {
	if err := tx.refuse(s); err != nil {
		return failedRow{err}
	}
	return txRow{tx, s.writing.QueryRowContext(tx.ctx, args...)}
}

// Query runs a statement that gives rows.
func (tx *Tx) Query(s *Stmt, args ...any) (*sql.Rows, error) {
	if err := tx.refuse(s); err != nil {
		return nil, err
	}
	rows, err := s.writing.QueryContext(tx.ctx, args...)
	if err != nil {
		return nil, tx.check(err)
	}
	tx.rows = append(tx.rows, rows)
	return rows, nil
}

// Exec runs a statement and says how many rows it changed.
func (tx *Tx) Exec(s *Stmt, args ...any) (rowsAffected int64, err error) {
	if err := tx.refuse(s); err != nil {
		return 0, err
	}
	result, err := s.writing.ExecContext(tx.ctx, args...)
	if err != nil {
		return 0, tx.check(err)
	}
	return result.RowsAffected()
}

// refuse keeps statements of a transaction that is gone from being run outside
// of any.
func (tx *Tx) refuse(s *Stmt) error {
	if tx.lost != nil {
		return tx.lost
	}
	return s.wrong
}

// check looks, after a statement failed, whether the transaction still stands.
// Most failures undo their statement alone; a full disk, a failed read or write
// and `ROLLBACK` as a conflict's resolution undo everything.
func (tx *Tx) check(err error) error {
	if tx.lost == nil && !tx.writer.stands() {
		tx.lost = err
	}
	return err
}

type txRow struct {
	tx  *Tx
	row *sql.Row
}

func (r txRow) Scan(dest ...any) error {
	err := r.row.Scan(dest...)
	if err != nil && err != sql.ErrNoRows { //nolint:errorlint // Scan gives it unwrapped, on a hot path
		return r.tx.check(err)
	}
	return err
}
