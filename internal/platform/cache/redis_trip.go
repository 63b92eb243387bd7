package cache

import (
	"context"
	"time"

	"emporium/internal/market"
)

// trip is one way to Redis for a key, which may become a load, and those who
// wait for it.
type trip struct {
	flight
	session *redisSession // nil: Redis was away when it began
	woken   chan struct{} // something has changed for which it may be waiting

	// Under Redis.mu.
	stage stage
}

// stage is what a trip does, and so what a message from Redis means to it.
type stage uint8

const (
	reading stage = iota // a changed value may be the one that it reads: not kept
	waiting              // for the load of another process: look again
	loading              // a changed value or lease takes away the right to store
)

func (t *trip) wake() {
	select {
	case t.woken <- struct{}{}:
	default:
	}
}

// board joins the trip of a key that is under way, or starts one. It gives an
// entry instead when another trip has brought one meanwhile.
func (r *Redis) board(ctx context.Context, key string, kind *Kind, load func(context.Context) (any, error)) (*trip, *entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, nil, ErrClosed
	}
	if t := r.trips[key]; t != nil {
		return t, nil, nil
	}
	e, ok := r.near.GetIfPresent(key)
	if ok && e.epoch == r.epoch.Load() && e.served(r.o.Now()) {
		return nil, e, nil
	}
	ctx, cancel := kind.timed(ctx)
	t := &trip{flight: flight{key: key, expired: e, landed: make(chan struct{})}, session: r.session, woken: make(chan struct{}, 1)}
	r.trips[key], r.cancels[t] = t, cancel
	r.loads.Add(1)
	go r.travel(ctx, t, kind, load)
	return t, nil, nil
}

// travel makes a trip: it takes what Redis has, or loads, stores and keeps it.
func (r *Redis) travel(ctx context.Context, t *trip, kind *Kind, load func(context.Context) (any, error)) {
	defer r.loads.Done()
	began := r.o.Now()
	found, token := r.seek(ctx, t, kind)
	if found != nil {
		r.land(ctx, t, found, result{value: found.value, err: found.err})
		return
	}
	if token == "" {
		leave, err := r.enter(ctx)
		if err != nil {
			r.land(ctx, t, nil, result{err: err, took: r.o.Now().Sub(began)})
			return
		}
		defer leave()
	}
	end := r.renew(ctx, t, token)
	value, err := guarded(ctx, r.o.Log, t.key, load)
	end()
	now := r.o.Now()
	kept := newEntry(t.key, kind, value, err, now, r.o.Random())
	if token != "" {
		kept = r.store(ctx, t, kind, kept, token, err)
	}
	r.land(ctx, t, kept, result{value: value, err: err, took: now.Sub(began)})
}

// enter waits for a place among those that load while Redis is away.
func (r *Redis) enter(ctx context.Context) (leave func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case r.slots <- struct{}{}:
		return func() { <-r.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// seek gives the entry that Redis has, or the token of the lease under which to
// load; neither when Redis cannot say.
func (r *Redis) seek(ctx context.Context, t *trip, kind *Kind) (found *entry, token string) {
	s := t.session
	if s == nil {
		return nil, ""
	}
	raw, err := s.value(ctx, t.key)
	if err != nil {
		r.fail(ctx, s, "fetch", err)
		return nil, ""
	}
	if e := r.take(t, kind, raw); e != nil {
		return e, ""
	}
	for token = newToken(); ; {
		r.move(t, reading)
		won, raw, err := s.acquire(ctx, t.key, token)
		if err != nil {
			r.fail(ctx, s, "lease", err)
			return nil, ""
		}
		e := r.take(t, kind, raw)
		switch {
		case e != nil && won:
			r.release(ctx, t, token)
			return e, ""
		case e != nil:
			return e, ""
		case won:
			r.move(t, loading)
			return nil, token
		}
		r.move(t, waiting)
		select {
		case <-t.woken:
		case <-time.After(lookAgain):
		case <-s.lost:
			return nil, ""
		case <-ctx.Done():
			return nil, ""
		}
	}
}

// lookAgain is after how long a trip that waits for another process's load asks
// whether it has ended, should the message from Redis not have come.
const lookAgain = 100 * time.Millisecond

func (r *Redis) move(t *trip, to stage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t.stage = to
}

// take gives the entry of what stands in Redis when it is to be served, and
// otherwise notes it for when the load fails.
func (r *Redis) take(t *trip, kind *Kind, raw []byte) *entry {
	before := t.expired
	t.expired = nil
	if raw == nil {
		return nil
	}
	rec, err := decodeRecord(raw, t.key, kind, before)
	if err != nil {
		r.o.Log.Warn("what the cache has in Redis cannot be read: it is loaded anew", "key", t.key, "error", err)
		return nil
	}
	if rec.generation != t.session.generation {
		return nil
	}
	if rec.served(r.o.Now()) {
		return rec.entry
	}
	t.expired = rec.entry
	return nil
}

// store puts into Redis what a load gave, as long as its lease stands, and gives
// up the lease. It gives the entry when it stands there and every change of it
// will be told.
func (r *Redis) store(ctx context.Context, t *trip, kind *Kind, kept *entry, token string, err error) *entry {
	ctx = context.WithoutCancel(ctx)
	if kept == nil {
		if market.KindOf(err) == market.NotFound {
			if err := t.session.remove(ctx, t.key, token); err == nil {
				return nil
			}
		}
		r.release(ctx, t, token)
		return nil
	}
	kept.token = token
	rec := record{entry: kept, generation: t.session.generation}
	head, body, fault := rec.encode(kind)
	if fault != nil {
		r.o.Log.ErrorContext(ctx, "a value cannot be encoded for Redis: it is not cached", "key", t.key, "error", fault)
		r.release(ctx, t, token)
		return nil
	}
	last := kept.fresh
	if kept.stale.After(last) {
		last = kept.stale
	}
	stands, fault := t.session.store(ctx, t.key, token, head, body, last.Sub(r.o.Now()))
	if fault != nil {
		r.fail(ctx, t.session, "store", fault)
		r.release(ctx, t, token)
	}
	if !stands {
		return nil
	}
	return kept
}

func (r *Redis) release(ctx context.Context, t *trip, token string) {
	if err := t.session.release(context.WithoutCancel(ctx), t.key, token); err != nil {
		r.fail(ctx, t.session, "release", err)
	}
}

// renew keeps the lease while the load runs. It is short, so that nobody waits
// long for a process that died.
func (r *Redis) renew(ctx context.Context, t *trip, token string) (end func()) {
	if token == "" {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(leaseLife / 3)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.session.lost:
				return
			case <-tick.C:
			}
			stands, err := t.session.renew(context.WithoutCancel(ctx), t.key, token)
			if err != nil {
				r.fail(ctx, t.session, "renew", err)
				return
			}
			if !stands {
				r.mu.Lock()
				if r.trips[t.key] == t {
					delete(r.trips, t.key)
				}
				r.mu.Unlock()
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// result is how a trip ended.
type result struct {
	value any
	err   error
	took  time.Duration
}

// land ends a trip: it keeps the entry, if any, and tells those who wait.
func (r *Redis) land(ctx context.Context, t *trip, kept *entry, end result) {
	answered := end.err == nil || market.KindOf(end.err) == market.NotFound
	r.mu.Lock()
	defer r.mu.Unlock()
	defer close(t.landed)
	r.cancels[t]()
	delete(r.cancels, t)
	t.value, t.err = end.value, end.err
	if r.trips[t.key] != t {
		if next := r.trips[t.key]; next != nil {
			next.wake() // Redis does not tell us what we change ourselves
		}
		return // dropped: those who asked before the drop get it, nobody else
	}
	delete(r.trips, t.key)
	now := r.o.Now()
	switch {
	case !answered && t.expired != nil && t.expired.err == nil && now.Before(t.expired.stale):
		r.o.Log.WarnContext(ctx, "served an expired value: loading it failed", "key", t.key, "expired", t.expired.fresh, "error", reason(end.err))
		t.value, t.err = t.expired.value, nil
		again := *t.expired
		again.pause = now.Add(min(end.took, MaxPause))
		if again.fresh.After(now) {
			again.fresh = now // it comes from before Redis went away
		}
		r.put(t, &again)
	case kept != nil && t.session == nil:
		last := *kept // while Redis is away nobody would tell that it was dropped: only for when loading fails
		last.fresh = now
		r.put(t, &last)
	case kept != nil:
		r.put(t, kept)
	case answered && end.err != nil:
		r.near.Invalidate(t.key) // it is gone, and that is not to be remembered
	}
}

// put keeps an entry near, unless Redis came or went since the trip began. The
// caller holds r.mu.
func (r *Redis) put(t *trip, e *entry) {
	if r.session == t.session {
		e.epoch = r.epoch.Load()
		r.near.Set(t.key, e)
	}
}
