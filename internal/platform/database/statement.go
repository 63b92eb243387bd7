package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Row is the one row that a statement gives; Scan gives [ErrNoRows] when there
// is none.
type Row interface{ Scan(dest ...any) error }

// Stmt is a fixed statement, prepared once and used by many.
type Stmt struct {
	db      *DB
	query   string
	writing *sql.Stmt

	prepare sync.Once
	reading *sql.Stmt
	wrong   error
}

// Prepare checks and keeps a statement for as long as the database is open. A
// wrong one is remembered for [DB.PrepareErr], so that a store prepares all of
// its statements and then asks once.
func (db *DB) Prepare(query string) *Stmt {
	// SQLite takes what stands behind the statement, if only a line break, for
	// a second one, and the driver then prepares it anew at each use.
	s := &Stmt{db: db, query: strings.TrimRight(strings.TrimSpace(query), ";")}
	s.writing, s.wrong = db.writer.prepare(s.query)
	if s.wrong != nil {
		s.wrong = fmt.Errorf("prepare %q: %w", s.query, s.wrong)
		db.mu.Lock()
		db.wrong = append(db.wrong, s.wrong)
		db.mu.Unlock()
	}
	return s
}

// PrepareErr gives everything that was wrong with statements so far.
func (db *DB) PrepareErr() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return errors.Join(db.wrong...)
}

// reader gives the statement for the pool of readers, where only those that
// read are ever prepared.
func (s *Stmt) reader() (*sql.Stmt, error) {
	s.prepare.Do(func() {
		if s.wrong == nil {
			s.reading, s.wrong = s.db.readers.Prepare(s.query)
		}
	})
	return s.reading, s.wrong
}

// QueryRow reads one row outside of a transaction. It sees all that was
// committed before. A context that has ended is an error; one that ends
// meanwhile is not waited for, since reading one row is sooner done than
// watching a context.
func (s *Stmt) QueryRow(ctx context.Context, args ...any) Row {
	reading, err := s.reader()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return failedRow{err}
	}
	return reading.QueryRowContext(context.WithoutCancel(ctx), args...)
}

// Query reads rows outside of a transaction, as of one moment. Read them to
// the end and close them before writing to anybody: they hold a connection and
// keep the log from being worked off. [All] does it.
func (s *Stmt) Query(ctx context.Context, args ...any) (*sql.Rows, error) {
	reading, err := s.reader()
	if err != nil {
		return nil, err
	}
	return reading.QueryContext(ctx, args...)
}

// keptQueries bounds how many built queries are kept prepared. A list with six
// filters has 64 texts.
const keptQueries = 128

// Query runs a list query that was built with a [Filter]. The values are in
// args, never in the text: texts are kept prepared, so they must be few.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	db.mu.Lock()
	stmt, kept := db.prepared[query]
	full := len(db.prepared) >= keptQueries
	db.mu.Unlock()
	if !kept {
		if full {
			return db.readers.QueryContext(ctx, query, args...)
		}
		var err error
		if stmt, err = db.readers.PrepareContext(ctx, strings.TrimSpace(query)); err != nil {
			return nil, err
		}
		db.mu.Lock()
		if other, raced := db.prepared[query]; raced {
			defer stmt.Close()
			stmt = other
		} else {
			db.prepared[query] = stmt
		}
		db.mu.Unlock()
	}
	return stmt.QueryContext(ctx, args...)
}

// All reads rows to their end and closes them. It takes the results of a Query
// as they come:
//
//	rows, err := s.list.Query(ctx, after, limit)
//	return database.All(rows, err, scanMovie)
func All[T any](rows *sql.Rows, err error, scan func(Row) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
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

// failedRow is the row of a statement that was not run.
type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }
