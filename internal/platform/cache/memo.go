package cache

import (
	"context"
	"strings"

	"github.com/maypok86/otter/v2"
)

// Memo keeps what was made of cached values for as long as each of them stands,
// so that it is never older than they are: a drop or an expiry of one ends it.
type Memo[T any] struct {
	cache Cache
	made  *otter.Cache[string, *made[T]]
}

type made[T any] struct {
	value  T
	parts  []Part
	weight uint32
}

// NewMemo makes a memo of values of up to so many bytes in all. It stays in this
// process whatever the cache's engine is.
func NewMemo[T any](c Cache, maxBytes int) *Memo[T] {
	return &Memo[T]{cache: c, made: otter.Must(&otter.Options[string, *made[T]]{
		MaximumWeight: uint64(max(maxBytes, 1)),
		Weigher:       func(_ string, m *made[T]) uint32 { return m.weight },
	})}
}

// Get gives what was made under a name when all that it was made of still holds.
func (m *Memo[T]) Get(ctx context.Context, name string) (value T, ok bool) {
	found, ok := m.made.GetIfPresent(name)
	if !ok || !m.cache.Holds(ctx, found.parts) {
		return value, false
	}
	return found.value, true
}

// Put keeps what was made of parts, which is of so many bytes. It keeps nothing
// when a part does not hold any more (or never did, as with an expired value).
func (m *Memo[T]) Put(ctx context.Context, name string, value T, bytes int, parts []Part) {
	if !m.cache.Holds(ctx, parts) {
		return
	}
	const perPart = 80 // the part itself and its key
	name = strings.Clone(name)
	m.made.Set(name, &made[T]{value: value, parts: parts, weight: weight(len(name) + bytes + len(parts)*perPart)})
}
