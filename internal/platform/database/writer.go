package database

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
)

// groupSize is how many changes share a transaction at most. Beyond it, what a
// COMMIT costs is small against the changes themselves.
const groupSize = 128

// writer owns the one connection that writes. The changes of a group run in one
// transaction, each behind a savepoint, and are answered after the COMMIT.
//
// No statement sees a caller's context: SQLite's answer to an interrupted
// statement is to roll back the transaction, and with it the others' changes.
type writer struct {
	lock    *fileLock
	readers *readers

	using sync.Mutex // held while conn is in use
	conn  *conn

	begin, commit, rollback     *Stmt
	savepoint, release, restore *Stmt

	*intake
}

func newWriter(c *conn, lock *fileLock, readers *readers, log *slog.Logger) *writer {
	w := &writer{lock: lock, readers: readers, conn: c, intake: newIntake(groupSize, log)}
	w.intake.settle, w.intake.undo = w.settle, w.abandon
	return w
}

// start gives the writer its own statements and lets it work.
func (w *writer) start(db *DB) error {
	for _, s := range []struct {
		to   **Stmt
		text string
	}{
		{&w.begin, "BEGIN IMMEDIATE"},
		{&w.commit, "COMMIT"},
		{&w.rollback, "ROLLBACK"},
		{&w.savepoint, "SAVEPOINT change"},
		{&w.release, "RELEASE change"},
		{&w.restore, "ROLLBACK TO change"},
	} {
		*s.to = db.Prepare(s.text)
	}
	w.intake.start()
	return db.PrepareErr()
}

// prepare checks a statement, between two groups.
func (w *writer) prepare(s *Stmt) error {
	w.using.Lock()
	defer w.using.Unlock()
	_, err := w.conn.prepare(s)
	return err
}

func (w *writer) exec(s *Stmt) error {
	_, err := w.conn.exec(s)
	return err
}

// close answers what was sent before it, and ends.
func (w *writer) close() error {
	w.intake.close()
	return w.conn.close()
}

// abandon takes back what a change left that ended its goroutine.
func (w *writer) abandon() error {
	w.using.Lock()
	defer w.using.Unlock()
	return w.undo()
}

// settle runs changes and answers each. When one of them breaks the
// transaction, it gets its error and the others are run again without it; when
// that happens twice, or when it shows only at the COMMIT, each is run alone.
func (w *writer) settle(group []*job) {
	for again := false; len(group) > 0; again = true {
		broken, err := w.transact(group)
		switch {
		case broken >= 0:
			answer(group[broken:broken+1], nil)
			group = slices.Delete(slices.Clone(group), broken, broken+1)
			if again {
				w.settleEach(group)
				return
			}
		case isConstraint(err) && len(group) > 1: // a deferred foreign key
			w.settleEach(group)
			return
		default:
			answer(group, err)
			return
		}
	}
}

func (w *writer) settleEach(group []*job) {
	for i := range group {
		w.settle(group[i : i+1])
	}
}

// transact runs changes in one transaction. The error is that of the
// transaction, for all of them; each one's own stays in the job. Broken is the
// index of the change that broke the transaction, or -1.
func (w *writer) transact(group []*job) (broken int, err error) {
	if err := w.lock.takeTurn(); err != nil {
		return -1, fmt.Errorf("wait for the turn to write: %w", err)
	}
	defer func() { err = errors.Join(err, w.lock.endTurn()) }()
	w.using.Lock()
	defer w.using.Unlock()
	w.readers.writing()
	defer w.readers.written()
	if err := w.exec(w.begin); err != nil {
		return -1, fmt.Errorf("begin: %w", err)
	}
	alone, worked := len(group) == 1, false
	for i, j := range group {
		err, lost := w.change(j, alone)
		if j.err = err; lost {
			return i, w.undo()
		}
		worked = worked || j.err == nil
	}
	if !worked {
		return -1, w.undo()
	}
	if err := w.exec(w.commit); err != nil {
		return -1, errors.Join(fmt.Errorf("commit: %w", err), w.undo())
	}
	return -1, nil
}

// change runs one change, and takes it back when it fails; alone, that is left
// to the transaction. Lost says that the transaction is gone.
func (w *writer) change(j *job, alone bool) (err error, lost bool) {
	if !alone {
		if err := w.exec(w.savepoint); err != nil {
			return fmt.Errorf("savepoint: %w", err), !w.stands()
		}
	}
	tx := &sqliteTx{writer: w}
	err = w.call(j.fn, tx)
	if ending := tx.end(); err == nil {
		err = ending
	}
	switch {
	case tx.lost != nil && err == nil: // it went on as if nothing had happened
		return tx.lost, true
	case tx.lost != nil:
		return err, true
	case alone:
		return err, false
	}
	if err != nil {
		if undoing := w.exec(w.restore); undoing != nil {
			return errors.Join(err, undoing), true
		}
	}
	if releasing := w.exec(w.release); releasing != nil {
		return errors.Join(err, releasing), true
	}
	return err, false
}

// stands says whether a transaction is open: only then is another BEGIN
// refused.
func (w *writer) stands() bool {
	if w.exec(w.begin) != nil {
		return true
	}
	if err := w.exec(w.rollback); err != nil {
		w.log.Error("roll back an empty transaction", "error", err)
	}
	return false
}

// undo takes back what stands of the transaction.
func (w *writer) undo() error {
	if !w.stands() {
		return nil
	}
	if err := w.exec(w.rollback); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}
