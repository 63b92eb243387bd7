package database

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// transaction is one on the server, for the changes of a group. What controls it
// is not sent by itself but in front of the next statement: a change of one
// statement takes one journey to the server, and not three.
type transaction struct {
	session *session
	pending []step
	used    bool  // there is something to commit, sent or pending
	begun   bool  // something was sent
	awaited bool  // a pending statement gives a row that nobody has seen
	gone    error // the connection is cut off
}

// step is a statement that is sent, with its arguments as the server reads them.
type step struct {
	stmt    *Stmt
	values  [][]byte
	formats []int16
	dest    []any // where its row goes, which must come; nil: to who sends it
}

// result is everything that a statement gave.
type result struct {
	rows [][]driver.Value
	tag  pgconn.CommandTag
}

// next adds a step that waits for the next statement. It must have been prepared
// on this connection.
func (t *transaction) next(s *Stmt) { t.pending = append(t.pending, step{stmt: s}) }

// run runs a statement and reads its rows to their end, so that the connection
// is free for the next.
func (t *transaction) run(s *Stmt, args []any) (r result, err error) {
	if err := t.add(s, args); err != nil {
		return r, err
	}
	return t.send()
}

// add makes a statement pending.
func (t *transaction) add(s *Stmt, args []any) error {
	if t.gone != nil {
		return t.gone
	}
	if !t.session.knows(s) && t.session.conn.PgConn().TxStatus() == 'E' {
		// Nothing can be prepared before what failed is taken back.
		if _, err := t.send(); err != nil {
			return err
		}
	}
	p, err := t.session.statement(s)
	if err == nil {
		err = t.session.bind(p, args)
	}
	if err != nil {
		return t.check(err)
	}
	t.used = true
	t.pending = append(t.pending, step{stmt: s, values: t.session.builder.ParamValues, formats: t.session.builder.ParamFormats})
	t.session.builder = pgx.ExtendedQueryBuilder{} // what it holds is the step's now
	return nil
}

// send sends what is pending and gives the result of the last.
func (t *transaction) send() (r result, err error) {
	steps := t.pending
	t.pending, t.awaited = t.pending[:0], false
	t.begun = true
	t.session.expectAnswer()
	pipeline := t.session.conn.PgConn().StartPipeline(background)
	for _, s := range steps {
		p := t.session.prepared[s.stmt.number]
		pipeline.SendQueryStatement(p.StatementDescription, s.values, s.formats, p.formats)
	}
	err = pipeline.Sync()
	var misses error // the pipeline is read to its end all the same
	for _, s := range steps {
		if err != nil {
			break
		}
		var got any
		if got, err = pipeline.GetResults(); err == nil {
			r, err = t.session.prepared[s.stmt.number].read(got)
		}
		if err == nil && s.dest != nil && misses == nil {
			misses = r.one(s.dest)
		}
	}
	if closing := pipeline.Close(); err == nil {
		err = closing
	}
	if err == nil {
		return r, misses
	}
	return r, t.check(err)
}

// one puts the first row, which must be there, where it is wanted.
func (r result) one(dest []any) error {
	if len(r.rows) == 0 {
		return ErrNoRows
	}
	return assignAll(dest, r.rows[0])
}

// check notes when the connection is gone.
func (t *transaction) check(err error) error {
	err = classify(err)
	if isLost(err) {
		t.gone = err
	}
	return err
}

func (p *described) read(got any) (r result, err error) {
	reader, ok := got.(*pgconn.ResultReader)
	if !ok {
		return r, fmt.Errorf("a statement gave %T", got)
	}
	for reader.NextRow() && err == nil {
		var row []driver.Value
		row, err = p.decode(make([]driver.Value, 0, len(p.formats)), reader.Values())
		r.rows = append(r.rows, row)
	}
	tag, closing := reader.Close()
	r.tag = tag
	return r, errors.Join(closing, err)
}

// pgTx is one change in a transaction.
type pgTx struct {
	*transaction
	hold    *Stmt
	later   bool  // rows may come after the change
	touched bool  // it ran a statement
	wrote   bool  // and changed something
	unsent  bool  // what it changed last has not been sent
	failed  error // of its first statement that did: the server refuses all that come after it
}

func (tx *pgTx) run(s *Stmt, args []any) (result, error) {
	if tx.failed != nil {
		return result{}, tx.failed
	}
	tx.touched, tx.unsent = true, false
	r, err := tx.transaction.run(s, args)
	tx.failed, tx.wrote = err, tx.wrote || !r.tag.Select() && r.tag.RowsAffected() > 0
	return r, err
}

func (tx *pgTx) queryRow(s *Stmt, args, dest []any) error {
	r, err := tx.run(s, args)
	if err != nil {
		return err
	}
	return r.one(dest)
}

func (tx *pgTx) queryRowLater(s *Stmt, args, dest []any) error {
	if !tx.later {
		return tx.queryRow(s, args, dest)
	}
	if err := tx.send(s, args); err != nil {
		return err
	}
	tx.pending[len(tx.pending)-1].dest, tx.awaited = dest, true
	return nil
}

func (tx *pgTx) query(s *Stmt, args []any) (Rows, error) {
	r, err := tx.run(s, args)
	if err != nil {
		return nil, err
	}
	return &readRows{rest: r.rows}, nil
}

func (tx *pgTx) exec(s *Stmt, args []any) (int64, error) {
	r, err := tx.run(s, args)
	return r.tag.RowsAffected(), err
}

func (tx *pgTx) send(s *Stmt, args []any) error {
	if tx.failed != nil {
		return tx.failed
	}
	tx.touched, tx.wrote, tx.unsent = true, true, true
	tx.failed = tx.add(s, args)
	return tx.failed
}

// flush sends what the change left to go with its next statement.
func (tx *pgTx) flush() error {
	if tx.unsent && tx.failed == nil {
		tx.unsent = false
		_, tx.failed = tx.transaction.send()
	}
	return tx.failed
}

// holdKey goes with the next statement.
func (tx *pgTx) holdKey(key int64) {
	value := binary.BigEndian.AppendUint64(nil, uint64(key))
	tx.pending = append(tx.pending, step{stmt: tx.hold, values: [][]byte{value}, formats: []int16{pgtype.BinaryFormatCode}})
}

// readRows are rows that were all read before.
type readRows struct {
	row  []driver.Value
	rest [][]driver.Value
}

func (r *readRows) Next() bool {
	if len(r.rest) == 0 {
		r.row = nil
		return false
	}
	r.row, r.rest = r.rest[0], r.rest[1:]
	return true
}

func (r *readRows) Scan(dest ...any) error {
	if r.row == nil {
		return errors.New("the rows are closed")
	}
	return assignAll(dest, r.row)
}

func (r *readRows) Err() error { return nil }

func (r *readRows) Close() error {
	r.row, r.rest = nil, nil
	return nil
}
