package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"emporium/internal/gateway"
)

func TestGuardOpen(t *testing.T) {
	guarded := gateway.GuardOpen(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, c := range []struct {
		host, header string
		status       int
	}{
		{"127.0.0.1:8080", "", 200},
		{"127.0.0.1", "", 200},
		{"127.1.2.3:80", "", 200},
		{"localhost:8080", "", 200},
		{"LOCALHOST", "", 200},
		{"localhost.", "", 200},
		{"shop.localhost:1", "", 200},
		{"[::1]:8080", "", 200},
		{"[::1]", "", 200},
		{"shop.example", "", 403},
		{"localhost.example", "", 403},
		{"127.0.0.1.example:80", "", 403},
		{"10.0.0.1", "", 403},
		{"[::2]:80", "", 403},
		{"127.0.0.1:80.shop.example", "", 403},
		{"localhost:shop.example", "", 403},
		{"127.0.0.1:8080", "X-Forwarded-For", 403},
		{"127.0.0.1:8080", "x-forwarded-anything", 403},
		{"127.0.0.1:8080", "Forwarded", 403},
	} {
		r := httptest.NewRequest(http.MethodGet, "/coupons", nil)
		r.Host = c.host
		if c.header != "" {
			r.Header.Set(c.header, "for=10.0.0.1")
		}
		w := httptest.NewRecorder()
		guarded.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s %s: %d, want %d", c.host, c.header, w.Code, c.status)
		}
		if w.Code == 403 && (!strings.Contains(w.Body.String(), "--access=protected") || !strings.Contains(w.Body.String(), "--access=open")) {
			t.Errorf("%s: the refusal does not say how to choose: %s", c.host, w.Body)
		}
	}
}

func TestAbsent(t *testing.T) {
	w := httptest.NewRecorder()
	gateway.Absent("billing").ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/billing/orders", nil))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "billing") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}
