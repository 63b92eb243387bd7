package database

import "context"

// engine is what stores: [sqliteEngine] in a file, or [postgresEngine] on a server. Errors
// that will pass by themselves come from it as Unavailable.
type engine interface {
	// prepare says what is wrong with a statement. An engine that cannot tell yet
	// says nothing, and tells [DB.notePrepareErr] as soon as it can.
	prepare(s *Stmt) error
	// queryRow reads one row outside of a transaction.
	queryRow(ctx context.Context, s *Stmt, args, dest []any) error
	// query reads rows outside of a transaction. Watched interrupts it up to its
	// first row; after that, ctx ends it between two rows.
	query(ctx, watched context.Context, s *Stmt, args []any) (Rows, error)
	// update is [DB.Update].
	update(ctx context.Context, fn func(*Tx) error) error
	// forUpdate is what stands behind a SELECT whose rows are to be held.
	forUpdate() string
	// forShare is the same for rows that others may hold in this way, too.
	forShare() string
	close() error
}

// statements is the transaction of one change, on either engine.
type statements interface {
	queryRow(s *Stmt, args, dest []any) error
	// queryRowLater is queryRow, or puts the row into dest before the change is
	// answered.
	queryRowLater(s *Stmt, args, dest []any) error
	// flush does what was put off.
	flush() error
	query(s *Stmt, args []any) (Rows, error)
	exec(s *Stmt, args []any) (int64, error)
	send(s *Stmt, args []any) error
	// holdKey keeps others that hold the same key from going on until the
	// transaction ends.
	holdKey(key int64)
}

// Tx is the transaction that a change runs in. It belongs to the change's
// function and ends with it.
type Tx struct{ in statements }

// QueryRow runs a statement that gives one row, also one that writes
// (`INSERT … RETURNING`, a guarded `UPDATE … RETURNING`). It runs when Scan is
// called.
func (tx *Tx) QueryRow(s *Stmt, args ...any) Row { return &txRow{tx.in, s, args} }

// QueryRowLater is QueryRow for a row that the change does not look at: where
// Scan puts it may be read only after [DB.Update] or [Once] has returned. On a
// server the statement goes with the next one, or before the COMMIT with those of
// other callers, and saves a journey there. When something is wrong with it, or
// there is no such row, the change is run again, and then Scan itself says so: a
// change deals with that as after QueryRow.
func (tx *Tx) QueryRowLater(s *Stmt, args ...any) Row { return &laterRow{tx.in, s, args} }

type laterRow txRow

func (r *laterRow) Scan(dest ...any) error {
	if r.stmt.wrong != nil {
		return r.stmt.wrong
	}
	return r.in.queryRowLater(r.stmt, r.args, dest)
}

type txRow struct {
	in   statements
	stmt *Stmt
	args []any
}

func (r *txRow) Scan(dest ...any) error {
	if r.stmt.wrong != nil {
		return r.stmt.wrong
	}
	return r.in.queryRow(r.stmt, r.args, dest)
}

// Query runs a statement that gives rows. They are closed, by reading them to
// their end or by Close, before the same statement is used again.
func (tx *Tx) Query(s *Stmt, args ...any) (Rows, error) {
	if s.wrong != nil {
		return nil, s.wrong
	}
	return tx.in.query(s, args)
}

// Exec runs a statement and says how many rows it changed.
func (tx *Tx) Exec(s *Stmt, args ...any) (rowsAffected int64, err error) {
	if s.wrong != nil {
		return 0, s.wrong
	}
	return tx.in.exec(s, args)
}

// Send is Exec for a statement whose outcome the change does not look at. On a
// server it goes with the next statement, or with the COMMIT, and saves a
// journey there. What the server finds wrong with it comes from that one, or is
// the answer to the change; so it is not for statements that are expected to
// break a constraint.
func (tx *Tx) Send(s *Stmt, args ...any) error {
	if s.wrong != nil {
		return s.wrong
	}
	return tx.in.send(s, args)
}
