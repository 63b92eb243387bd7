package app_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// around makes one call, for a host and with a header ("Name: value").
func around(h http.Handler, method, path, host, header string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Host = host
	if name, value, ok := strings.Cut(header, ": "); ok {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestAroundTheServices holds what no service answers: health, documents, pages,
// and the refusals of the gateway, which speak as the system under the path does.
func TestAroundTheServices(t *testing.T) {
	h, _ := openShop(t)
	for _, c := range []struct {
		method, path, host, header string
		status                     int
		want                       string
	}{
		{"GET", "/healthz", "localhost", "", 200, `{"status":"alive"}`},
		{"GET", "/healthz/", "localhost", "", 200, `{"status":"alive"}`},
		{"GET", "/health", "localhost", "", 200, `"healthy"`},
		{"GET", "/docs", "localhost", "", 200, `<html`},
		{"GET", "/apidocs/", "localhost", "", 200, `<html`},
		{"GET", "/openapi.json", "localhost", "", 200, `"openapi": "3.1.0"`},
		{"GET", "/openapi.yaml", "localhost", "", 200, `openapi: 3.1.0`},
		{"GET", "/openapi-3.0.json", "localhost", "", 200, `"openapi": "3.0.3"`},
		{"GET", "/swagger.json", "localhost", "", 200, `"openapi": "3.0.3"`},
		{"GET", "/apispec_1.json", "localhost", "", 200, `"openapi": "3.0.3"`},
		{"OPTIONS", "/docs", "localhost", "", 204, `Allow: GET, HEAD, OPTIONS`},
		{"POST", "/healthz", "localhost", "", 405, `Allow: GET, HEAD, OPTIONS`},
		{"DELETE", "/swagger.json", "localhost", "", 405, `Allow: GET, HEAD, OPTIONS`},
		{"POST", "/", "localhost", "", 405, `Allow: GET, HEAD, OPTIONS`},
		{"GET", "/coupons/1/nothing", "localhost", "", 404, `"error":"there is nothing`},
		{"GET", "/api/v1/items/item1/nothing", "localhost", "", 404, `"message":"there is nothing`},
		{"GET", "/api/user/1/nothing", "localhost", "", 404, `"message":"there is nothing`},
		{"GET", "/api/users/buyer/nothing", "localhost", "", 404, `"instance":"/api/users/buyer/nothing"}`},
		{"GET", "/coupons", "shop.example", "", 403, `"error":"this request was refused because it is for the host 'shop.example'`},
		{"GET", "/api/v1/bids", "localhost", "Forwarded: for=1", 403, `"message":"this request was refused because it came through a proxy (it carries Forwarded)`},
		{"GET", "/api/movies", "localhost", "X-Forwarded-Proto: https", 403, `--access=open`},
		{"GET", "/coupons", "localhost", "X-Request-Id: mine", 200, `X-Request-Id: mine`},
	} {
		w := around(h, c.method, c.path, c.host, c.header)
		all := w.Body.String()
		for name, values := range w.Header() {
			all += "\n" + name + ": " + strings.Join(values, ",")
		}
		if w.Code != c.status || !strings.Contains(all, c.want) {
			t.Errorf("%s %s for %s, %s: %d, want %d with %s in\n%.600s", c.method, c.path, c.host, c.header, w.Code, c.status, c.want, all)
		}
		if w.Header().Get("X-Request-Id") == "" {
			t.Errorf("%s %s: no X-Request-Id", c.method, c.path)
		}
	}
	var ready struct{ Parts map[string]string }
	if err := json.Unmarshal(around(h, "GET", "/readyz", "localhost", "").Body.Bytes(), &ready); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"accounts", "auctions", "billing", "coupons", "inventory", "property", "purchases", "queue", "cache"} {
		if ready.Parts[part] != "ready" {
			t.Errorf("/readyz says %q of %s", ready.Parts[part], part)
		}
	}
}
