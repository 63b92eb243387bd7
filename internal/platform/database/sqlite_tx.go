package database

import "errors"

// sqliteTx is a change behind its savepoint.
type sqliteTx struct {
	writer *writer
	rows   []*openRows // closed when the change ends, whatever it did with them
	lost   error       // set when SQLite has rolled the whole transaction back
}

func (tx *sqliteTx) queryRow(s *Stmt, args, dest []any) error {
	// What is lost must not be run outside of any transaction.
	if tx.lost != nil {
		return tx.lost
	}
	return tx.check(tx.writer.conn.queryRow(s, args, dest))
}

// queryRowLater has nothing to save.
func (tx *sqliteTx) queryRowLater(s *Stmt, args, dest []any) error { return tx.queryRow(s, args, dest) }

// flush has nothing to do.
func (tx *sqliteTx) flush() error { return nil }

func (tx *sqliteTx) query(s *Stmt, args []any) (Rows, error) {
	if tx.lost != nil {
		return nil, tx.lost
	}
	p, rows, err := tx.writer.conn.query(background, s, args)
	if err != nil {
		return nil, tx.check(err)
	}
	open := newRows(background, p, rows, tx.check)
	tx.rows = append(tx.rows, open)
	return open, nil
}

func (tx *sqliteTx) exec(s *Stmt, args []any) (int64, error) {
	if tx.lost != nil {
		return 0, tx.lost
	}
	n, err := tx.writer.conn.exec(s, args...)
	return n, tx.check(err)
}

func (tx *sqliteTx) send(s *Stmt, args []any) error {
	_, err := tx.exec(s, args)
	return err
}

// holdKey has nothing to do: there is one writer, and it runs one change after
// the other.
func (tx *sqliteTx) holdKey(int64) {}

// check looks, after a statement failed, whether the transaction still stands.
// Most failures undo their statement alone; a full disk, a failed read or write
// and `ROLLBACK` as a conflict's resolution undo everything.
func (tx *sqliteTx) check(err error) error {
	if err != nil && !errors.Is(err, ErrNoRows) && tx.lost == nil && !tx.writer.stands() {
		tx.lost = err
	}
	return err
}

// end closes what the change left open.
func (tx *sqliteTx) end() (err error) {
	for _, rows := range tx.rows {
		if closing := rows.Close(); closing != nil {
			err = closing
		}
	}
	return err
}
