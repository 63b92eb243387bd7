package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
)

// groupSize is how many changes share a transaction at most. Beyond it, what a
// COMMIT costs is small against the changes themselves.
const groupSize = 128

// writer owns the one connection that writes. A goroutine takes a change and
// whatever else is already waiting, runs them in one transaction, each behind a
// savepoint, and answers all of them after the COMMIT. There is no timer: a
// change that comes alone waits for nothing.
//
// No statement sees a caller's context: SQLite's answer to an interrupted
// statement is to roll back the transaction, and with it the others' changes.
type writer struct {
	lock    *fileLock
	readers *readers
	log     *slog.Logger

	using sync.Mutex // held while conn is in use
	conn  *conn

	begin, commit, rollback     *Stmt
	savepoint, release, restore *Stmt

	mu      sync.RWMutex // held for reading by those who send, so that none sends to a closed channel
	closed  bool
	jobs    chan *job
	stopped chan struct{}
	group   []*job // being run
}

// job is one caller's change.
type job struct {
	fn    func(*Tx) error
	state atomic.Int32
	err   error
	done  chan error
}

// The states of a job. Only a waiting one can be withdrawn, so a caller never
// goes away from a function that is running.
const (
	waiting int32 = iota
	taken
	withdrawn
)

func newWriter(c *conn, lock *fileLock, readers *readers, log *slog.Logger) *writer {
	return &writer{
		lock: lock, readers: readers, log: log, conn: c,
		jobs: make(chan *job, groupSize), stopped: make(chan struct{}),
	}
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
	go w.run()
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
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	close(w.jobs)
	<-w.stopped
	return w.conn.close()
}

// do sends a change and waits for its answer.
func (w *writer) do(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{fn: fn, done: make(chan error, 1)}
	if err := w.send(ctx, j); err != nil {
		return err
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		if j.state.CompareAndSwap(waiting, withdrawn) {
			return ctx.Err()
		}
		return <-j.done
	}
}

func (w *writer) send(ctx context.Context, j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return ErrClosed
	}
	select {
	case w.jobs <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run works until the channel is closed.
func (w *writer) run() {
	ended := false
	defer func() {
		if ended {
			close(w.stopped)
			return
		}
		// A change ended its goroutine, which is this one (runtime.Goexit, as a
		// failing test does). The others' must not wait for ever.
		w.using.Lock()
		err := errors.Join(errors.New("a change ended the writer"), w.undo())
		w.using.Unlock()
		w.answer(w.group, err)
		go w.run()
	}()
	for first := range w.jobs {
		// Whoever was answered a moment ago, and has the next change ready, comes
		// along: 125,000 changes a second from 64 callers instead of 105,000, and
		// no later for one that comes alone.
		runtime.Gosched()
		w.group = w.gather(first)
		w.settle(w.group)
	}
	ended = true
}

// gather takes what is waiting, up to a group.
func (w *writer) gather(first *job) []*job {
	group := make([]*job, 0, groupSize)
	for j := first; ; {
		if j.state.CompareAndSwap(waiting, taken) {
			group = append(group, j)
		}
		if len(group) == groupSize {
			return group
		}
		select {
		case next, more := <-w.jobs:
			if !more {
				return group
			}
			j = next
		default:
			return group
		}
	}
}

// settle runs changes and answers each. When one of them breaks the
// transaction, it gets its error and the others are run again without it; when
// that happens twice, or when it shows only at the COMMIT, each is run alone.
func (w *writer) settle(group []*job) {
	for again := false; len(group) > 0; again = true {
		broken, err := w.transact(group)
		switch {
		case broken >= 0:
			w.answer(group[broken:broken+1], nil)
			group = slices.Delete(slices.Clone(group), broken, broken+1)
			if again {
				w.settleEach(group)
				return
			}
		case isConstraint(err) && len(group) > 1: // a deferred foreign key
			w.settleEach(group)
			return
		default:
			w.answer(group, err)
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
	tx := &Tx{writer: w}
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

// call runs a caller's function; a panic in it is its caller's error alone.
func (w *writer) call(fn func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.log.Error("panic in a change", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in a change: %v", p)
		}
	}()
	return fn(tx)
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

// answer gives each caller its own error, or else that of the transaction.
func (w *writer) answer(group []*job, err error) {
	for _, j := range group {
		if j.err == nil {
			j.err = err
		}
		j.done <- j.err
	}
}
