package database

// Tx is the transaction that a change runs in. It belongs to the change's
// function and ends with it.
type Tx struct {
	writer *writer
	rows   []*openRows // closed when the change ends, whatever it did with them
	lost   error       // set when SQLite has rolled the whole transaction back
}

// QueryRow runs a statement that gives one row, also one that writes
// (`INSERT … RETURNING`, a guarded `UPDATE … RETURNING`). It runs when Scan is
// called.
func (tx *Tx) QueryRow(s *Stmt, args ...any) Row { return &txRow{tx, s, args} }

type txRow struct {
	tx   *Tx
	stmt *Stmt
	args []any
}

func (r *txRow) Scan(dest ...any) error {
	if err := r.tx.refuse(r.stmt); err != nil {
		return err
	}
	return r.tx.check(r.tx.writer.conn.queryRow(r.stmt, r.args, dest))
}

// Query runs a statement that gives rows. They are closed, by reading them to
// their end or by Close, before the same statement is used again.
func (tx *Tx) Query(s *Stmt, args ...any) (Rows, error) {
	if err := tx.refuse(s); err != nil {
		return nil, err
	}
	p, rows, err := tx.writer.conn.query(background, s, args)
	if err != nil {
		return nil, tx.check(err)
	}
	open := newRows(background, p, rows, tx.check)
	tx.rows = append(tx.rows, open)
	return open, nil
}

// Exec runs a statement and says how many rows it changed.
func (tx *Tx) Exec(s *Stmt, args ...any) (rowsAffected int64, err error) {
	if err := tx.refuse(s); err != nil {
		return 0, err
	}
	n, err := tx.writer.conn.exec(s, args...)
	return n, tx.check(err)
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
	if err != nil && err != ErrNoRows && tx.lost == nil && !tx.writer.stands() { //nolint:errorlint // given unwrapped
		tx.lost = err
	}
	return err
}

// end closes what the change left open.
func (tx *Tx) end() (err error) {
	for _, rows := range tx.rows {
		if closing := rows.Close(); closing != nil {
			err = closing
		}
	}
	return err
}
