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
// its statements and then asks once. While a server is waited for, checking
// waits, too; then what is wrong is logged, and keeps the database from being
// ready.
func (db *DB) Prepare(query string) *Stmt {
	s := db.newStmt(query)
	if err := db.engine.prepare(s); err != nil {
		s.wrong = db.notePrepareErr(s, err)
	}
	return s
}

// PrepareForUpdate is Prepare for a SELECT by which a change holds rows until
// its transaction ends: nobody else changes them meanwhile. PostgreSQL is told
// so by FOR UPDATE; on SQLite whoever writes is alone. It is used in changes
// only. The SELECT may be that of an INSERT, with RETURNING behind it; one that
// waited for a row inserts what the row then says.
func (db *DB) PrepareForUpdate(query string) *Stmt {
	const returning = "RETURNING "
	if at := strings.LastIndex(query, returning); at >= 0 {
		return db.Prepare(query[:at] + db.engine.forUpdate() + " " + query[at:])
	}
	return db.Prepare(query + db.engine.forUpdate())
}

// PrepareForShare is PrepareForUpdate for rows that nobody may change until the
// transaction ends, and that others may hold likewise. PostgreSQL is told so by
// FOR SHARE.
func (db *DB) PrepareForShare(query string) *Stmt {
	return db.Prepare(query + db.engine.forShare())
}

// notePrepareErr remembers what is wrong with a statement.
func (db *DB) notePrepareErr(s *Stmt, err error) error {
	wrong := fmt.Errorf("prepare %q: %w", s.query, err)
	db.mu.Lock()
	defer db.mu.Unlock()
	db.wrong = append(db.wrong, wrong)
	return wrong
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
	return r.stmt.db.engine.queryRow(r.ctx, r.stmt, r.args, dest)
}

// Query reads rows outside of a transaction, as of one moment. They hold one of
// a few connections, so read them to the end and close them before anything
// else is waited for; [All] does it.
func (s *Stmt) Query(ctx context.Context, args ...any) (Rows, error) {
	if s.wrong != nil {
		return nil, s.wrong
	}
	return s.db.engine.query(ctx, background, s, args)
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
	rows, err := db.engine.query(ctx, ctx, s, args)
	if err == nil && !kept {
		db.mu.Lock()
		db.built[query] = s
		db.mu.Unlock()
	}
	return rows, err
}
