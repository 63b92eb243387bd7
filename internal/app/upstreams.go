package app

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"emporium/internal/gateway"
	"emporium/internal/platform/httpapi"
)

// Addresses are where the replicas of a service run, written with commas between
// them.
type Addresses []*url.URL

// maxReplicas bounds the replicas of one service.
const maxReplicas = 64

// UnmarshalText reads URLs of a scheme and a host each.
func (a *Addresses) UnmarshalText(text []byte) error {
	*a = nil
	for part := range strings.SplitSeq(string(text), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		u, err := url.Parse(part)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("%q is not a URL such as http://127.0.0.1:8081", part)
		}
		if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return fmt.Errorf("%q has more than a scheme and a host", part)
		}
		u.Path = ""
		*a = append(*a, u)
	}
	if len(*a) > maxReplicas {
		return fmt.Errorf("names %d replicas; at most %d may be", len(*a), maxReplicas)
	}
	return nil
}

// TrustedProxies are addresses and ranges, written with commas between them.
type TrustedProxies gateway.Trusted

// UnmarshalText reads them.
func (t *TrustedProxies) UnmarshalText(text []byte) error {
	trusted, err := gateway.ParseTrusted(strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' || r == ' ' }))
	*t = TrustedProxies(trusted)
	return err
}

// URLFlags say where services run that do not run in this process.
type URLFlags struct {
	Accounts  Addresses `name:"accounts-url" env:"ACCOUNTS_URL" help:"Where accounts runs when it does not run in this process; several replicas with commas between them. Everyone who checks tokens asks it for its keys." placeholder:"URL,…"`
	Coupons   Addresses `name:"coupons-url" env:"COUPONS_URL" help:"Where coupons runs when it does not run in this process." placeholder:"URL,…"`
	Auctions  Addresses `name:"auctions-url" env:"AUCTIONS_URL" help:"Where auctions runs when it does not run in this process." placeholder:"URL,…"`
	Property  Addresses `name:"property-url" env:"PROPERTY_URL" help:"Where property runs when it does not run in this process." placeholder:"URL,…"`
	Inventory Addresses `name:"inventory-url" env:"INVENTORY_URL" help:"Where inventory runs when it does not run in this process." placeholder:"URL,…"`
	Billing   Addresses `name:"billing-url" env:"BILLING_URL" help:"Where billing runs when it does not run in this process. Orders reach it through the queue; only reading them asks it." placeholder:"URL,…"`
	Purchases Addresses `name:"purchases-url" env:"PURCHASES_URL" help:"Where purchases runs when it does not run in this process. Recent purchases asks it, unless another data API is named." placeholder:"URL,…"`
	Popular   Addresses `name:"popular-url" env:"POPULAR_URL" help:"Where recent purchases runs when it does not run in this process." placeholder:"URL,…"`
}

func (f *URLFlags) of(service string) Addresses {
	switch service {
	case "accounts":
		return f.Accounts
	case "coupons":
		return f.Coupons
	case "auctions":
		return f.Auctions
	case "property":
		return f.Property
	case "inventory":
		return f.Inventory
	case "billing":
		return f.Billing
	case "purchases":
		return f.Purchases
	case "popular":
		return f.Popular
	}
	return nil
}

// upstream opens the way to a service that runs elsewhere, once however many
// need it; nil when it has no address.
func (a *App) upstream(ctx context.Context, name string) *gateway.Upstream {
	if u := a.upstreams[name]; u != nil {
		return u
	}
	addresses := a.config.URLs.of(name)
	if len(addresses) == 0 {
		return nil
	}
	u := gateway.NewUpstream(gateway.UpstreamOptions{Name: name, Mode: string(a.mode), Vouch: func(h http.Header) { a.vouch(h, nil) }, Addresses: addresses, Log: a.log})
	a.upstreams[name] = u
	a.parts = append(a.parts, part{name: name, ready: u.Ready, close: u.Close, elsewhere: true})
	a.run(ctx, "the way to "+name, u.Run)
	return u
}

// openUpstreams opens the ways to the services that the gateway hands requests on
// to.
func (a *App) openUpstreams(ctx context.Context) {
	for _, s := range services {
		if !a.here[s.name] {
			a.upstream(ctx, s.name)
		}
	}
}

// mountElsewhere answers for the services that do not run here.
func (a *App) mountElsewhere(api *httpapi.API, forward bool) {
	for _, s := range services {
		if a.here[s.name] {
			continue
		}
		handler := gateway.Absent(s.name)
		if u := a.upstreams[s.name]; u != nil {
			handler = gateway.Proxy(u, gateway.ProxyOptions{Forward: forward, Trusted: gateway.Trusted(a.config.TrustedProxies), Vouch: a.vouch, Log: a.log})
		}
		for _, path := range s.allPaths() {
			api.Handle(path, handler)
			api.Handle(path+"/", handler)
		}
	}
}

// closeWhenDraining tells callers to take another connection while the program
// stops, so that none is closed under a request.
func (a *App) closeWhenDraining(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
