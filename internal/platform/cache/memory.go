package cache

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"emporium/internal/market"
)

// MemoryOptions are what a [Memory] needs. All but Now may be left out.
type MemoryOptions struct {
	MaxBytes int              // of all values and keys, roughly; 0: 64 MiB
	Now      func() time.Time // the clock
	Random   func() float64   // from 0 up to 1, for the jitter; nil: math/rand
	Log      *slog.Logger
}

// Memory is the cache of one process. An entry that has outlived its use is
// taken out when the room is needed, those least asked for first.
type Memory struct {
	now     func() time.Time
	random  func() float64
	log     *slog.Logger
	entries *otter.Cache[string, *entry]

	mu      sync.Mutex
	flights map[string]*flight             // a flight may store only while it stands here: Drop takes it out
	cancels map[*flight]context.CancelFunc // of every load under way, also of dropped ones
	closed  bool
	loads   sync.WaitGroup
}

// entry is one answer. It is never changed, only replaced.
type entry struct {
	value  any
	err    error     // market.NotFound, in place of a value
	fresh  time.Time // until then it is served
	stale  time.Time // until then it is served when a load fails
	pause  time.Time // until then it is served though it has expired: a load has just failed
	weight uint32

	// What only an engine outside of the process needs.
	epoch uint64 // the entry is served only while this is the engine's
	token string // of the load that stored it
}

// NewMemory makes an empty cache.
func NewMemory(o MemoryOptions) (*Memory, error) {
	if o.Now == nil {
		return nil, errors.New("the cache needs a clock")
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 64 << 20
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	entries, err := otter.New(&otter.Options[string, *entry]{
		MaximumWeight: uint64(o.MaxBytes),
		Weigher:       func(_ string, e *entry) uint32 { return e.weight },
	})
	if err != nil {
		return nil, err
	}
	return &Memory{
		now: o.Now, random: o.Random, log: o.Log, entries: entries,
		flights: map[string]*flight{}, cancels: map[*flight]context.CancelFunc{},
	}, nil
}

// Get is said at [Cache].
func (m *Memory) Get(ctx context.Context, key string, kind *Kind, load func(context.Context) (any, error)) (any, error) {
	if e, ok := m.entries.GetIfPresent(key); ok && e.served(m.now()) {
		return e.value, e.err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, e, err := m.board(ctx, key, kind, load)
	if err != nil {
		return nil, err
	}
	if e != nil {
		return e.value, e.err
	}
	select {
	case <-f.landed:
		return f.value, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Holds is said at [Cache].
func (m *Memory) Holds(_ context.Context, parts []Part) bool {
	now := m.now()
	for _, part := range parts {
		e, ok := m.entries.GetIfPresent(part.Key)
		if !ok || e.err != nil || e.value != part.Value || !now.Before(e.fresh) {
			return false
		}
	}
	return true
}

// Drop is said at [Cache].
func (m *Memory) Drop(_ context.Context, keys ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		delete(m.flights, key)
		m.entries.Invalidate(key)
	}
	return nil
}

// Close is said at [Cache].
func (m *Memory) Close() error {
	m.mu.Lock()
	m.closed = true
	for _, cancel := range m.cancels {
		cancel()
	}
	m.mu.Unlock()
	m.loads.Wait()
	m.entries.InvalidateAll()
	m.entries.StopAllGoroutines()
	return nil
}

func (e *entry) served(now time.Time) bool { return now.Before(e.fresh) || now.Before(e.pause) }

// newEntry makes the entry of what a load gave, or nil when it is not to be
// kept; random is from 0 up to 1.
func newEntry(key string, kind *Kind, value any, err error, now time.Time, random float64) *entry {
	life := kind.Life
	switch {
	case err == nil:
		fresh := now.Add(Jitter(life.Fresh, random))
		return &entry{value: value, fresh: fresh, stale: fresh.Add(life.Stale), weight: weight(bookkeeping + len(key) + kind.Weigh(value))}
	case market.KindOf(err) == market.NotFound && life.Unknown > 0:
		return &entry{err: err, fresh: now.Add(Jitter(life.Unknown, random)), weight: weight(bookkeeping + 2*len(key))}
	}
	return nil
}

// bookkeeping is what an entry takes beside key and value: itself, otter's node,
// string headers.
const bookkeeping = 200

func weight(bytes int) uint32 { return uint32(min(max(bytes, 1), math.MaxUint32)) }
