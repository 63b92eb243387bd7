// Package edge is what stands between the network and the handlers: how many
// connections and requests an address may have, how often it may ask, which
// other origins browsers may ask from, and certificates.
package edge

import (
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/limit"
)

// Options say what an Edge lets in.
type Options struct {
	Secret []byte                           // by which the processes of a deployment know each other
	From   func(r *http.Request) netip.Addr // who asks, as far as trusted proxies say; nil: whose connection it is
	Counts limit.Limiter                    // nil: nothing is counted
	Rule   limit.Rule                       // how often an address may ask; zero: as often as it likes
	AtOnce int                              // how many requests of an address may be under way; 0: any number
	Now    func() time.Time
	Log    *slog.Logger
}

// Edge lets requests in.
type Edge struct {
	o     Options
	seal  seal
	busy  busy
	other atomic.Bool // a voucher of another secret was seen, and said so
}

// New makes an edge.
func New(o Options) *Edge {
	if o.From == nil {
		o.From = peer
	}
	return &Edge{o: o, seal: newSeal(o.Secret), busy: newBusy(o.AtOnce)}
}

// peer is whose connection a request came on.
func peer(r *http.Request) netip.Addr {
	at, _ := netip.ParseAddrPort(r.RemoteAddr)
	return at.Addr().Unmap().WithZone("")
}

// Client is who asks: what a process of this deployment vouches for, or else
// what trusted proxies say.
func (e *Edge) Client(r *http.Request) netip.Addr {
	if v, ok := e.voucher(r); ok && v.client.IsValid() {
		return v.client
	}
	return e.o.From(r)
}

// spared are the paths that whoever watches the process asks, as often as they
// like. They cost nothing.
func spared(path string) bool {
	return path == "/healthz" || path == "/readyz" || path == "/health"
}

// Limit lets through what may come in. What another process of this deployment
// hands on was counted where it came in.
func (e *Edge) Limit(next http.Handler) http.Handler {
	if !e.o.Rule.Limits() && e.o.AtOnce == 0 {
		return e.vouched(next)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ours := e.voucher(r); ours {
			Proven(r.Context())
			next.ServeHTTP(w, r)
			return
		}
		if spared(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		who := httpapi.AddressKey(e.o.From(r))
		if e.o.Rule.Limits() {
			asks := []limit.Ask{{Rule: e.o.Rule, Who: who}}
			allowed := e.o.Counts.Take(r.Context(), asks)
			httpapi.TellLimits(w.Header(), asks)
			if !allowed {
				httpapi.RefuseTooMany(w, r, asks)
				return
			}
		}
		if !e.busy.enter(who) {
			httpapi.RefuseBusy(w, r, e.o.AtOnce)
			return
		}
		defer e.busy.leave(who)
		next.ServeHTTP(w, r)
	})
}

// vouched looks at vouchers where nothing is limited but connections.
func (e *Edge) vouched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, said := r.Header[fromHeader]; said {
			if _, ours := e.voucher(r); ours {
				Proven(r.Context())
			}
		}
		next.ServeHTTP(w, r)
	})
}
