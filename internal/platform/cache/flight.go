package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"emporium/internal/market"
)

// flight is one load under way, and those who wait for it.
type flight struct {
	key     string
	expired *entry        // what is served if it fails; may be nil
	landed  chan struct{} // closed when value and err are there
	value   any
	err     error
}

// board joins the load of a key that is under way, or starts one. It gives an
// entry instead when another load has stored one meanwhile.
func (m *Memory) board(ctx context.Context, key string, kind *Kind, load func(context.Context) (any, error)) (*flight, *entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, nil, ErrClosed
	}
	if f := m.flights[key]; f != nil {
		return f, nil, nil
	}
	e, ok := m.entries.GetIfPresent(key)
	if ok && e.served(m.now()) {
		return nil, e, nil
	}
	ctx, cancel := kind.timed(ctx)
	f := &flight{key: key, expired: e, landed: make(chan struct{})}
	m.flights[key], m.cancels[f] = f, cancel
	m.loads.Add(1)
	go m.fly(ctx, f, kind, load)
	return f, nil, nil
}

// fly runs one load to its end and stores what it gave, unless the key was
// dropped meanwhile.
func (m *Memory) fly(ctx context.Context, f *flight, kind *Kind, load func(context.Context) (any, error)) {
	defer m.loads.Done()
	began := m.now()
	value, err := guarded(ctx, m.log, f.key, load)
	kept := newEntry(f.key, kind, value, err, m.now(), m.random())
	answered := err == nil || market.KindOf(err) == market.NotFound

	m.mu.Lock()
	defer m.mu.Unlock()
	defer close(f.landed)
	m.cancels[f]()
	delete(m.cancels, f)
	f.value, f.err = value, err
	if m.flights[f.key] != f {
		return // dropped: those who asked before the drop get it, nobody else
	}
	delete(m.flights, f.key)
	now := m.now()
	switch {
	case kept != nil:
		m.entries.Set(f.key, kept)
	case answered:
		m.entries.Invalidate(f.key) // it is gone, and that is not to be remembered
	case f.expired != nil && f.expired.err == nil && now.Before(f.expired.stale):
		m.log.WarnContext(ctx, "served an expired value: loading it failed", "key", f.key, "expired", f.expired.fresh, "error", reason(err))
		f.value, f.err = f.expired.value, nil
		again := *f.expired
		again.pause = now.Add(min(now.Sub(began), MaxPause))
		m.entries.Set(f.key, &again)
	}
}

// guarded makes an error of a panic: in a goroutine of ours it would end the process.
func guarded(ctx context.Context, log *slog.Logger, key string, load func(context.Context) (any, error)) (value any, err error) {
	defer func() {
		if p := recover(); p != nil {
			log.ErrorContext(ctx, "a load panicked", "key", key, "panic", p, "stack", string(debug.Stack()))
			value, err = nil, fmt.Errorf("load %s: panic: %v", key, p)
		}
	}()
	return load(ctx)
}

// timed gives the context of a load: the values of the caller's, and its own end.
func (k *Kind) timed(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := k.Life.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	return context.WithTimeoutCause(context.WithoutCancel(ctx), timeout, fmt.Errorf("loading took longer than %s", timeout))
}

// reason gives what a refusal keeps from the caller, for the log.
func reason(err error) error {
	var e *market.Error
	for errors.As(err, &e) && e.Cause != nil {
		err = e.Cause
	}
	return err
}
