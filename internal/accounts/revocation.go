package accounts

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"emporium/internal/market"
)

// Tokens are verified where they are used, without asking. What ended before its
// time is told by the accounts in a list, which grows at its end and forgets what
// has expired. Every verifier reads what is new in it.
const (
	readEvery   = 2 * time.Second // how old what was read may be, unless somebody reads already
	readAtLeast = 4 * time.Second // how old it may be at all, while the accounts answer
	readWithin  = time.Second     // what one reading may take
	readAtOnce  = 1000            // revocations in one answer
)

// allGenerations ends the tokens of an account that is gone.
const allGenerations = math.MaxInt64

// revocation ends tokens before their time.
type revocation struct {
	id         int64 // its place in the list
	user       market.UserID
	token      string      // a token or session; "" is every token of an older generation
	generation int64       // with no token: the first that holds
	expires    market.Time // when what it ends is over anyhow
}

// revocations are what a reading of the list gives.
type revocations struct {
	list []revocation
	last int64 // the place that was given last
}

// revoked is the list as a verifier knows it.
type revoked struct {
	now     func() time.Time
	fetch   func(ctx context.Context, after int64) (revocations, error)
	changed func() // there are new ones

	turn  chan struct{} // holds one; whoever has taken it may read the list
	state atomic.Pointer[readState]

	mu     sync.RWMutex
	after  int64
	tokens map[string]time.Time
	users  map[market.UserID]generationEnd
	swept  time.Time
}

// readState is what came of reading last.
type readState struct {
	read  time.Time // when what is known was asked for; zero: nothing is known
	tried time.Time
	err   error // of the last attempt
}

type generationEnd struct {
	first int64 // generation that holds
	until time.Time
}

func newRevoked(now func() time.Time, changed func()) *revoked {
	r := &revoked{now: now, changed: changed, turn: make(chan struct{}, 1), tokens: map[string]time.Time{}, users: map[market.UserID]generationEnd{}}
	r.state.Store(&readState{})
	return r
}

// refresh makes sure that the list is known as it was a moment ago. Where the
// accounts do not answer, what was known goes on: nobody can sign out there
// meanwhile, and a service must not fail with another one. Where nothing was
// ever known, it is Unavailable.
func (r *revoked) refresh(ctx context.Context) error {
	now, s := r.now(), r.state.Load()
	if now.Sub(s.read) < readEvery {
		return nil
	}
	if now.Sub(s.tried) < readEvery && s.err != nil {
		return s.judge()
	}
	if fresh := now.Sub(s.read) < readAtLeast; fresh || (s.err != nil && !s.read.IsZero()) {
		select {
		case r.turn <- struct{}{}:
		default:
			return nil // somebody reads
		}
	} else {
		select {
		case r.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-r.turn }()
	if s := r.state.Load(); now.Sub(s.read) < readEvery || (s.err != nil && now.Sub(s.tried) < readEvery) {
		return s.judge()
	}
	return r.read(ctx)
}

// readNow reads the list however fresh it is: after a revocation of this process.
// If that fails, it is read soon.
func (r *revoked) readNow(ctx context.Context) {
	r.turn <- struct{}{} // held for readWithin at most
	defer func() { <-r.turn }()
	_ = r.read(ctx)
}

// read reads what is new. It does not end with the caller, who is only the first
// of those who need it.
func (r *revoked) read(ctx context.Context) error {
	now, before := r.now(), r.state.Load()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readWithin)
	defer cancel()
	err := r.readAll(ctx, now)
	next := &readState{read: now, tried: now, err: err}
	if err != nil {
		next.read = before.read
	}
	r.state.Store(next)
	return next.judge()
}

func (r *revoked) readAll(ctx context.Context, now time.Time) error {
	for {
		r.mu.RLock()
		after := r.after
		r.mu.RUnlock()
		found, err := r.fetch(ctx, after)
		if err != nil {
			return fmt.Errorf("read the revocations: %w", err)
		}
		if found.last < after { // the accounts went back to an earlier state: a backup
			r.add(nil, 0, now)
			continue
		}
		if len(found.list) == 0 {
			return nil
		}
		r.add(found.list, found.list[len(found.list)-1].id, now)
		r.changed()
		if len(found.list) < readAtOnce {
			return nil
		}
	}
}

// add takes revocations in, and once a minute forgets those that are over.
func (r *revoked) add(list []revocation, after int64, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.after = after
	for _, v := range list {
		switch until := v.expires.Time; {
		case v.token != "":
			r.tokens[v.token] = until
		default:
			known := r.users[v.user]
			r.users[v.user] = generationEnd{max(known.first, v.generation), later(known.until, until)}
		}
	}
	if now.Sub(r.swept) < time.Minute {
		return
	}
	r.swept = now
	for token, until := range r.tokens {
		if !now.Before(until) {
			delete(r.tokens, token)
		}
	}
	for user, end := range r.users {
		if !now.Before(end.until) {
			delete(r.users, user)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// ends says whether a token was revoked.
func (r *revoked) ends(h holder) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if _, ended := r.tokens[h.token]; ended {
		return true
	}
	return h.generation < r.users[h.user].first
}

// judge says what a reading means to those who need the list.
func (s *readState) judge() error {
	if s.err == nil || !s.read.IsZero() {
		return nil
	}
	if market.KindOf(s.err) == market.Unavailable {
		return s.err
	}
	return &market.Error{
		Kind: market.Unavailable, Code: "accounts_unavailable", Detail: "the accounts cannot be reached to check the token",
		RetryAfter: readEvery, Cause: s.err,
	}
}
