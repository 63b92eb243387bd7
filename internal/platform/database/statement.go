package database

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Stmt is a fixed statement, prepared once on each connection that uses it.
type Stmt struct {
	db     *DB
	query  string
	number int // its place among a connection's statements
	wrong  error
}

// Prepare checks a statement and keeps it for as long as the database is open.
// A wrong one is remembered for [DB.PrepareErr], so that a store prepares all of
// its statements and then asks once.
func (db *DB) Prepare(query string) *Stmt {
	s := db.newStmt(query)
	if err := db.writer.prepare(s); err != nil {
		s.wrong = fmt.Errorf("prepare %q: %w", s.query, err)
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

func (db *DB) newStmt(query string) *Stmt {
	// What stands behind a statement, if only a line break, is to the driver a
	// second one, and it then prepares both anew at each use.
	s := &Stmt{db: db, query: strings.TrimRight(strings.TrimSpace(query), ";")}
	db.mu.Lock()
	defer db.mu.Unlock()
	s.number = db.statements
	db.statements++
	return s
}

// QueryRow reads one row outside of a transaction. It sees all that was
// committed before. A context that has ended is an error; one that ends
// meanwhile is not, since a row is sooner read than a context watched (1.2 µs
// for the goroutine that the driver starts to watch it).
func (s *Stmt) QueryRow(ctx context.Context, args ...any) Row {
	if s.wrong != nil {
		return failedRow{s.wrong}
	}
	return &readRow{s, ctx, args}
}

type readRow struct {
	stmt *Stmt
	ctx  context.Context
	args []any
}

func (r *readRow) Scan(dest ...any) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	readers := r.stmt.db.readers
	c, err := readers.take(r.ctx)
	if err != nil {
		return refusal(err)
	}
	defer readers.put(c)
	return refusal(c.queryRow(r.stmt, r.args, dest))
}

// Query reads rows outside of a transaction, as of one moment. They hold one of
// a few connections, so read them to the end and close them before anything
// else is waited for; [All] does it.
func (s *Stmt) Query(ctx context.Context, args ...any) (Rows, error) {
	if s.wrong != nil {
		return nil, s.wrong
	}
	return s.db.read(ctx, background, s, args)
}

// keptQueries bounds how many built queries are kept prepared. A list with six
// filters has 64 texts.
const keptQueries = 128

// Query runs a list query that was built with a [Filter]. Its values are in
// args, never in the text: texts are kept prepared, so they must be few. Unlike
// [Stmt.Query] it is also interrupted while it looks for its first row.
func (db *DB) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	db.mu.Lock()
	s, kept := db.built[query]
	full := len(db.built) >= keptQueries
	db.mu.Unlock()
	if full && !kept {
		return nil, fmt.Errorf("more than %d texts of built queries: values belong in the arguments: %s", keptQueries, query)
	}
	if !kept {
		s = db.newStmt(query)
	}
	rows, err := db.read(ctx, ctx, s, args)
	if err == nil && !kept {
		db.mu.Lock()
		db.built[query] = s
		db.mu.Unlock()
	}
	return rows, err
}

// read runs a query on a reader. Watched interrupts it up to its first row;
// after that, ctx ends it between two rows.
func (db *DB) read(ctx, watched context.Context, s *Stmt, args []any) (Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := db.readers.take(ctx)
	if err != nil {
		return nil, refusal(err)
	}
	p, rows, err := c.query(watched, s, args)
	if err != nil {
		db.readers.put(c)
		return nil, refusal(err)
	}
	return newRows(ctx, p, rows, func(err error) error {
		db.readers.put(c)
		return err
	}), nil
}
