package database

import (
	"database/sql"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"emporium/internal/market"
)

var (
	// ErrNoRows is what Scan gives when a statement found nothing.
	ErrNoRows = sql.ErrNoRows
	// ErrClosed is the answer to everything after [DB.Close].
	ErrClosed = errors.New("the database is closed")
	// ErrInUse says that another process has the file; the error around it
	// says which.
	ErrInUse = errors.New("the database is in use")
	// ErrNewer says that the file was written by a newer program.
	ErrNewer = errors.New("the database is newer than this program")
	// ErrOtherSecret says that other processes use the database with another
	// secret than this one.
	ErrOtherSecret = errors.New("the secret is another")
)

// IsUnique says whether a statement failed because a row with that key exists.
func IsUnique(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return true
	}
	return state(err) == stateUnique
}

// IsForeignKey says whether a statement failed because a row it refers to does
// not exist, or because others still refer to the row it removes.
func IsForeignKey(err error) bool {
	return code(err) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY || state(err) == stateForeignKey
}

// isConstraint says whether some rule of SQLite's tables was broken.
func isConstraint(err error) bool {
	return code(err)&0xff == sqlite3.SQLITE_CONSTRAINT
}

// code gives SQLite's extended result code, or 0 when err is none of its.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

// refusal makes what will pass by itself, or when somebody has made room, an
// Unavailable; other errors stay as they are.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	switch code(err) & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
	default:
		if !errors.Is(err, ErrClosed) {
			return err
		}
	}
	return unavailable(err)
}

func unavailable(err error) error {
	return &market.Error{
		Kind: market.Unavailable, Code: "database_unavailable",
		Detail: "the data cannot be reached at the moment: try again later", Cause: err,
	}
}
