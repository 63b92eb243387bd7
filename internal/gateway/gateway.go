// Package gateway is what stands around the services: it judges whether a
// request may come in at all, and answers for the services that are not here.
package gateway

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

// GuardOpen refuses what reaches a default open mode from elsewhere: through a
// proxy, or under a host's name that is not a loopback one. Somebody put
// Emporium behind a proxy without deciding who may do what.
func GuardOpen(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if header := proxied(r.Header); header != "" {
			refuse(w, r, "it came through a proxy (it carries "+header+")")
			return
		}
		if !loopback(r.Host) {
			refuse(w, r, "it is for the host '"+strings.ToValidUTF8(r.Host, "")+"', which is not a loopback name")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, r *http.Request, why string) {
	httpapi.Refuse(w, r, market.Refuse(market.Denied, "mode_not_chosen",
		"this request was refused because %s, and nobody has chosen who may do what here. Start with --access=protected (EMPORIUM_ACCESS=protected), in which people sign in and may do what is theirs, or with --access=open if everyone who can reach this address may read and change nearly everything", why))
}

// proxied names a header that only a proxy adds, or gives "". The keys are as
// net/http writes them.
func proxied(h http.Header) string {
	if _, ok := h["Forwarded"]; ok {
		return "Forwarded"
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded-") {
			return name
		}
	}
	return ""
}

// loopback says whether a Host header names this machine to itself alone
// (RFC 6761, section 6.3: localhost and all names below it).
func loopback(host string) bool {
	if name, port, err := net.SplitHostPort(host); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil && port != "" {
			return false
		}
		host = name
	}
	if host == "127.0.0.1" || host == "localhost" {
		return true // what nearly all requests say
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") { // HTTP/1.0 may name no host
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}

// Absent answers for a service that does not run here and has no address: 503,
// for its own paths alone.
func Absent(service string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpapi.Refuse(w, r, &market.Error{
			Kind: market.Unavailable, Code: "service_absent", RetryAfter: 5 * time.Second,
			Detail: "the service '" + service + "' does not run here",
		})
	})
}
