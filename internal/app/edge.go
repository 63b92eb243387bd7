package app

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"emporium/internal/gateway"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/edge"
	"emporium/internal/platform/limit"
)

// openEdge opens what stands between the network and the services.
func (a *App) openEdge(ctx context.Context) error {
	c := a.config
	mode := a.mode
	rule, limits := c.limits(mode)
	counts, err := a.openCounts(ctx, rule, limits)
	if err != nil {
		return err
	}
	trusted := gateway.Trusted(c.TrustedProxies)
	a.edge = edge.New(edge.Options{
		Secret: a.secret, From: trusted.Origin, Counts: counts, Rule: rule,
		AtOnce: c.Limit.AddressRequests.in(mode, 128), Now: a.now, Log: a.log,
	})
	limits.Counts, limits.From = counts, a.edge.Client
	a.limits = &limits
	if a.origins, err = edge.ParseOrigins(c.CORS.Origins, c.CORS.Credentials); err != nil {
		return fmt.Errorf("--cors-origins (EMPORIUM_CORS_ORIGINS): %w", err)
	}
	a.connections = edge.NewConnections(edge.ConnectionOptions{
		Most: affordable(c.Limit.Connections), PerAddress: c.Limit.AddressConnections.in(mode, 256), Exempt: trusted.Contains, Now: a.now, Log: a.log,
	})
	if c.TLS.Cert == "" {
		return nil
	}
	a.certificate, err = edge.OpenCertificate(edge.CertificateOptions{
		CertFile: c.TLS.Cert, KeyFile: c.TLS.Key, Every: time.Duration(c.TLS.Look), Now: a.now, Log: a.log,
	})
	if err != nil {
		return fmt.Errorf("--tls-cert (EMPORIUM_TLS_CERT) and --tls-key (EMPORIUM_TLS_KEY): %w", err)
	}
	a.run(ctx, "the certificate", a.certificate.Run)
	return nil
}

// openCounts opens what counts, when any rule limits something: this process by
// itself, or all of them in Redis.
func (a *App) openCounts(ctx context.Context, address limit.Rule, l httpapi.Limits) (limit.Limiter, error) {
	memory := limit.NewMemory(limit.MemoryOptions{Now: a.now})
	some := false
	for _, r := range []limit.Rule{address, l.Account, l.Key, l.SignIn, l.SignInMail, l.SignUp} {
		some = some || r.Limits()
	}
	url := a.config.limitURL()
	if !some || url == "" {
		return memory, nil
	}
	r, err := limit.OpenRedis(ctx, limit.RedisOptions{URL: url, Prefix: a.config.CacheName, Away: memory, Log: a.log})
	if err != nil {
		return nil, fmt.Errorf("--limit-url (EMPORIUM_LIMIT_URL): %w", err)
	}
	a.parts = append(a.parts, part{name: "limits", ready: r.Ready, close: r.Close, elsewhere: true})
	return r, nil
}

// vouch says in the head of a request to another process of this deployment that
// it was let in here, and for whom; on nothing: for this process itself.
func (a *App) vouch(h http.Header, on *http.Request) {
	var client netip.Addr
	if on != nil {
		client = a.edge.Client(on)
	}
	a.edge.Vouch(h, client)
}

// from says in words where a request comes from.
func (a *App) from(r *http.Request) string {
	if ip := a.edge.Client(r); ip.IsValid() {
		return ip.String()
	}
	return "this machine" // it came over no network
}

// around puts the edge around the services.
func (a *App) around(next http.Handler) http.Handler {
	next = a.edge.Limit(next)
	next = a.origins.Handler(next)
	hsts := ""
	if d := time.Duration(a.config.TLS.HSTS); d > 0 && a.certificate != nil {
		hsts = "max-age=" + strconv.FormatInt(int64(d/time.Second), 10)
	}
	return a.connections.Handler(edge.Secure(next, hsts))
}
