package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/redis/rueidis"
)

// RedisOptions are what a [Redis] needs. URL, Prefix and Now must be given.
type RedisOptions struct {
	URL      string           // redis://user:password@host:port/db, or rediss:// for TLS, or unix:///path; one server, Redis 6 or newer
	Prefix   string           // begins every key, so that several deployments can share a server: "emporium:"
	MaxBytes int              // of what is kept in this process, roughly; 0: 64 MiB
	Now      func() time.Time // the clock, which says what is fresh and what is stale
	Random   func() float64   // from 0 up to 1, for the jitter; nil: math/rand
	Log      *slog.Logger
	Wait     time.Duration // for an answer of Redis; after it, Redis counts as away; 0: half a second
	AtOnce   int           // loads at the same time while Redis is away; 0: 64
	Vanished time.Duration // a process not heard of for so long has died, perhaps with drops unmade; 0: 20 seconds
}

// Redis is a cache that processes share. What was fetched is kept in the process
// too, and Redis tells when it changes there, so a hot key costs no round trip.
//
// Redis is never needed. While it is away every Get loads (one load per key in
// each process, a bounded number at once) and nothing is kept but what may be
// served stale; drops are kept and made when it is back, before anything is read
// there. What a process owed when it died is made up for by the others: once it
// has not been heard of for [RedisOptions.Vanished], they give up all values.
//
// Drop gives no error while Redis is away. Other processes that can still reach
// Redis then see the drop once this one can, too.
type Redis struct {
	o       RedisOptions
	client  rueidis.ClientOption
	name    string // of this process among those that share the cache
	near    *otter.Cache[string, *entry]
	epoch   atomic.Uint64 // of what is near; a new one when Redis goes or comes: what is from before is not served
	slots   chan struct{} // for loads while Redis is away
	stop    context.CancelFunc
	stopped chan struct{} // closed when nothing goes on in the background

	mu        sync.Mutex
	session   *redisSession    // nil while Redis is away
	drops     *redisSession    // where drops are made: the session, or the one that will be when all that are owed are made
	trips     map[string]*trip // those that may be joined, and whose value may be kept
	cancels   map[*trip]context.CancelFunc
	owed      map[string]struct{} // drops to be made when Redis is back
	owedAll   bool                // too many of them: all values are to be given up
	complaint time.Time           // when it last logged that Redis refused
	closed    bool
	loads     sync.WaitGroup
}

// maxOwed bounds the drops that are kept while Redis is away. Beyond it all
// values are given up instead, which costs loads but forgets nothing.
const maxOwed = 10_000

// OpenRedis opens the cache. A server that cannot be reached is no error: it is
// tried again in the background. One that cannot be used (older than Redis 6,
// without RESP3, wrong password) is.
func OpenRedis(ctx context.Context, o RedisOptions) (*Redis, error) {
	if o.Now == nil || o.Prefix == "" {
		return nil, errors.New("the cache in Redis needs a clock and a prefix for its keys")
	}
	client, err := redisOption(o.URL)
	if err != nil {
		return nil, err
	}
	for _, n := range []struct{ set, otherwise *time.Duration }{
		{&o.Wait, new(500 * time.Millisecond)},
		{&o.Vanished, new(20 * time.Second)},
	} {
		if *n.set <= 0 {
			*n.set = *n.otherwise
		}
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 64 << 20
	}
	if o.AtOnce <= 0 {
		o.AtOnce = 64
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	near, err := otter.New(&otter.Options[string, *entry]{
		MaximumWeight: uint64(o.MaxBytes),
		Weigher:       func(_ string, e *entry) uint32 { return e.weight },
	})
	if err != nil {
		return nil, err
	}
	r := &Redis{
		o: o, client: client, name: newToken(), near: near, slots: make(chan struct{}, o.AtOnce), stopped: make(chan struct{}),
		trips: map[string]*trip{}, cancels: map[*trip]context.CancelFunc{}, owed: map[string]struct{}{},
	}
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	s, err := r.connect(ctx)
	if err != nil && unusable(err) {
		r.stop()
		near.StopAllGoroutines()
		return nil, fmt.Errorf("use Redis as the cache: %w", err)
	}
	go r.keep(ctx, s, err)
	return r, nil
}

// Get is said at [Cache].
func (r *Redis) Get(ctx context.Context, key string, kind *Kind, load func(context.Context) (any, error)) (any, error) {
	if e, ok := r.near.GetIfPresent(key); ok && e.epoch == r.epoch.Load() && e.served(r.o.Now()) {
		return e.value, e.err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t, e, err := r.board(ctx, key, kind, load)
	if err != nil {
		return nil, err
	}
	if e != nil {
		return e.value, e.err
	}
	select {
	case <-t.landed:
		return t.value, t.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Holds is said at [Cache]. While Redis is away nothing holds.
func (r *Redis) Holds(_ context.Context, parts []Part) bool {
	now, epoch := r.o.Now(), r.epoch.Load()
	for _, part := range parts {
		e, ok := r.near.GetIfPresent(part.Key)
		if !ok || e.epoch != epoch || e.err != nil || e.value != part.Value || !now.Before(e.fresh) {
			return false
		}
	}
	return true
}

// Drop is said at [Cache]. It heeds no end of the context: what was changed was
// changed.
func (r *Redis) Drop(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	for {
		r.mu.Lock()
		s, closed := r.drops, r.closed
		if s == nil && !closed {
			r.owe(keys)
			r.forget(keys)
		}
		r.mu.Unlock()
		switch {
		case closed:
			return ErrClosed
		case s == nil:
			return nil
		}
		err := s.drop(context.WithoutCancel(ctx), keys)
		r.mu.Lock()
		r.forget(keys)
		if err != nil {
			r.lose(s, fmt.Errorf("drop: %w", err))
		}
		r.mu.Unlock()
		if err == nil {
			return nil
		}
	}
}

// owe keeps drops that could not be made. The caller holds r.mu.
func (r *Redis) owe(keys []string) {
	for _, key := range keys {
		if r.owedAll {
			return
		}
		r.owed[key] = struct{}{}
		if len(r.owed) > maxOwed {
			r.owedAll = true
			clear(r.owed)
		}
	}
}

// forget takes keys out of this process. The caller holds r.mu.
func (r *Redis) forget(keys []string) {
	for _, key := range keys {
		delete(r.trips, key)
		r.near.Invalidate(key)
	}
}

// Ready says whether Redis is there. The cache works without it.
func (r *Redis) Ready(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.session == nil {
		return errors.New("the cache in Redis is away")
	}
	return nil
}

// Close is said at [Cache].
func (r *Redis) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		<-r.stopped
		return nil
	}
	r.closed = true
	for _, cancel := range r.cancels {
		cancel()
	}
	r.mu.Unlock()
	r.loads.Wait()
	r.stop()
	<-r.stopped
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.owed); n > 0 || r.owedAll {
		r.o.Log.Warn("closed the cache with drops unmade: the other processes make up for them", "drops", n, "all", r.owedAll)
	}
	r.near.InvalidateAll()
	r.near.StopAllGoroutines()
	return nil
}

// debts takes out what is owed: keys to be dropped, or that all values are to be
// given up. What cannot be settled is to be given back with oweAgain.
func (r *Redis) debts() (keys []string, all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys, all = slices.Collect(maps.Keys(r.owed)), r.owedAll
	clear(r.owed)
	r.owedAll = false
	return keys, all
}

func (r *Redis) oweAgain(keys []string, all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owe(keys)
	if all {
		r.owedAll = true
		clear(r.owed)
	}
}
