package database

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"emporium/internal/market"
)

// session is a connection with the statements that were used on it. One
// goroutine uses it at a time, and has it until release.
type session struct {
	pooled *pgxpool.Conn
	*memory
}

// memory is what is known of a connection for as long as it lives.
type memory struct {
	conn     *pgx.Conn
	prepared []*described   // by Stmt.number
	values   []any          // reused
	row      []driver.Value // reused by queryRow
	builder  pgx.ExtendedQueryBuilder
}

// described is a statement on one connection.
type described struct {
	*pgconn.StatementDescription
	formats []int16 // of its columns
}

const memoryKey = "emporium"

// newSession makes a pooled connection one's own. The time to answer counts from
// here, or from what a transaction last sent.
func newSession(c *pgxpool.Conn) *session {
	data := c.Conn().PgConn().CustomData()
	m, known := data[memoryKey].(*memory)
	if !known {
		m = &memory{conn: c.Conn()}
		data[memoryKey] = m
	}
	s := &session{c, m}
	s.expectAnswer()
	return s
}

// expectAnswer gives the server its time to answer, anew.
func (s *session) expectAnswer() {
	now := time.Now() //nolint:forbidigo // a deadline of the network, not of the domain
	// A connection that is gone says so when it is used.
	_ = s.conn.PgConn().Conn().SetDeadline(now.Add(answerTimeout))
}

func (s *session) release() {
	_ = s.conn.PgConn().Conn().SetDeadline(time.Time{})
	s.pooled.Release() // one that is broken or in a transaction is closed
}

// knows says whether a statement was prepared on this connection.
func (s *session) knows(stmt *Stmt) bool {
	return stmt.number < len(s.prepared) && s.prepared[stmt.number] != nil
}

// statement gives a statement on this connection.
func (s *session) statement(stmt *Stmt) (*described, error) {
	if s.knows(stmt) {
		return s.prepared[stmt.number], nil
	}
	description, err := s.conn.Prepare(background, stmt.query, stmt.query)
	if err != nil {
		return nil, classify(err)
	}
	p := &described{StatementDescription: description}
	for _, f := range description.Fields {
		format := int16(pgtype.TextFormatCode)
		if isBinary(f.DataTypeOID) {
			format = pgtype.BinaryFormatCode
		}
		p.formats = append(p.formats, format)
	}
	for stmt.number >= len(s.prepared) {
		s.prepared = append(s.prepared, nil)
	}
	s.prepared[stmt.number] = p
	return p, nil
}

// bind converts arguments as the other engine does, and writes them for the
// server; what builder holds is good until the next bind.
func (s *session) bind(p *described, args []any) error {
	s.values = s.values[:0]
	for i, arg := range args {
		switch v := arg.(type) {
		case int64, string, nil, []byte, bool, float64:
		case int:
			arg = int64(v)
		case market.Time:
			arg = v.Time
		default:
			var err error
			if arg, err = driver.DefaultParameterConverter.ConvertValue(v); err != nil {
				return valueError{fmt.Errorf("argument $%d: %w", i+1, err)}
			}
		}
		s.values = append(s.values, arg)
	}
	if err := s.builder.Build(s.conn.TypeMap(), p.StatementDescription, s.values); err != nil {
		return valueError{err}
	}
	return nil
}

// start sends a statement.
func (s *session) start(ctx context.Context, stmt *Stmt, args []any) (*described, *pgconn.ResultReader, error) {
	p, err := s.statement(stmt)
	if err != nil {
		return nil, nil, err
	}
	if err := s.bind(p, args); err != nil {
		return nil, nil, err
	}
	return p, s.conn.PgConn().ExecStatement(ctx, p.StatementDescription, s.builder.ParamValues, s.builder.ParamFormats, p.formats), nil
}

// queryRow reads one row into dest.
func (s *session) queryRow(stmt *Stmt, args, dest []any) error {
	p, reader, err := s.start(background, stmt, args)
	if err != nil {
		return err
	}
	found := reader.NextRow()
	if found {
		s.row, err = p.decode(s.row[:0], reader.Values())
	}
	if _, closing := reader.Close(); closing != nil {
		return classify(closing)
	}
	switch {
	case err != nil:
		return err
	case !found:
		return ErrNoRows
	}
	return assignAll(dest, s.row)
}

// query runs a statement to its first row; the rows give the connection back.
func (s *session) query(ctx, watched context.Context, stmt *Stmt, args []any) (Rows, error) {
	p, reader, err := s.start(watched, stmt, args)
	if err != nil {
		return nil, err
	}
	r := &pgRows{ctx: ctx, session: s, prepared: p, reader: reader}
	if r.first = reader.NextRow(); !r.first {
		if _, err := reader.Close(); err != nil {
			return nil, classify(err)
		}
	}
	return r, nil
}

// pgRows are rows that come from the server as they are read.
type pgRows struct {
	ctx      context.Context
	session  *session
	prepared *described
	reader   *pgconn.ResultReader
	first    bool // read, but not asked for
	values   []driver.Value
	err      error
	closed   bool
}

func (r *pgRows) Next() bool {
	if r.closed {
		return false
	}
	more := r.first || r.reader.NextRow()
	r.first = false
	if r.err = r.ctx.Err(); more && r.err == nil {
		if r.values, r.err = r.prepared.decode(r.values[:0], r.reader.Values()); r.err == nil {
			return true
		}
	}
	if err := r.Close(); r.err == nil {
		r.err = err
	}
	return false
}

func (r *pgRows) Scan(dest ...any) error {
	if r.closed {
		return errors.New("the rows are closed")
	}
	return assignAll(dest, r.values)
}

func (r *pgRows) Err() error { return r.err }

func (r *pgRows) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	_, err := r.reader.Close() // reads what is left
	r.session.release()
	if r.err != nil {
		return r.err
	}
	return pgRefusal(classify(err))
}

// isBinary says of which types values come in binary form; all others come as
// text.
func isBinary(oid uint32) bool {
	switch oid {
	case pgtype.Int8OID, pgtype.Int4OID, pgtype.Int2OID, pgtype.TextOID, pgtype.VarcharOID,
		pgtype.ByteaOID, pgtype.BoolOID, pgtype.TimestamptzOID, pgtype.Float8OID:
		return true
	}
	return false
}

// decode gives a row's values as a driver would, so that both engines assign
// them alike.
func (p *described) decode(to []driver.Value, raw [][]byte) ([]driver.Value, error) {
	if len(raw) != len(p.formats) {
		return to, valueError{fmt.Errorf("%d columns came, and %d were prepared", len(raw), len(p.formats))}
	}
	for i, b := range raw {
		if b == nil {
			to = append(to, nil)
			continue
		}
		v, err := decodeValue(p.Fields[i].DataTypeOID, b)
		if err != nil {
			return to, valueError{fmt.Errorf("column %s: %w", p.Fields[i].Name, err)}
		}
		to = append(to, v)
	}
	return to, nil
}

// epoch is where PostgreSQL counts microseconds from, in Unix time.
const epoch = 946_684_800_000_000

// decodeValue gives a value that is not NULL.
func decodeValue(oid uint32, b []byte) (driver.Value, error) {
	var size int
	switch oid {
	case pgtype.Int8OID, pgtype.TimestamptzOID, pgtype.Float8OID:
		size = 8
	case pgtype.Int4OID:
		size = 4
	case pgtype.Int2OID:
		size = 2
	case pgtype.BoolOID:
		size = 1
	case pgtype.ByteaOID:
		return append([]byte{}, b...), nil
	default:
		return string(b), nil
	}
	if len(b) != size {
		return nil, fmt.Errorf("%d bytes, not %d", len(b), size)
	}
	switch oid {
	case pgtype.Int8OID:
		return int64(binary.BigEndian.Uint64(b)), nil
	case pgtype.Int4OID:
		return int64(int32(binary.BigEndian.Uint32(b))), nil
	case pgtype.Int2OID:
		return int64(int16(binary.BigEndian.Uint16(b))), nil
	case pgtype.TimestamptzOID:
		return time.UnixMicro(int64(binary.BigEndian.Uint64(b)) + epoch).UTC(), nil
	case pgtype.Float8OID:
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	}
	return b[0] != 0, nil
}
