package database

import (
	"errors"
)

// PrepareErrIsKnown fails until a wrong statement was found.
func (db *DB) PrepareErrIsKnown() error {
	if db.PrepareErr() == nil {
		return errors.New("nothing is wrong yet")
	}
	return nil
}

// Waiting says how many changes wait for the writer.
func (db *DB) Waiting() int { return len(db.engine.(*sqliteEngine).writer.jobs) }

// Rest lets the readers' timer run out, and says how many are open.
func (db *DB) Rest() int {
	readers := db.engine.(*sqliteEngine).readers
	readers.trim()
	readers.mu.Lock()
	defer readers.mu.Unlock()
	return len(readers.idle)
}

// GroupOf opens databases with groups of so many changes on a server until the
// function that it gives is called.
func GroupOf(size int) (back func()) {
	was := pgGroupSize
	pgGroupSize = size
	return func() { pgGroupSize = was }
}
