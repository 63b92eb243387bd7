package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
)

// conn is one connection with the statements that were used on it. One
// goroutine uses it at a time.
//
// It speaks to the driver itself: database/sql around it costs as much again as
// the reading of a row (its pool 2 µs on two busy cores, its conversions 1 µs),
// and could not keep a snapshot (see [readers]).
type conn struct {
	ctx      context.Context // [background]
	driver   driver.Conn
	prepared []*prepared         // by Stmt.number
	args     []driver.NamedValue // reused
	row      []driver.Value      // reused by QueryRow

	seen uint64 // which state of the database it read last
	kept bool   // a transaction is open on that state

	rests bool // not used for a while
}

// prepared is a statement on one connection.
type prepared struct {
	driver.Stmt
	open bool // its rows are being read
}

var errStillOpen = errors.New("its rows are still being read: close them before using the statement again")

// background is what statements run under: see [writer] and [Stmt.QueryRow].
var background = context.Background() //nolint:forbidigo // belongs to no request

func openConn(dsn string) (*conn, error) {
	c, err := new(sqlite.Driver).Open(dsn)
	if err != nil {
		return nil, err
	}
	return &conn{ctx: background, driver: c}, nil
}

func (c *conn) close() error {
	var all []error
	for _, p := range c.prepared {
		if p != nil {
			all = append(all, p.Close())
		}
	}
	return errors.Join(append(all, c.driver.Close())...)
}

// prepare gives the statement on this connection.
func (c *conn) prepare(s *Stmt) (*prepared, error) {
	if s.number < len(c.prepared) && c.prepared[s.number] != nil {
		return c.prepared[s.number], nil
	}
	stmt, err := c.driver.Prepare(s.query)
	if err != nil {
		return nil, err
	}
	for s.number >= len(c.prepared) {
		c.prepared = append(c.prepared, nil)
	}
	p := &prepared{Stmt: stmt}
	c.prepared[s.number] = p
	return p, nil
}

// bind converts arguments to what the driver takes.
func (c *conn) bind(args []any) ([]driver.NamedValue, error) {
	c.args = c.args[:0]
	for i, arg := range args {
		value := driver.NamedValue{Ordinal: i + 1}
		switch arg := arg.(type) {
		case int64, string, nil, []byte, bool, float64:
			value.Value = arg
		case int:
			value.Value = int64(arg)
		default:
			var err error
			if value.Value, err = driver.DefaultParameterConverter.ConvertValue(arg); err != nil {
				return nil, fmt.Errorf("argument $%d: %w", i+1, err)
			}
		}
		c.args = append(c.args, value)
	}
	return c.args, nil
}

// exec runs a statement and says how many rows it changed.
func (c *conn) exec(s *Stmt, args ...any) (int64, error) {
	p, values, err := c.start(s, args)
	if err != nil {
		return 0, err
	}
	result, err := p.Stmt.(driver.StmtExecContext).ExecContext(c.ctx, values)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// query runs a statement to its first row.
func (c *conn) query(ctx context.Context, s *Stmt, args []any) (*prepared, driver.Rows, error) {
	p, values, err := c.start(s, args)
	if err != nil {
		return nil, nil, err
	}
	rows, err := p.Stmt.(driver.StmtQueryContext).QueryContext(ctx, values)
	return p, rows, err
}

func (c *conn) start(s *Stmt, args []any) (*prepared, []driver.NamedValue, error) {
	p, err := c.prepare(s)
	if err != nil {
		return nil, nil, err
	}
	if p.open {
		return nil, nil, errStillOpen
	}
	values, err := c.bind(args)
	return p, values, err
}

// queryRow reads one row into dest.
func (c *conn) queryRow(s *Stmt, args, dest []any) (err error) {
	_, rows, err := c.query(c.ctx, s, args)
	if err != nil {
		return err
	}
	defer func() {
		// A statement that writes is checked when it is closed.
		if closing := rows.Close(); closing != nil && (err == nil || err == ErrNoRows) { //nolint:errorlint // set below
			err = closing
		}
	}()
	width := len(rows.Columns())
	for len(c.row) < width {
		c.row = append(c.row, nil)
	}
	if err := rows.Next(c.row[:width]); err == io.EOF { //nolint:errorlint // the driver's contract
		return ErrNoRows
	} else if err != nil {
		return err
	}
	return assignAll(dest, c.row[:width])
}
