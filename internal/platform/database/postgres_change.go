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

// How changes are grouped on a server.
var (
	pgGroupSize = 32
	pgLanes     = 1
)

// groupPatience is how long a change in a group waits for what other
// transactions hold before it is put off, to be run alone: its group waits with
// it, and holds what it has.
const groupPatience = 20 * time.Millisecond

// settle runs changes and answers each. What meets with another transaction, or
// is cut off before its COMMIT was sent, is run again.
func (e *postgresEngine) settle(group []*job) {
	for n := 0; ; n++ {
		putOff, err := e.transact(group)
		switch {
		case err == nil:
			group = slices.DeleteFunc(slices.Clone(group), func(j *job) bool { return slices.Contains(putOff, j) })
			e.settleLater(putOff)
			answer(group, nil)
			return
		case errors.Is(err, errUnknown):
			for _, j := range group {
				j.err = err // what it was refused for may never have been
			}
		case (isLost(err) || isContention(err)) && n < tries:
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

// errUnknown is what is known when the connection is cut off during a COMMIT.
var errUnknown = errors.New("the connection was cut off during the COMMIT")

// transact runs changes in one transaction. The error is that of the
// transaction, for all of them; each one's own stays in the job. PutOff are
// changes of a group that met with other transactions.
func (e *postgresEngine) transact(group []*job) (putOff []*job, err error) {
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
	alone, worked := len(group) == 1, false
	if !alone {
		t.next(e.patience)
	}
	for _, j := range group {
		tx := &pgTx{transaction: t, hold: e.hold}
		if j.err = e.change(j, tx, alone); t.gone != nil {
			return nil, t.gone
		}
		switch {
		case tx.failed == nil && j.err == nil:
			worked = true
		case isContention(tx.failed), state(tx.failed) == stateLockTimeout:
			if alone {
				return nil, errors.Join(tx.failed, e.undo(t))
			}
			putOff = append(putOff, j)
		}
	}
	if !worked {
		return putOff, e.undo(t)
	}
	return putOff, e.finish(t)
}

// change runs one change, and takes it back when it fails; alone, that is left
// to the transaction.
func (e *postgresEngine) change(j *job, tx *pgTx, alone bool) error {
	before := len(tx.pending)
	if !alone {
		tx.next(e.savepoint)
	}
	err := e.call(j.fn, tx)
	if err == nil {
		err = tx.failed // it went on as if nothing had happened
	}
	switch {
	case alone:
	case !tx.touched:
		tx.pending = tx.pending[:before]
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
	if s.knows(e.patience) {
		return nil
	}
	for _, stmt := range []*Stmt{e.begin, e.commit, e.rollback, e.savepoint, e.release, e.restore, e.hold, e.patience} {
		if _, err := s.statement(stmt); err != nil {
			return err
		}
	}
	return nil
}

// undo takes the transaction back. Where that fails the connection is closed,
// which does it too.
func (e *postgresEngine) undo(t *transaction) error {
	if !t.begun {
		return nil
	}
	t.pending = t.pending[:0]
	t.next(e.rollback)
	_, _ = t.send()
	return nil
}

// finish commits.
func (e *postgresEngine) finish(t *transaction) error {
	if !t.begun {
		return nil
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
		return fmt.Errorf("commit: %w", errors.Join(err, e.undo(t)))
	}
	return err
}
