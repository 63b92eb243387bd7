package limit

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"sync"
	"time"
)

// DefaultKeys is how many callers a [Memory] remembers when nothing else is
// said: some 20 MB.
const DefaultKeys = 1 << 17

// MemoryOptions say how a Memory counts.
type MemoryOptions struct {
	Keys int // how many callers are remembered at most; DefaultKeys when 0
	Now  func() time.Time
}

// Memory counts in this process alone. It remembers a bounded number of callers,
// and forgets first who has used least: whoever comes under many names pushes
// out their own.
type Memory struct {
	now    func() time.Time
	seed   maphash.Seed
	shards [shards]shard
}

// shards is how many parts of a Memory can be used at the same time.
const shards = 64

type key struct{ rule, who string }

type shard struct {
	mu   sync.Mutex
	most int
	full map[key]int64 // when a quota is whole again, in microseconds
	_    [64]byte      // two shards do not share a line of the processor's cache
}

// NewMemory makes a limiter of this process.
func NewMemory(o MemoryOptions) *Memory {
	if o.Keys <= 0 {
		o.Keys = DefaultKeys
	}
	m := &Memory{now: o.Now, seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].full = map[key]int64{}
		m.shards[i].most = max(1, o.Keys/shards)
	}
	return m
}

// maxAsks bounds what is counted together.
const maxAsks = 4

// Take counts each of the asks, or none.
func (m *Memory) Take(_ context.Context, asks []Ask) bool {
	now := m.now().UnixMicro()
	if len(asks) == 1 {
		s := m.shard(&asks[0])
		s.mu.Lock()
		defer s.mu.Unlock()
		return take(now, asks, func(int) *shard { return s })
	}
	var buf [maxAsks]int
	at := buf[:0]
	for i := range asks {
		at = append(at, m.index(&asks[i]))
	}
	var sorted [maxAsks]int
	order := append(sorted[:0], at...)
	slices.Sort(order) // locked in one order by all, or two could wait for each other
	for _, i := range slices.Compact(order) {
		m.shards[i].mu.Lock()
		defer m.shards[i].mu.Unlock()
	}
	return take(now, asks, func(i int) *shard { return &m.shards[at[i]] })
}

func (m *Memory) index(a *Ask) int {
	return int(maphash.String(m.seed, a.Who) % shards)
}

func (m *Memory) shard(a *Ask) *shard { return &m.shards[m.index(a)] }

// take counts the asks in shards that are locked.
func take(now int64, asks []Ask, of func(i int) *shard) bool {
	allowed := true
	for i := range asks {
		a := &asks[i]
		s, k := of(i), key{a.Rule.name, a.Who}
		stored := s.full[k]
		full := a.Rule.since(stored, now)
		if stored > full {
			s.full[k] = full // else it would stay too far away until it is counted again
		}
		a.note(full, now)
		allowed = allowed && a.Wait == 0
	}
	if !allowed {
		return false
	}
	for i := range asks {
		a := &asks[i]
		s, k := of(i), key{a.Rule.name, a.Who}
		stored, known := s.full[k]
		if !known && len(s.full) >= s.most {
			s.makeRoom(now)
		}
		full := a.Rule.since(stored, now) + a.Rule.step
		s.full[k] = full
		a.note(full, now)
		a.Wait = 0
	}
	return true
}

// looked is how many callers are looked at to find whom to forget. A quarter goes
// at once, so that a crowd of strangers does not pay for that one by one.
const looked = 32

// makeRoom forgets, of some callers taken at random, those whose quota is whole,
// and the quarter that has used least.
func (s *shard) makeRoom(now int64) {
	type caller struct {
		key  key
		full int64
	}
	some := make([]caller, 0, looked)
	for k, full := range s.full {
		if some = append(some, caller{k, full}); len(some) == looked {
			break
		}
	}
	slices.SortFunc(some, func(a, b caller) int { return cmp.Compare(a.full, b.full) })
	for i, c := range some {
		if i > len(some)/4 && c.full > now {
			break
		}
		delete(s.full, c.key)
	}
}

// Len is how many callers are remembered.
func (m *Memory) Len() int {
	n := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += len(s.full)
		s.mu.Unlock()
	}
	return n
}
