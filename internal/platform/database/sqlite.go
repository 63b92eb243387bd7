package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pressly/goose/v3"
)

// settings are made on every connection. The busy timeout comes first, so that
// those after it wait rather than fail. Caches are small because ten databases
// share one process: 1000 kB a connection (the driver takes twice that), and the
// operating system has the rest.
var settings = []string{
	"busy_timeout(10000)",
	"journal_mode(WAL)",
	"synchronous(FULL)",
	"foreign_keys(1)",
	"cache_size(-1000)",
	"journal_size_limit(67108864)", // what the log keeps on disk once it has been worked off
	"wal_autocheckpoint(4000)",     // 16 MB: pages that many changes write are worked off once, at 4 MB several times
}

// sqliteEngine is a file with its lock, its writer and its readers.
type sqliteEngine struct {
	db      *DB
	lock    *fileLock
	writer  *writer
	readers *readers
}

// openSQLite opens the file with its lock, its writer and its readers, the
// tables up to date.
func openSQLite(ctx context.Context, db *DB) (err error) {
	o := db.options
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return err
	}
	lock, err := lockFile(path, o.Shared)
	if err != nil {
		return err
	}
	e := &sqliteEngine{db: db, lock: lock}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.release())
		}
	}()
	// The first to come sets the file up; the others wait for it here.
	if err := lock.takeTurn(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.endTurn()) }()

	// The connection that migrates keeps the file's log from being removed and
	// made again before the writer opens it.
	migrating, err := sql.Open("sqlite", dsn(path, "_txlock=immediate"))
	if err != nil {
		return err
	}
	migrating.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, migrating.Close()) }()
	on := dialect{
		name: goose.DialectSQLite3, folder: "sqlite", where: path,
		exists: `SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1`,
	}
	if err := migrate(ctx, migrating, on, o); err != nil {
		return err
	}
	if err := checkSecret(ctx, migrating, on, o); err != nil {
		return err
	}
	c, err := openConn(dsn(path, "_txlock=immediate"))
	if err != nil {
		return err
	}
	e.readers = newReaders(dsn(path, "_pragma=query_only(1)"), runtime.GOMAXPROCS(0)+2, !o.Shared)
	e.writer = newWriter(c, lock, e.readers, o.Log)
	db.engine = e
	e.readers.begin, e.readers.end = db.Prepare(`BEGIN`), db.Prepare(`COMMIT`)
	if err := e.writer.start(db); err != nil {
		return errors.Join(err, e.writer.close())
	}
	return nil
}

func (e *sqliteEngine) prepare(s *Stmt) error { return e.writer.prepare(s) }

func (e *sqliteEngine) queryRow(ctx context.Context, s *Stmt, args, dest []any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := e.readers.take(ctx)
	if err != nil {
		return refusal(err)
	}
	defer e.readers.put(c)
	return refusal(c.queryRow(s, args, dest))
}

func (e *sqliteEngine) query(ctx, watched context.Context, s *Stmt, args []any) (Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := e.readers.take(ctx)
	if err != nil {
		return nil, refusal(err)
	}
	p, rows, err := c.query(watched, s, args)
	if err != nil {
		e.readers.put(c)
		return nil, refusal(err)
	}
	return newRows(ctx, p, rows, func(err error) error {
		e.readers.put(c)
		return err
	}), nil
}

func (e *sqliteEngine) update(ctx context.Context, fn func(*Tx) error) error {
	return refusal(e.writer.do(ctx, fn))
}

// forUpdate is nothing: whoever writes is alone.
func (e *sqliteEngine) forUpdate() string { return "" }

// forShare is nothing, either.
func (e *sqliteEngine) forShare() string { return "" }

func (e *sqliteEngine) close() error {
	return errors.Join(e.writer.close(), e.readers.close(), e.lock.release())
}

// dsn names the file and the settings of each connection to it.
func dsn(path, more string) string {
	file := (&url.URL{Path: path}).EscapedPath()
	return fmt.Sprintf("file:%s?_pragma=%s&%s", file, strings.Join(settings, "&_pragma="), more)
}
