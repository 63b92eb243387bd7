package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"emporium/internal/market"
)

// How changes are grouped on a server. One group runs at a time: of two, those
// who want the same row would wait for each other's commits (bids of 64 callers
// on one item were half as many with two groups at a time as with one).
var pgGroupSize = 32

const (
	// carefulFor is how many groups have savepoints after one had none and one of
	// its changes failed that had changed something.
	carefulFor = 64
	// groupPatience is how long a change in a group waits for what other
	// processes hold before it is put off, to be run alone: its group waits with
	// it, and holds what it has.
	groupPatience = 5 * time.Millisecond
	// lostPatience is how long the others of that group wait.
	lostPatience = time.Millisecond
)

// settle runs changes and answers each. What meets with another transaction, or
// is cut off before its COMMIT was sent, is run again.
func (e *postgresEngine) settle(group []*job) {
	enough, cancel := context.WithTimeout(background, tryFor)
	defer cancel()
	for n := 0; ; n++ {
		putOff, err := e.transact(group)
		switch {
		case err == nil:
			group = slices.DeleteFunc(slices.Clone(group), func(j *job) bool { return slices.Contains(putOff, j) })
			e.settleLater(putOff)
			answer(group, nil)
			return
		case errors.Is(err, errFailed):
			continue
		case errors.Is(err, errUnknown):
		case n < tries && (isContention(err) || isLost(err) && enough.Err() == nil): // a deadlock is found after a second
			pause(n)
			continue
		case !isLost(err) && len(group) > 1: // a deferred foreign key
			e.settleLater(group)
			return
		}
		answer(group, err)
		return
	}
}

// settleLater runs changes one by one, while other groups go on.
func (e *postgresEngine) settleLater(changes []*job) {
	if len(changes) == 0 {
		return
	}
	e.stopped.Go(func() {
		rest := changes
		defer func() { // one of them ended the goroutine
			if len(rest) > 0 {
				answer(rest[:1], errors.New("the change ended its goroutine"))
				e.settleLater(rest[1:])
			}
		}()
		for len(rest) > 0 {
			e.settle(rest[:1])
			rest = rest[1:]
		}
	})
}

// errFailed is why a group is run again, with savepoints.
var errFailed = errors.New("a change failed that had changed something")

// errUnknown is what is known when the connection is cut off during a COMMIT.
var errUnknown = errors.New("the connection was cut off during the COMMIT")

// transact runs changes in one transaction. The error is that of the
// transaction, for all of them; each one's own stays in the job. PutOff are
// changes of a group that met with other transactions.
func (e *postgresEngine) transact(group []*job) (putOff []*job, err error) {
	alone, worked := len(group) == 1, false
	safe := !alone && e.careful > 0
	if safe {
		e.careful--
	}
	ctx, cancel := context.WithTimeout(background, connectTimeout)
	defer cancel()
	session, err := e.acquire(ctx)
	if err != nil {
		return nil, cutOff(err)
	}
	defer session.release()
	if err := e.prepareControls(session); err != nil {
		return nil, err
	}
	t := &transaction{session: session}
	t.next(e.begin)
	if !alone {
		t.next(e.patience)
	}
	for _, j := range group {
		tx := &pgTx{transaction: t, hold: e.hold, later: !alone && !safe}
		if j.err = e.change(j, tx, safe); t.gone != nil {
			return nil, t.gone
		}
		meets := isContention(tx.failed) || state(tx.failed) == stateLockTimeout
		switch {
		case j.err == nil:
			worked = true
		case alone && meets:
			e.undo(t)
			return nil, tx.failed
		case alone:
		case !safe && (tx.failed != nil || tx.wrote):
			e.careful = carefulFor
			e.undo(t)
			return nil, errFailed
		case meets:
			if len(putOff) == 0 {
				t.next(e.impatience)
			}
			putOff = append(putOff, j)
		}
	}
	if !worked {
		e.undo(t)
		return putOff, nil
	}
	return putOff, e.finish(t)
}

// change runs one change, and takes it back when it fails and has a savepoint.
func (e *postgresEngine) change(j *job, tx *pgTx, safe bool) error {
	before := len(tx.pending)
	if safe {
		tx.next(e.savepoint)
	}
	err := e.call(j.fn, tx)
	if safe && err == nil {
		_ = tx.flush() // what is wrong with it is this change's fault, and in tx.failed
	}
	if err == nil {
		err = tx.failed // it went on as if nothing had happened
	}
	switch {
	case !tx.touched:
		tx.pending = tx.pending[:before]
	case !safe:
	case err != nil:
		tx.next(e.restore)
		tx.next(e.release)
	default:
		tx.next(e.release)
	}
	return err
}

// prepareControls prepares on a new connection what controls transactions.
func (e *postgresEngine) prepareControls(s *session) error {
	if s.knows(e.impatience) {
		return nil
	}
	for _, stmt := range []*Stmt{e.begin, e.commit, e.rollback, e.savepoint, e.release, e.restore, e.hold, e.patience, e.impatience} {
		if _, err := s.statement(stmt); err != nil {
			return err
		}
	}
	return nil
}

// undo takes the transaction back. Where that fails the connection is closed,
// which does it too.
func (e *postgresEngine) undo(t *transaction) {
	if !t.begun {
		return
	}
	t.pending = t.pending[:0]
	t.next(e.rollback)
	_, _ = t.send()
}

// finish commits.
func (e *postgresEngine) finish(t *transaction) error {
	if !t.used {
		return nil
	}
	if t.awaited { // what is wrong with a row must be known while all can be taken back
		_, err := t.send()
		switch {
		case isLost(err):
			return err
		case isContention(err):
			e.undo(t)
			return err
		case err != nil:
			e.careful = carefulFor
			e.undo(t)
			return errFailed
		}
	}
	t.next(e.commit)
	r, err := t.send()
	switch {
	case err == nil && r.tag.String() != "COMMIT":
		return fmt.Errorf("the server answered COMMIT with %s", r.tag)
	case isLost(err) && !pgconn.SafeToRetry(err):
		refusal := market.Refuse(market.Unavailable, "outcome_unknown",
			"the connection to the data was lost before it said whether this was done: repeat the request with its Idempotency-Key")
		refusal.Cause = errors.Join(errUnknown, err)
		return refusal
	case err != nil && !isLost(err):
		e.undo(t)
		return fmt.Errorf("commit: %w", err)
	}
	return err
}
