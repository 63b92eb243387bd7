// Package database stores what one service owns. A service reads with prepared
// statements from a pool of readers, and changes things through [DB.Update] or
// [Once]: callers' changes run in groups, in one transaction each behind its own
// savepoint, and each caller is answered only after the COMMIT. The package
// also keeps the tables that every service has: idempotency, outbox, inbox and
// the log of what staff changes.
//
// The engine is SQLite in a file, or PostgreSQL on a server. The same SQL runs on
// both; a service sees no difference but in its migrations.
package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"emporium/internal/market"
)

// Options say what to open and what the database needs from around it.
type Options struct {
	Path       string           // the SQLite file; its folder must exist. Not used with a URL
	URL        string           // a PostgreSQL server, postgres://…; its path names the database, or, with Database, one that exists
	Database   string           // the database on the server, made when it is not there; the one of the URL when empty
	Name       string           // the service, for messages: "inventory"
	Migrations fs.FS            // holds sqlite/ and postgres/; nil when only the platform's own tables are wanted
	Secret     []byte           // keys the stored hashes of idempotent request bodies
	Now        func() time.Time // what "24 hours ago" is counted from; the system clock when nil
	Log        *slog.Logger     // nil logs nothing
	Shared     bool             // several processes use the file: a fair lock before each write transaction instead of one held while open
}

// DB is one service's database. Its methods may be called from many goroutines.
type DB struct {
	options Options
	engine  engine
	closed  atomic.Bool

	mu         sync.Mutex
	statements int              // how many there are
	wrong      []error          // those that could not be prepared
	built      map[string]*Stmt // built queries by their text

	once onceStatements
	log  logStatements
	ping *Stmt
}

// Open locks the file, brings its tables up to date and opens it. Another
// process that has it is [ErrInUse]; tables newer than this program knows are
// [ErrNewer].
//
// A server that does not answer is waited for: Open returns a database that is
// not ready, on which everything is Unavailable until it is. What will not pass
// by itself (a wrong password, a database that may not be made) is an error.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the one default; everything else is given a clock
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	db := &DB{options: o, built: map[string]*Stmt{}}
	open := openSQLite
	if o.URL != "" {
		open = openPostgres
	}
	if err := open(ctx, db); err != nil {
		return nil, fmt.Errorf("open the database of %s: %w", o.Name, err)
	}
	db.ping = db.Prepare(`SELECT 1`)
	db.once = prepareOnce(db)
	db.log = prepareLog(db)
	if err := db.PrepareErr(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Close waits for changes under way, closes the file and gives up its lock.
// Changes that come later fail with [ErrClosed].
func (db *DB) Close() error {
	if db.closed.Swap(true) {
		return nil
	}
	return db.engine.close()
}

// Ready says whether the database answers.
func (db *DB) Ready(ctx context.Context) error {
	if db.closed.Load() {
		return ErrClosed
	}
	if err := db.PrepareErr(); err != nil {
		return err
	}
	var one int
	if err := db.ping.QueryRow(ctx).Scan(&one); err != nil {
		return fmt.Errorf("read from the database of %s: %w", db.options.Name, err)
	}
	return nil
}

// Update makes one change. What fn does is either all committed, before Update
// returns nil, or not done at all; fn's error is returned as it is. Changes of
// several callers share a transaction, which none of them notices.
//
// Fn runs on a writer's goroutine while others wait. So it does nothing
// but SQL on its tx: no hashing, no encoding, no network, no other Update. It
// may run twice, so it sets what it captured rather than adding to it. A
// context that ends takes the change back if it has not begun; one that has
// begun is finished and answered. A disk that is full or fails is Unavailable.
//
// What staff changes is written down with the change ([DB.StaffLog]).
func (db *DB) Update(ctx context.Context, fn func(tx *Tx) error) error {
	if market.ActionOf(ctx) == nil {
		return db.engine.update(ctx, fn)
	}
	change := logged(ctx, db, func(tx *Tx) (struct{}, error) { return struct{}{}, fn(tx) })
	return db.engine.update(ctx, func(tx *Tx) error {
		_, err := change(tx)
		return err
	})
}
