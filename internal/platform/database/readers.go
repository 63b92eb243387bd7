package database

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// keptFor bounds how long a snapshot is kept without a change by this process,
// so that a change made from outside, with SQLite's own shell for example, is
// seen all the same.
const keptFor = time.Second

// restFor is how long a connection is kept without being used, at least. A busy
// one holds 2 MB, mostly of cached pages, and ten databases have forty.
const restFor = 10 * time.Second

// readers are the connections that read. They are opened when they are needed
// and closed when they rest; the one used last is used first.
//
// To begin and end a read transaction is two locks on a file, which take longer
// than finding a row by its id (3.3 µs of 5.1). So while nothing is written, a
// connection keeps its transaction open from one read to the next. The state
// counts the writes: odd while one is under way, even between them. What was
// kept on an earlier state is never read from again, and is given up before the
// next write begins, so that no snapshot keeps the log from being worked off.
type readers struct {
	dsn   string
	keeps bool // false when other processes write, too
	state atomic.Uint64

	slots  chan struct{} // as many as there may be connections
	mu     sync.Mutex
	idle   []*conn
	closed bool

	expiring, trimming bool // a timer runs, to call expire or trim

	begin, end *Stmt
}

func newReaders(dsn string, size int, keeps bool) *readers {
	return &readers{dsn: dsn, keeps: keeps, slots: make(chan struct{}, size)}
}

// take gives a connection that sees all that was committed before.
func (r *readers) take(ctx context.Context) (*conn, error) {
	select {
	case r.slots <- struct{}{}:
	default:
		select {
		case r.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	c, err := r.idleOrNew()
	if err != nil {
		<-r.slots
		return nil, err
	}
	// The state is read before the transaction begins, so what is kept is never
	// older than it says.
	if state := r.state.Load(); c.seen != state {
		if err := r.giveUp(c); err != nil {
			return nil, r.discard(c, err)
		}
		c.seen = state // the second read on a state is the first to keep it
	} else if !c.kept && r.keeps && state%2 == 0 {
		if _, err := c.exec(r.begin); err != nil {
			return nil, r.discard(c, err)
		}
		c.kept = true
		r.expireLater()
	}
	return c, nil
}

func (r *readers) idleOrNew() (*conn, error) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, ErrClosed
	}
	if last := len(r.idle) - 1; last >= 0 {
		c := r.idle[last]
		r.idle = r.idle[:last]
		r.mu.Unlock()
		c.rests = false
		return c, nil
	}
	if !r.trimming {
		r.trimming = true
		time.AfterFunc(restFor, r.trim)
	}
	r.mu.Unlock()
	return openConn(r.dsn)
}

// put takes a connection back.
func (r *readers) put(c *conn) {
	r.mu.Lock()
	// Whoever changes the state looks at the idle ones afterwards, so either it
	// or this sees what is out of date.
	stale := r.closed || (c.kept && c.seen != r.state.Load() && r.giveUp(c) != nil)
	if !stale {
		r.idle = append(r.idle, c)
	}
	r.mu.Unlock()
	if stale {
		_ = c.close() // what it read was read
	}
	<-r.slots
}

func (r *readers) discard(c *conn, err error) error {
	<-r.slots
	return errors.Join(err, c.close())
}

// giveUp ends the transaction that a connection keeps.
func (r *readers) giveUp(c *conn) error {
	if !c.kept {
		return nil
	}
	c.kept = false
	_, err := c.exec(r.end)
	return err
}

// writing says that a write begins: nothing is kept until it is done.
func (r *readers) writing() {
	if r.keeps {
		r.state.Add(1)
		r.giveUpIdle()
	}
}

// written says that a write is done; it comes before its callers are answered.
func (r *readers) written() {
	if r.keeps {
		r.state.Add(1)
	}
}

func (r *readers) giveUpIdle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closeIdle(func(c *conn) bool { return r.giveUp(c) != nil })
}

// closeIdle closes those that are no longer wanted; r.mu is held.
func (r *readers) closeIdle(unwanted func(*conn) bool) {
	r.idle = slices.DeleteFunc(r.idle, func(c *conn) bool {
		if !unwanted(c) {
			return false
		}
		_ = c.close()
		return true
	})
}

// trim closes what was not used since the last time.
func (r *readers) trim() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closeIdle(func(c *conn) bool {
		rested := c.rests
		c.rests = true
		return rested
	})
	r.trimming = !r.closed && len(r.idle)+len(r.slots) > 0
	if r.trimming {
		time.AfterFunc(restFor, r.trim)
	}
}

func (r *readers) expireLater() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.expiring {
		r.expiring = true
		time.AfterFunc(keptFor, r.expire)
	}
}

func (r *readers) expire() {
	r.mu.Lock()
	r.expiring = false
	r.mu.Unlock()
	r.state.Add(2) // another state, of the same parity
	r.giveUpIdle()
}

// close closes what is idle now and the rest as it comes back.
func (r *readers) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	var all []error
	for _, c := range r.idle {
		all = append(all, c.close())
	}
	r.idle = nil
	return errors.Join(all...)
}
