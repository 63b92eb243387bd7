package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"emporium/internal/gateway"
)

// Who asks is the last on the way who is no trusted proxy; what anybody else says
// of that is not believed.
func TestOrigin(t *testing.T) {
	trusted, err := gateway.ParseTrusted([]string{"10.0.0.0/8", "2001:db8:ffff::/48"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ peer, header, want string }{
		{"192.0.2.1:1", "", "192.0.2.1"},
		{"[::ffff:192.0.2.1]:1", "", "192.0.2.1"},
		{"[fe80::1%eth0]:1", "", "fe80::1"},
		{"192.0.2.1:1", "X-Forwarded-For: 203.0.113.9", "192.0.2.1"},
		{"192.0.2.1:1", "Forwarded: for=203.0.113.9", "192.0.2.1"},
		{"10.0.0.1:1", "", "10.0.0.1"},
		{"10.0.0.1:1", "X-Forwarded-For: 203.0.113.9", "203.0.113.9"},
		{"10.0.0.1:1", "X-Forwarded-For: 198.51.100.1, 203.0.113.9", "203.0.113.9"},
		{"10.0.0.1:1", "X-Forwarded-For: 203.0.113.9, 10.0.0.2, 10.0.0.3", "203.0.113.9"},
		{"10.0.0.1:1", "X-Forwarded-For: 203.0.113.9|X-Forwarded-For: 10.0.0.2", "203.0.113.9"},
		{"10.0.0.1:1", "X-Forwarded-For: 10.0.0.2", "10.0.0.2"},
		{"10.0.0.1:1", "X-Forwarded-For: 10.0.0.2, 10.0.0.3", "10.0.0.2"},
		{"10.0.0.1:1", "X-Forwarded-For: 203.0.113.9:4711", "203.0.113.9"},
		{"10.0.0.1:1", "X-Forwarded-For: 2001:db8::9", "2001:db8::9"},
		{"10.0.0.1:1", "X-Forwarded-For: [2001:db8::9]:4711", "2001:db8::9"},
		{"10.0.0.1:1", "X-Forwarded-For: 203.0.113.9, unknown", "10.0.0.1"},
		{"10.0.0.1:1", "X-Forwarded-For: 203.0.113.9, '; DROP", "10.0.0.1"},
		{"10.0.0.1:1", `Forwarded: for="[2001:db8::9]:4711";proto=https`, "2001:db8::9"},
		{"10.0.0.1:1", `Forwarded: for=203.0.113.9, for=10.0.0.2`, "203.0.113.9"},
		{"10.0.0.1:1", `Forwarded: for=_hidden`, "10.0.0.1"},
		{"[2001:db8:ffff::1]:1", `Forwarded: for=203.0.113.9`, "203.0.113.9"},
		{"10.0.0.1:1", "Forwarded: for=203.0.113.9|X-Forwarded-For: 203.0.113.9", "203.0.113.9"},
		{"10.0.0.1:1", "Forwarded: for=203.0.113.9|X-Forwarded-For: 198.51.100.1", "10.0.0.1"}, // one of them is made up
		{"nonsense", "X-Forwarded-For: 203.0.113.9", "invalid IP"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		for line := range strings.SplitSeq(c.header, "|") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				r.Header.Add(name, value)
			}
		}
		if got := trusted.Origin(r).String(); got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.peer, c.header, got, c.want)
		}
	}
}
