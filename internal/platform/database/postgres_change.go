package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"emporium/internal/market"
)

// How changes are grouped on a server, and how many groups go on at the same
// time.
var (
	pgGroupSize = 32
	pgLanes     = 4
)

const (
	// groupPatience is how long a change in a group waits for what other
	// transactions hold before it is put off, to be run alone: its group waits
	// with it, and holds what it has.
	groupPatience = 20 * time.Millisecond
	// lostPatience is how long the others of that group wait.
	lostPatience = time.Millisecond
	// narrowFor is how long groups run one after the other when two have met:
	// then callers want the same rows, and would wait for each other's commits.
	narrowFor = 3 * time.Second
	// carefulFor is how many groups have savepoints after one had none and one of
	// its changes failed.
	carefulFor = 64
)

// traffic is what the groups that run have learned of each other.
type traffic struct {
	mu          sync.Mutex
	narrowUntil time.Time
	careful     int
	lane        sync.RWMutex // held alone while narrow
}

// enter waits for the group's turn, and says whether it has savepoints.
func (t *traffic) enter() (leave func(), careful bool) {
	t.mu.Lock()
	narrow := time.Now().Before(t.narrowUntil)
	if careful = t.careful > 0; careful {
		t.careful--
	}
	t.mu.Unlock()
	if narrow {
		t.lane.Lock()
		return t.lane.Unlock, careful
	}
	t.lane.RLock()
	return t.lane.RUnlock, careful
}

func (t *traffic) met() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.narrowUntil = time.Now().Add(narrowFor)
}

func (t *traffic) beCareful() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.careful = carefulFor
}

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
		case errors.Is(err, errCareless):
			continue
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

// errCareless is the error of a group without savepoints in which a change
// failed that had changed something: it is run again, with them.
var errCareless = errors.New("a change failed in a group without savepoints")

// errUnknown is what is known when the connection is cut off during a COMMIT.
var errUnknown = errors.New("the connection was cut off during the COMMIT")

// transact runs changes in one transaction. The error is that of the
// transaction, for all of them; each one's own stays in the job. PutOff are
// changes of a group that met with other transactions.
func (e *postgresEngine) transact(group []*job) (putOff []*job, err error) {
	alone, worked, safe := len(group) == 1, false, false
	if !alone {
		var leave func()
		leave, safe = e.traffic.enter()
		defer leave()
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
		tx := &pgTx{transaction: t, hold: e.hold}
		if j.err = e.change(j, tx, safe); t.gone != nil {
			return nil, t.gone
		}
		meets := isContention(tx.failed) || state(tx.failed) == stateLockTimeout
		switch {
		case meets && alone:
			return nil, errors.Join(tx.failed, e.undo(t))
		case meets:
			e.traffic.met()
		}
		switch {
		case j.err == nil:
			worked = true
		case alone:
		case !safe && (tx.failed != nil || tx.wrote):
			e.traffic.beCareful()
			return nil, errors.Join(errCareless, e.undo(t))
		case meets:
			if len(putOff) == 0 {
				t.next(e.impatience)
			}
			putOff = append(putOff, j)
		}
	}
	if !worked {
		return putOff, e.undo(t)
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
		tx.flush() // what is wrong with it is this change's fault
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
