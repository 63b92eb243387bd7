package gateway

import (
	"net/http"
	"net/netip"
	"strings"
)

// Secure says whether a request came encrypted, as far as that can be believed:
// to this process, or to the first of its trusted proxies.
func (t Trusted) Secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !t.Contains(peer.Addr()) {
		return false
	}
	if said := r.Header.Values("X-Forwarded-Proto"); len(said) > 0 {
		first, _, _ := strings.Cut(said[0], ",")
		return strings.EqualFold(strings.TrimSpace(first), "https")
	}
	way := parseForwarded(strings.Join(r.Header.Values("Forwarded"), ","))
	return len(way) > 0 && strings.EqualFold(way[0].proto, "https")
}
