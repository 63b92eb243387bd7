package gateway

import (
	"fmt"
	"net/http/httputil"
	"net/netip"
	"slices"
	"strings"
)

// Trusted are the addresses of the proxies in front of this gateway: their word
// on who asks is believed, and nobody else's.
type Trusted []netip.Prefix

// ParseTrusted reads addresses and ranges in CIDR form.
func ParseTrusted(texts []string) (Trusted, error) {
	var t Trusted
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			ip, ipErr := netip.ParseAddr(text)
			if ipErr != nil || ip.Zone() != "" {
				return nil, fmt.Errorf("%q is not an address or a range such as 10.0.0.0/8", text)
			}
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
		t = append(t, prefix.Masked())
	}
	return t, nil
}

func (t Trusted) contains(ip netip.Addr) bool {
	for _, p := range t {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// hop is one step of a request's way, as the server that took it in saw it.
type hop struct{ client, host, proto string }

// forward says who asks, for which host and how, after what trusted proxies said
// of that.
func (o ProxyOptions) forward(pr *httputil.ProxyRequest) {
	in, out := pr.In.Header, pr.Out.Header
	for name := range out {
		if strings.HasPrefix(name, "X-Forwarded-") {
			delete(out, name)
		}
	}
	if !o.Forward {
		return
	}
	here := hop{client: "unknown", host: pr.In.Host, proto: "http"}
	if pr.In.TLS != nil {
		here.proto = "https"
	}
	var way []hop
	var told []string
	origin := here
	if peer, err := netip.ParseAddrPort(pr.In.RemoteAddr); err == nil {
		ip := peer.Addr().Unmap().WithZone("")
		here.client = ip.String()
		if o.Trusted.contains(ip) {
			told = in["Forwarded"]
			way = parseForwarded(strings.Join(told, ","))
			if list := in["X-Forwarded-For"]; len(list) > 0 {
				told, way = nil, parseForwardedFor(list)
			}
			if len(way) > 0 {
				origin.host, origin.proto = or(way[0].host, here.host), or(way[0].proto, here.proto)
			}
			origin.host, origin.proto = or(in.Get("X-Forwarded-Host"), origin.host), or(in.Get("X-Forwarded-Proto"), origin.proto)
			for name, values := range in {
				if strings.HasPrefix(name, "X-Forwarded-") {
					out[name] = values
				}
			}
		}
	}
	clients := make([]string, 0, len(way)+1)
	for _, h := range way {
		clients = append(clients, or(h.client, "unknown"))
	}
	out["X-Forwarded-For"] = []string{strings.Join(append(clients, here.client), ", ")}
	out["X-Forwarded-Host"] = []string{origin.host}
	out["X-Forwarded-Proto"] = []string{origin.proto}
	if told == nil {
		for _, h := range way {
			told = append(told, h.String())
		}
	}
	out["Forwarded"] = []string{strings.Join(append(slices.Clip(told), here.String()), ", ")}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// String writes an element of a Forwarded header (RFC 7239).
func (h hop) String() string {
	client := h.client
	if strings.Contains(client, ":") {
		client = "[" + client + "]"
	}
	s := "for=" + quote(client)
	if h.host != "" {
		s += ";host=" + quote(h.host)
	}
	if h.proto != "" {
		s += ";proto=" + quote(h.proto)
	}
	return s
}

// quote writes a value as a token, or as a quoted string where it is none.
func quote(s string) string {
	token := s != ""
	for i := range len(s) {
		c := s[i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			continue
		}
		token = false
	}
	if token {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// parseForwardedFor reads X-Forwarded-For: addresses with commas between them.
func parseForwardedFor(list []string) (way []hop) {
	for client := range strings.SplitSeq(strings.Join(list, ","), ",") {
		if client = strings.TrimSpace(client); client != "" {
			way = append(way, hop{client: client})
		}
	}
	return way
}

// parseForwarded reads a Forwarded header. What it does not understand, it passes
// over.
func parseForwarded(s string) (way []hop) {
	for len(s) > 0 {
		var h hop
		var some bool
		for {
			name, rest := cutAt(s, "=;,")
			s = rest
			if s == "" || s[0] != '=' {
				break
			}
			var value string
			value, s = readValue(s[1:])
			some = true
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "for":
				h.client = node(value)
			case "host":
				h.host = value
			case "proto":
				h.proto = value
			}
			if s == "" || s[0] != ';' {
				break
			}
			s = s[1:]
		}
		if some {
			way = append(way, h)
		}
		_, s = cutAt(s, ",")
		s = strings.TrimPrefix(s, ",")
	}
	return way
}

// cutAt splits before the first of some characters.
func cutAt(s, any string) (before, rest string) {
	if i := strings.IndexAny(s, any); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// readValue reads a token or a quoted string.
func readValue(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		value, rest = cutAt(s, ";,")
		return strings.TrimSpace(value), rest
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			_, rest = cutAt(s[i+1:], ";,")
			return b.String(), rest
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

// node is an address without brackets and port, as X-Forwarded-For writes it.
func node(s string) string {
	if strings.HasPrefix(s, "[") {
		ip, _, _ := strings.Cut(s[1:], "]")
		return ip
	}
	host, _, _ := strings.Cut(s, ":")
	return host
}
