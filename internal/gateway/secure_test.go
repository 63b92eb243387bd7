package gateway_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"emporium/internal/gateway"
)

// Only a trusted proxy is believed that a request was encrypted on its way there.
func TestSecure(t *testing.T) {
	trusted, err := gateway.ParseTrusted([]string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, header string
		tls, want    bool
	}{
		{"10.1.2.3:4", "X-Forwarded-Proto: https", false, true},
		{"[::ffff:10.1.2.3]:4", "X-Forwarded-Proto: HTTPS", false, true},
		{"10.1.2.3:4", "X-Forwarded-Proto: https, http", false, true},
		{"10.1.2.3:4", "X-Forwarded-Proto: http, https", false, false},
		{"10.1.2.3:4", "Forwarded: for=1.2.3.4;proto=https, for=10.0.0.1;proto=http", false, true},
		{"10.1.2.3:4", "Forwarded: for=1.2.3.4;proto=http, for=10.0.0.1;proto=https", false, false},
		{"10.1.2.3:4", "", false, false},
		{"192.0.2.1:4", "X-Forwarded-Proto: https", false, false},
		{"192.0.2.1:4", "Forwarded: proto=https", false, false},
		{"192.0.2.1:4", "", true, true},
		{"nonsense", "X-Forwarded-Proto: https", false, false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.from
		if name, value, ok := strings.Cut(c.header, ": "); ok {
			r.Header.Set(name, value)
		}
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if got := trusted.Secure(r); got != c.want {
			t.Errorf("from %s with %q, TLS %v: %v", c.from, c.header, c.tls, got)
		}
	}
}
