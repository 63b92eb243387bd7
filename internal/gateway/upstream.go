package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"emporium/internal/market"
)

// UpstreamOptions say where a service runs. Name and Addresses are required.
type UpstreamOptions struct {
	Name      string
	Mode      string              // the mode of access that it must run in, too; not asked when empty
	Addresses []*url.URL          // of its replicas: scheme and host
	Answer    time.Duration       // how long the head of an answer may take; 0: 30 seconds
	Every     time.Duration       // between health checks of a replica; 0: 1 second
	Log       *slog.Logger        // nil: nowhere
	Vouch     func(h http.Header) // says of a request of this process that it is one; nil: nothing is said
}

// Upstream is a service that runs elsewhere, in one process or several.
type Upstream struct {
	name     string
	mode     string
	every    time.Duration
	replicas []*replica
	next     atomic.Uint64
	budget   *budget
	vouch    func(http.Header)
}

// NewUpstream makes the way to a service. It does not connect.
func NewUpstream(o UpstreamOptions) *Upstream {
	if o.Answer == 0 {
		o.Answer = 30 * time.Second
	}
	if o.Every == 0 {
		o.Every = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	u := &Upstream{name: o.Name, mode: o.Mode, every: o.Every, budget: newBudget(), vouch: o.Vouch}
	for _, address := range o.Addresses {
		u.replicas = append(u.replicas, newReplica(address, o))
	}
	return u
}

// Run checks the health of every replica until ctx ends.
func (u *Upstream) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, r := range u.replicas {
		all.Go(func() { u.watch(ctx, r) })
	}
	all.Wait()
	return nil
}

// checkGap is the least time between two checks of a replica that were asked for
// out of turn.
const checkGap = 50 * time.Millisecond

func (u *Upstream) watch(ctx context.Context, r *replica) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-timer.C:
		}
		r.check(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(checkGap):
		}
		timer.Reset(u.every - checkGap + rand.N(u.every/4) - u.every/8) // many gateways must not ask in step
	}
}

// Close lets go of idle connections.
func (u *Upstream) Close() error {
	for _, r := range u.replicas {
		r.wire.closeIdle()
	}
	return nil
}

// Ready gives nil when a replica is ready, as the last checks saw it.
func (u *Upstream) Ready(context.Context) error {
	for _, r := range u.replicas {
		if health(r.health.Load()) == up && r.usable() {
			return nil
		}
	}
	if other := u.otherMode(); other != nil {
		return other
	}
	return fmt.Errorf("no replica of %s is ready", u.name)
}

// Client asks the service on behalf of this process: a request's address may
// name any host, and goes to a replica.
func (u *Upstream) Client(within time.Duration) *http.Client {
	return &http.Client{Transport: asking{u}, Timeout: within}
}

// asking sends requests of this process, which are for the replica's own host.
type asking struct{ upstream *Upstream }

func (a asking) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host = "" // the address says it
	if a.upstream.vouch != nil {
		a.upstream.vouch(r.Header)
	}
	return a.upstream.RoundTrip(r)
}

// down is what callers are told when no replica can be asked.
func (u *Upstream) down(cause error) error {
	if other, ok := errors.AsType[*otherModeError](cause); ok {
		return &market.Error{Kind: market.Unavailable, Code: "other_mode", RetryAfter: 5 * time.Second, Detail: other.Error()}
	}
	return &market.Error{
		Kind: market.Unavailable, Code: "service_down", RetryAfter: time.Second, Cause: cause,
		Detail: "the service '" + u.name + "' is down: try again shortly",
	}
}

// otherMode is why no replica may be asked that could be, or nil.
func (u *Upstream) otherMode() error {
	for _, r := range u.replicas {
		if other := r.other.Load(); other != nil && health(r.health.Load()) != down {
			return other
		}
	}
	return nil
}

var errNoReplica = errors.New("no replica answers its health checks")

// RoundTrip sends a request to a replica, and to another one where that is safe.
// It takes the request over, and sets its address.
func (u *Upstream) RoundTrip(out *http.Request) (*http.Response, error) {
	u.budget.earn()
	if u.mode != "" {
		out.Header[accessHeader] = []string{u.mode}
	}
	var b *body
	if out.Body != nil && out.Body != http.NoBody {
		b = newBody(out.Body, out.ContentLength)
		if out.ContentLength > 0 && out.ContentLength <= shortBody && out.Header.Get("Expect") == "" {
			if err := b.gather(out.ContentLength); err != nil {
				return nil, err
			}
		}
		out.Body, _ = b.view()
	}
	start := u.next.Add(1)
	var tried uint64 // a bit for each replica
	var last error
	for {
		i := u.choose(start, tried)
		if i < 0 {
			if last == nil {
				last = u.otherMode()
			}
			if last == nil {
				last = errNoReplica
			}
			return nil, u.down(last)
		}
		if tried != 0 {
			if !u.budget.spend() {
				return nil, u.down(last)
			}
			if out = anew(out, b); out == nil {
				return nil, u.down(last)
			}
		}
		tried |= 1 << i
		r := u.replicas[i]
		out.URL.Scheme, out.URL.Host = r.address.Scheme, r.address.Host
		resp, err := r.send(out, b, func(unsent bool) *http.Request {
			if !unsent && !mayRepeat(out) {
				return nil
			}
			return anew(out, b)
		})
		switch {
		case err == nil:
			return resp, nil
		case out.Context().Err() != nil:
			return nil, out.Context().Err()
		case b.cut() != nil:
			return nil, b.cut()
		}
		last = err
		if other, ok := errors.AsType[*otherModeError](err); ok {
			if other.theirs == "" {
				return nil, u.down(err)
			}
			continue // it has done nothing
		}
		if !isDial(err) && (isTimeout(err) || !mayRepeat(out)) {
			return nil, u.down(err)
		}
	}
}

// anew is a request to send again, or nil when its body was not kept. A failed
// attempt may go on reading the one before for a moment.
func anew(out *http.Request, b *body) *http.Request {
	out = out.WithContext(out.Context())
	address := *out.URL
	out.URL = &address
	if b != nil {
		view, err := b.view()
		if err != nil {
			return nil
		}
		out.Body = view
	}
	return out
}

// choose gives the replica with the fewest requests under way, of those that are
// ready or else of those that answer at all; -1 when none is left.
func (u *Upstream) choose(start, tried uint64) int {
	best, bestHealth, fewest := -1, down, int64(0)
	for n := range u.replicas {
		i := int((start + uint64(n)) % uint64(len(u.replicas)))
		r := u.replicas[i]
		if tried&(1<<i) != 0 || !r.usable() {
			continue
		}
		h, busy := health(r.health.Load()), r.busy.Load()
		if best < 0 || h < bestHealth || h == bestHealth && busy < fewest {
			best, bestHealth, fewest = i, h, busy
		}
	}
	return best
}
