package httpapi

import (
	"context"
	"time"

	"emporium/internal/market"
)

// patience is how long a call waits for those before it, when as many are worked
// on as may be.
const patience = 5 * time.Second

// bounded lets a system work on so many calls at the same time. What is read
// from callers and written to them does not count: slow ones hold nobody up.
func bounded[I, O any](g *Group, handle func(context.Context, *I) (O, error)) func(context.Context, *I) (O, error) {
	if g.work == nil {
		return handle
	}
	return func(ctx context.Context, in *I) (out O, err error) {
		if err := g.enter(ctx); err != nil {
			return out, err
		}
		defer func() { <-g.work }()
		return handle(ctx, in)
	}
}

func (g *Group) enter(ctx context.Context) error {
	select {
	case g.work <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case g.work <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return &market.Error{
			Kind: market.Unavailable, Code: "busy", RetryAfter: time.Second,
			Detail: "the service '" + g.system.Name + "' is working on as much as it may: try again shortly",
		}
	}
}
