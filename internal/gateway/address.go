package gateway

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Contains says whether an address is a trusted proxy's.
func (t Trusted) Contains(ip netip.Addr) bool { return t.contains(ip.Unmap().WithZone("")) }

// Origin is the address that a request comes from, as far as it can be believed:
// the last one on its way that is no trusted proxy. The zero address when that
// cannot be told.
func (t Trusted) Origin(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	ip := at.Addr().Unmap().WithZone("")
	if len(t) == 0 || !t.contains(ip) {
		return ip
	}
	forwarded, list := r.Header["Forwarded"], r.Header["X-Forwarded-For"]
	said := t.last(ip, parseForwarded(strings.Join(forwarded, ",")))
	if list == nil {
		return said
	}
	other := t.last(ip, parseForwardedFor(list))
	if forwarded != nil && said != other {
		return ip // the proxy writes one of them, and passes on the other as the caller made it up
	}
	return other
}

// last walks back the way that trusted proxies say a request has come.
func (t Trusted) last(ip netip.Addr, way []hop) netip.Addr {
	for _, h := range slices.Backward(way) {
		client, ok := address(h.client)
		if !ok {
			return ip // whoever said that is the last who can be named
		}
		if ip = client; !t.contains(ip) {
			return ip
		}
	}
	return ip
}

// address reads an address with or without brackets and port.
func address(s string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(s)
	if err != nil {
		ip, err = netip.ParseAddr(node(s))
	}
	return ip.Unmap().WithZone(""), err == nil
}
