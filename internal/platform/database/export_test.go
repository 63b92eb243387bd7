package database

import (
	"errors"
	"fmt"
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

// Shape is how changes are grouped on a server.
type Shape struct{ Size, Lanes int }

// Shapes are those that are measured against each other.
var Shapes = []Shape{{1, 8}, {32, 1}, {32, 2}, {32, 3}, {32, 4}}

func (s Shape) String() string {
	if s.Size == 1 {
		return fmt.Sprintf("single, %d at once", s.Lanes)
	}
	return fmt.Sprintf("groups of %d, %d at once", s.Size, s.Lanes)
}

// Use opens databases in this shape until the function that it gives is called.
func (s Shape) Use() (back func()) {
	was := Shape{pgGroupSize, pgLanes}
	pgGroupSize, pgLanes = s.Size, s.Lanes
	return func() { pgGroupSize, pgLanes = was.Size, was.Lanes }
}
