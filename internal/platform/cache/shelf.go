package cache

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"
)

// Shelf is the place of one kind of value in a cache. Several shelves may share
// a cache as long as their keys differ.
type Shelf[T any] struct {
	cache Cache
	kind  Kind
}

// NewShelf makes a place for values of T, which must survive JSON when the cache
// is shared. Weigh gives the bytes that a value takes, roughly.
func NewShelf[T any](c Cache, life Life, weigh func(*T) int) *Shelf[T] {
	return &Shelf[T]{cache: c, kind: Kind{
		Life:   life,
		Weigh:  func(v any) int { return weigh(v.(*T)) },
		Encode: func(v any) ([]byte, error) { return json.Marshal(v.(*T)) },
		Decode: func(b []byte) (any, error) {
			v := new(T)
			return v, json.Unmarshal(b, v)
		},
	}}
}

// Get gives the value of a key as [Cache] says. What it points to is shared: it
// must not be changed. Load heeds its context.
func (s *Shelf[T]) Get(ctx context.Context, key string, load func(context.Context) (*T, error)) (*T, error) {
	v, err := s.cache.Get(ctx, key, &s.kind, func(ctx context.Context) (any, error) {
		v, err := load(ctx)
		if err == nil && v == nil {
			return nil, errors.New("load " + key + ": it gave nothing and no reason")
		}
		return v, err
	})
	if err != nil {
		return nil, err
	}
	return v.(*T), nil
}
