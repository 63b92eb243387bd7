package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"emporium/internal/platform/dial"
)

// Waits of the gateway for a service. A wait for an answer's head is long,
// since a service may itself wait for its database.
const (
	dialWithin   = 2 * time.Second
	idleFor      = 60 * time.Second // less than the servers' own 120 seconds, so that they never close first
	checkWithin  = 3 * time.Second  // a service takes up to 2 to find that its database is not there
	headMaxBytes = 64 << 10
	idleConns    = 512 // to one replica
)

// tripAfter is how many requests in a row must fail before a replica is left
// alone, and restFor for how long before a health check may try it again.
const (
	tripAfter = 5
	restFor   = 500 * time.Millisecond
)

// health is what the last check of a replica said.
type health int32

const (
	up      health = iota // also before the first check
	unready               // it answers, and says that it is not ready, or is stopping
	down                  // it does not answer
)

// replica is one process that runs a service.
type replica struct {
	address *url.URL
	wire    *wire
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	log     *slog.Logger
	service string
	mode    string                         // that it must run in; "" when it need not say
	other   atomic.Pointer[otherModeError] // it runs in another, as it said last
	health  atomic.Int32
	busy    atomic.Int64  // requests under way
	wake    chan struct{} // asks for a check now
	misses  int           // checks in a row without an answer; the checker's own
}

// dialer makes connections to an address, over TLS where it says so.
func dialer(address *url.URL) func(context.Context) (net.Conn, error) {
	plain := dial.New(dialWithin)
	host, port := address.Hostname(), address.Port()
	if address.Scheme == "https" {
		secure := &tls.Dialer{NetDialer: plain, Config: &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}}
		to := net.JoinHostPort(host, or(port, "443"))
		return func(ctx context.Context) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, 2*dialWithin) // the handshake too
			defer cancel()
			return secure.DialContext(ctx, "tcp", to)
		}
	}
	to := net.JoinHostPort(host, or(port, "80"))
	return func(ctx context.Context) (net.Conn, error) { return plain.DialContext(ctx, "tcp", to) }
}

func newReplica(address *url.URL, o UpstreamOptions) *replica {
	r := &replica{
		address: address, wake: make(chan struct{}, 1), log: o.Log, service: o.Name, mode: o.Mode,
		wire: &wire{dial: dialer(address), answer: o.Answer, most: idleConns},
	}
	r.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: o.Name + " at " + address.Host, Timeout: restFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		IsExcluded:  func(err error) bool { return errors.Is(err, errNotItsFault) },
		OnStateChange: func(name string, from, to gobreaker.State) {
			o.Log.Info("circuit breaker", "service", name, "from", from.String(), "to", to.String())
		},
	})
	return r
}

// errNotItsFault is how a request ended that says nothing of the replica: its
// caller went away, or did not send its body.
var errNotItsFault = errors.New("the caller ended the request")

// usable says whether requests may go there. Only a health check tries a replica
// whose breaker is half open: no caller's request is spent on finding out.
func (r *replica) usable() bool {
	return health(r.health.Load()) != down && r.other.Load() == nil && r.breaker.State() == gobreaker.StateClosed
}

// checkSoon asks for a check out of turn.
func (r *replica) checkSoon() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// send sends a request there. The caller set its address.
func (r *replica) send(out *http.Request, b *body, again func(unsent bool) *http.Request) (*http.Response, error) {
	done, err := r.breaker.Allow()
	if err != nil {
		return nil, &dialError{err}
	}
	r.busy.Add(1)
	resp, err := r.wire.roundTrip(out, again)
	if err != nil {
		r.busy.Add(-1)
		if out.Context().Err() != nil || b.cut() != nil {
			done(errNotItsFault)
			return nil, err
		}
		done(err)
		r.checkSoon()
		return nil, err
	}
	done(nil)
	if err := r.checkMode(resp.Header); err != nil {
		r.busy.Add(-1)
		_ = resp.Body.Close()
		return nil, err
	}
	if resp.Close {
		r.checkSoon() // it may be stopping
	}
	resp.Body = &countedBody{ReadCloser: resp.Body, replica: r}
	return resp, nil
}

// countedBody ends the count of a request under way.
type countedBody struct {
	io.ReadCloser
	replica *replica
}

func (c *countedBody) Close() error {
	if c.replica != nil {
		c.replica.busy.Add(-1)
		c.replica = nil
	}
	return c.ReadCloser.Close()
}

// check asks the replica whether it is ready.
func (r *replica) check(ctx context.Context) {
	done, tried := r.breaker.Allow()
	h, err := r.ask(ctx)
	if ctx.Err() != nil {
		err = errNotItsFault
	}
	if tried == nil {
		done(err)
	}
	if err == nil {
		r.misses = 0
	} else if r.misses++; !isDial(err) && r.misses < 2 {
		return // one answer may get lost
	}
	if ctx.Err() != nil {
		return
	}
	if before := health(r.health.Swap(int32(h))); before != h {
		r.log.InfoContext(ctx, "health of a service", "service", r.breaker.Name(), "ready", h == up, "answers", h != down, "error", err)
		if h != up {
			r.wire.closeIdle()
		}
	}
}

func (r *replica) ask(ctx context.Context) (health, error) {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.address.JoinPath("/readyz").String(), http.NoBody)
	if err != nil {
		return down, err
	}
	if r.mode != "" {
		request.Header[accessHeader] = []string{r.mode}
	}
	resp, err := r.wire.roundTrip(request, nil)
	if err != nil {
		return down, fmt.Errorf("check its health: %w", err)
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
	_ = r.checkMode(resp.Header) // it is noted
	if resp.StatusCode != http.StatusOK {
		return unready, nil
	}
	return up, nil
}
