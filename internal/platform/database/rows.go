package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
)

// Row is the one row that a statement gives. The statement is run by Scan,
// which gives [ErrNoRows] when there is none.
type Row interface{ Scan(dest ...any) error }

// Rows are what a query found. They are closed by reading them to their end or
// by Close; [All] does both. *sql.Rows is one, too.
type Rows interface {
	Row
	Next() bool
	Err() error
	Close() error
}

// All reads rows to their end and closes them. It takes the results of a Query
// as they come:
//
//	rows, err := s.list.Query(ctx, after, limit)
//	return database.All(rows, err, scanMovie)
func All[T any](rows Rows, err error, scan func(Row) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // after the last row it already is
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// openRows are rows being read on a connection that is theirs until they are
// closed.
type openRows struct {
	ctx      context.Context
	rows     driver.Rows
	prepared *prepared
	values   []driver.Value
	done     func(error) error // gives the connection back
	err      error
	closed   bool
}

func newRows(ctx context.Context, p *prepared, rows driver.Rows, done func(error) error) *openRows {
	p.open = true
	return &openRows{ctx: ctx, rows: rows, prepared: p, values: make([]driver.Value, len(rows.Columns())), done: done}
}

func (r *openRows) Next() bool {
	if r.closed {
		return false
	}
	if r.err = r.ctx.Err(); r.err == nil {
		r.err = r.rows.Next(r.values)
	}
	if r.err == nil {
		return true
	}
	if r.err == io.EOF { //nolint:errorlint // the driver's contract
		r.err = nil
	}
	if err := r.Close(); r.err == nil {
		r.err = err
	}
	return false
}

func (r *openRows) Scan(dest ...any) error {
	if r.closed {
		return errors.New("the rows are closed")
	}
	return assignAll(dest, r.values)
}

func (r *openRows) Err() error { return r.err }

func (r *openRows) Close() error {
	if r.closed {
		return nil
	}
	r.closed, r.prepared.open = true, false
	err := r.rows.Close()
	if r.err != nil {
		err = r.err
	}
	return r.done(err)
}

// failedRow is the row of a statement that was not run.
type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }
