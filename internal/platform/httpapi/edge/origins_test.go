package edge_test

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"emporium/internal/platform/httpapi/edge"
)

func TestOriginsAreParsed(t *testing.T) {
	for _, c := range []struct {
		origins     string // with spaces between them
		credentials bool
		want        string // of the refusal; "": they are taken
	}{
		{"https://shop.example", false, ""},
		{"http://localhost:3000", false, ""},
		{"https://shop.example", true, ""},
		{"*", false, ""},
		{"*", true, "need origins by name"},
		{"https://shop.example *", true, "need origins by name"},
		{"", true, "need origins by name"},
		{"https://shop.example/", false, "is not an origin"},
		{"https://shop.example/x", false, "is not an origin"},
		{"https://shop.example?x", false, "is not an origin"},
		{"https://shop.example#x", false, "is not an origin"},
		{"https://ada@shop.example", false, "is not an origin"},
		{"https://:443", false, "is not an origin"},
		{"shop.example", false, "is not an origin"},
		{"null", false, "is not an origin"},
		{"file://x", false, "is not an origin"},
		{"https://shop.example:443", false, "leave out the port"},
		{"http://shop.example:80", false, "leave out the port"},
	} {
		_, err := edge.ParseOrigins(strings.Fields(c.origins), c.credentials)
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, credentials %t: %v, want %q", c.origins, c.credentials, err, c.want)
		}
	}
}

func TestOrigins(t *testing.T) {
	const shop, other = "https://shop.example", "https://evil.example"
	const preflightVary = "Access-Control-Request-Method, Access-Control-Request-Headers"
	listed := map[string][]string{"Access-Control-Allow-Origin": {shop}, "Vary": {"Origin"}, "Access-Control-Expose-Headers": {exposed}}
	varies := map[string][]string{"Vary": {"Origin"}}
	for _, c := range []struct {
		name        string
		origins     []string
		credentials bool
		origin      string // that asks
		method      string
		preflight   string // the method that it asks for
		want        map[string][]string
	}{
		{name: "listed", origins: []string{shop}, origin: shop, want: listed},
		{name: "listed, in capitals", origins: []string{"HTTPS://Shop.Example"}, origin: shop, want: listed},
		{name: "listed, with credentials", origins: []string{shop}, credentials: true, origin: shop, want: map[string][]string{
			"Access-Control-Allow-Origin": {shop}, "Access-Control-Allow-Credentials": {"true"}, "Vary": {"Origin"}, "Access-Control-Expose-Headers": {exposed},
		}},
		{name: "not listed", origins: []string{shop}, origin: other, want: varies},
		{name: "not listed, with credentials", origins: []string{shop}, credentials: true, origin: other, want: varies},
		{name: "a longer name", origins: []string{shop}, origin: shop + ".evil.example", want: varies},
		{name: "another scheme", origins: []string{shop}, origin: "http://shop.example", want: varies},
		{name: "null", origins: []string{shop}, origin: "null", want: varies},
		{name: "no origin", origins: []string{shop}, want: varies},
		{name: "any", origins: []string{"*"}, origin: other, want: map[string][]string{
			"Access-Control-Allow-Origin": {"*"}, "Access-Control-Expose-Headers": {exposed},
		}},
		{name: "preflight", origins: []string{shop}, origin: shop, method: http.MethodOptions, preflight: http.MethodPut, want: map[string][]string{
			"Access-Control-Allow-Origin": {shop}, "Vary": {"Origin", preflightVary}, "Access-Control-Max-Age": {"600"},
			"Access-Control-Allow-Methods": {"GET, HEAD, POST, PUT, DELETE, OPTIONS"},
			"Access-Control-Allow-Headers": {"Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-Id, Traceparent, Tracestate"},
		}},
		{name: "preflight of another", origins: []string{shop}, origin: other, method: http.MethodOptions, preflight: http.MethodPut, want: map[string][]string{"Vary": {"Origin", preflightVary}}},
		{name: "plain OPTIONS", origins: []string{shop}, origin: shop, method: http.MethodOptions, want: listed},
		{name: "nobody", origin: shop, want: map[string][]string{}},
	} {
		o, err := edge.ParseOrigins(c.origins, c.credentials)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(c.method, "/things", http.NoBody)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.preflight != "" {
			r.Header.Set("Access-Control-Request-Method", c.preflight)
		}
		w := do(o.Handler(fine), r)
		if got := map[string][]string(w.Header()); w.Code != http.StatusNoContent || !maps.EqualFunc(got, c.want, slices.Equal) {
			t.Errorf("%s: %d %v, want %v", c.name, w.Code, got, c.want)
		}
	}
}

// exposed is what the pages of other sites may read of an answer.
const exposed = "ETag, Link, Location, Retry-After, RateLimit, RateLimit-Policy, WWW-Authenticate, X-Request-Id"

// Browsers are told to come by TLS where they did, and nowhere else: a header
// without it could be anybody's.
func TestSecure(t *testing.T) {
	const year = "max-age=31536000"
	for _, c := range []struct {
		hsts string
		tls  bool
		want string
	}{{year, true, year}, {year, false, ""}, {"", true, ""}} {
		r := httptest.NewRequest(http.MethodGet, "/things", http.NoBody)
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if got := do(edge.Secure(fine, c.hsts), r).Header().Get("Strict-Transport-Security"); got != c.want {
			t.Errorf("%q, TLS %t: %q, want %q", c.hsts, c.tls, got, c.want)
		}
	}
}

func TestRedirect(t *testing.T) {
	for _, c := range []struct{ port, host, target, want string }{
		{"443", "shop.example", "/a/b?c=d%20e", "https://shop.example/a/b?c=d%20e"},
		{"8443", "shop.example:8080", "/", "https://shop.example:8443/"},
		{"443", "[2001:db8::1]:80", "/", "https://[2001:db8::1]/"},
		{"443", "192.0.2.1", "//evil.example/x", "https://192.0.2.1//evil.example/x"},
		{"443", "shop.example", "/%2F..", "https://shop.example/%2F.."},
		{"443", "", "/", ""},
		{"443", "evil.example@shop.example", "/", ""},
		{"443", "shop.example/x", "/", ""},
		{"443", "shop.example\\x", "/", ""},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://x"+c.target, http.NoBody)
		r.Host = c.host
		w := do(edge.Redirect(c.port), r)
		if got := w.Header().Get("Location"); got != c.want || (c.want == "") != (w.Code == 400) || c.want != "" && w.Code != 308 {
			t.Errorf("%s%s: %d to %q, want %q", c.host, c.target, w.Code, got, c.want)
		}
	}
}
