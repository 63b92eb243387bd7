package database

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ErrNotEmpty says that rows are there where others were to be copied to.
var ErrNotEmpty = errors.New("the database is not empty")

// CopyToServer copies all rows of a file to a database on a server, in one
// transaction, with the numbers that are given next. The database is made when it
// is not there; it must hold nothing but what a new one does ([ErrNotEmpty]).
// Nobody may use the file meanwhile ([ErrInUse]). Copied is told of the rows
// now and then, and may be nil.
func CopyToServer(ctx context.Context, from, to Options, copied func(rows int64)) (rows int64, err error) {
	file, err := Open(ctx, from)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	server, err := Open(ctx, to)
	if err != nil {
		return 0, err
	}
	engine := server.engine.(*postgresEngine)
	if err := errors.Join(server.Ready(ctx), server.Close()); err != nil {
		return 0, fmt.Errorf("reach the server: %w", err)
	}
	config := patient(engine.own().ConnConfig)
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	source, err := openForCopy(from.Path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	cp := copier{from: source, to: c, copied: copied}
	if err := cp.all(ctx, from, config.Database); err != nil {
		return 0, err
	}
	return cp.rows, nil
}

// openForCopy opens a file to read it, past the engine, whose statements are
// prepared beforehand.
func openForCopy(path string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(path, "_pragma=query_only(1)"))
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// copier copies one file.
type copier struct {
	from   *sql.DB
	to     *pgx.Conn
	rows   int64
	copied func(rows int64)
}

// copyTable is a table on the server.
type copyTable struct {
	name    string
	columns []string
	counted string // the column that is numbered by itself, or ""
	needs   []string
}

func (cp *copier) all(ctx context.Context, from Options, database string) error {
	tx, err := cp.to.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after the commit it does nothing
	tables, err := cp.tables(ctx)
	if err != nil {
		return fmt.Errorf("list the tables: %w", err)
	}
	if err := cp.empty(ctx, from, tables, database); err != nil {
		return err
	}
	for _, t := range tables {
		if err := cp.table(ctx, t); err != nil {
			return fmt.Errorf("copy the table %s: %w", t.name, err)
		}
	}
	return tx.Commit(ctx)
}

// tables are all that hold rows, those first that others refer to.
func (cp *copier) tables(ctx context.Context) ([]copyTable, error) {
	rows, err := cp.to.Query(ctx, `SELECT c.relname,
			(SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),
			COALESCE((SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attidentity <> ''), ''),
			COALESCE((SELECT array_agg(DISTINCT f.relname::text) FROM pg_constraint k JOIN pg_class f ON f.oid = k.confrelid WHERE k.conrelid = c.oid AND k.contype = 'f' AND f.oid <> c.oid), '{}')
		FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
			AND c.relname NOT IN ('schema_platform', 'schema_service', 'secret_mark')
		ORDER BY c.relname`)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t copyTable, err error) {
		return t, row.Scan(&t.name, &t.columns, &t.counted, &t.needs)
	})
	if err != nil {
		return nil, err
	}
	var ordered []copyTable
	placed := map[string]bool{}
	for len(ordered) < len(all) {
		before := len(ordered)
		for _, t := range all {
			if !placed[t.name] && !slices.ContainsFunc(t.needs, func(n string) bool { return !placed[n] }) {
				ordered, placed[t.name] = append(ordered, t), true
			}
		}
		if len(ordered) == before {
			return nil, errors.New("tables refer to each other in a ring")
		}
	}
	return ordered, nil
}

// empty refuses a database in which anybody has stored anything, and takes away
// what its migrations did. A new file shows how much that is.
func (cp *copier) empty(ctx context.Context, from Options, tables []copyTable, database string) error {
	dir, err := os.MkdirTemp("", "emporium-copy-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	from.Path = filepath.Join(dir, "new.db")
	blank, err := Open(ctx, from)
	if err != nil {
		return err
	}
	if err := blank.Close(); err != nil {
		return err
	}
	fresh, err := openForCopy(from.Path)
	if err != nil {
		return err
	}
	defer func() { _ = fresh.Close() }()
	for _, t := range slices.Backward(tables) {
		name := pgx.Identifier{t.name}.Sanitize()
		var there, fromStart int64
		if err := fresh.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+name).Scan(&fromStart); err != nil {
			return err
		}
		if _, err := cp.to.Exec(ctx, `LOCK TABLE `+name+` IN ACCESS EXCLUSIVE MODE`); err != nil {
			return err
		}
		if err := cp.to.QueryRow(ctx, `SELECT COUNT(*) FROM `+name).Scan(&there); err != nil {
			return err
		}
		if there > fromStart {
			return fmt.Errorf("%w: %s has %d rows in its table %s", ErrNotEmpty, database, there, t.name)
		}
		if there == 0 {
			continue
		}
		if _, err := cp.to.Exec(ctx, `DELETE FROM `+name); err != nil {
			return err
		}
	}
	return nil
}

// table copies one table.
func (cp *copier) table(ctx context.Context, t copyTable) error {
	name, columns := pgx.Identifier{t.name}.Sanitize(), make([]string, len(t.columns))
	for i, c := range t.columns {
		columns[i] = pgx.Identifier{c}.Sanitize()
	}
	list := strings.Join(columns, ", ")
	out, in := io.Pipe()
	var read int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		in.CloseWithError(cp.write(ctx, `SELECT `+list+` FROM `+name, in, &read))
	}()
	tag, err := cp.to.PgConn().CopyFrom(ctx, out, `COPY `+name+` (`+list+`) FROM STDIN`)
	out.CloseWithError(err) // ends the other, should it still write
	<-done
	switch {
	case err != nil:
		return err
	case tag.RowsAffected() != read:
		return fmt.Errorf("%d rows were read and %d arrived", read, tag.RowsAffected())
	case t.counted == "":
		return nil
	}
	// No number is given twice, not even that of a row that was deleted.
	var last int64
	if err := cp.from.QueryRowContext(ctx, `SELECT MAX(COALESCE((SELECT MAX(`+pgx.Identifier{t.counted}.Sanitize()+`) FROM `+name+`), 0),
		COALESCE((SELECT seq FROM sqlite_sequence WHERE name = $1), 0))`, t.name).Scan(&last); err != nil || last == 0 {
		return err
	}
	_, err = cp.to.Exec(ctx, `SELECT setval(pg_get_serial_sequence($1, $2), $3)`, name, t.counted, last)
	return err
}

// write writes what a query finds in the text form of COPY (PostgreSQL's
// documentation, COPY, "Text Format"), in which the server reads values of every
// type.
func (cp *copier) write(ctx context.Context, query string, to io.Writer, read *int64) error {
	rows, err := cp.from.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // after the last row it already is
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(to, 64<<10)
	values, places := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	var line []byte
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return err
		}
		line = line[:0]
		for i, v := range values {
			if i > 0 {
				line = append(line, '\t')
			}
			if line, err = appendCopyText(line, v); err != nil {
				return err
			}
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
		*read++
		if cp.rows++; cp.copied != nil && cp.rows%1000 == 0 {
			cp.copied(cp.rows)
		}
	}
	return errors.Join(rows.Err(), out.Flush())
}

var copyEscapes = strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

func appendCopyText(to []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(to, `\N`...), nil
	case int64:
		return strconv.AppendInt(to, v, 10), nil
	case float64:
		return strconv.AppendFloat(to, v, 'g', -1, 64), nil
	case string:
		return append(to, copyEscapes.Replace(v)...), nil
	case []byte:
		return hex.AppendEncode(append(to, `\\x`...), v), nil
	}
	return to, fmt.Errorf("a value is a %T", value)
}
