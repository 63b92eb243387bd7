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

// openSQLite opens the file with its lock, its writer and its readers, the
// tables up to date.
func openSQLite(ctx context.Context, o Options) (_ *DB, err error) {
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, err
	}
	lock, err := lockFile(path, o.Shared)
	if err != nil {
		return nil, err
	}
	db := &DB{options: o, lock: lock, built: map[string]*Stmt{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.release())
		}
	}()
	// The first to come sets the file up; the others wait for it here.
	if err := lock.takeTurn(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.endTurn()) }()

	// The connection that migrates keeps the file's log from being removed and
	// made again before the writer opens it.
	migrating, err := sql.Open("sqlite", dsn(path, "_txlock=immediate"))
	if err != nil {
		return nil, err
	}
	migrating.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, migrating.Close()) }()
	if err := migrate(ctx, migrating, path, o); err != nil {
		return nil, err
	}
	c, err := openConn(dsn(path, "_txlock=immediate"))
	if err != nil {
		return nil, err
	}
	db.readers = newReaders(dsn(path, "_pragma=query_only(1)"), runtime.GOMAXPROCS(0)+2, !o.Shared)
	db.writer = newWriter(c, lock, db.readers, o.Log)
	db.readers.begin, db.readers.end = db.Prepare(`BEGIN`), db.Prepare(`COMMIT`)
	if err := db.writer.start(db); err != nil {
		return nil, errors.Join(err, db.writer.close())
	}
	return db, nil
}

// dsn names the file and the settings of each connection to it.
func dsn(path, more string) string {
	file := (&url.URL{Path: path}).EscapedPath()
	return fmt.Sprintf("file:%s?_pragma=%s&%s", file, strings.Join(settings, "&_pragma="), more)
}
