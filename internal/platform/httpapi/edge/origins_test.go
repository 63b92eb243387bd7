package edge_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"emporium/internal/platform/httpapi/edge"
)

func TestOriginsAreParsed(t *testing.T) {
	for text, want := range map[string]string{
		"https://shop.example":           "",
		"http://localhost:3000":          "",
		"https://shop.example/":          "is not an origin",
		"https://shop.example/x":         "is not an origin",
		"shop.example":                   "is not an origin",
		"null":                           "is not an origin",
		"file://x":                       "is not an origin",
		"https://ada@shop.example":       "is not an origin",
		"https://*.shop.example?x":       "is not an origin",
		"https://shop.example:443":       "leave out the port",
		"*":                              "",
		"* with credentials":             "need origins by name",
		"":                               "is not an origin",
		"https://a.example, credentials": "",
	} {
		origin, how, _ := strings.Cut(strings.ReplaceAll(text, " with", ","), ", ")
		_, err := edge.ParseOrigins([]string{origin}, how == "credentials")
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestOrigins(t *testing.T) {
	const shop, other = "https://shop.example", "https://evil.example"
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", "GET, OPTIONS")
		w.WriteHeader(map[string]int{"OPTIONS": 204}[r.Method] + map[string]int{"GET": 200}[r.Method])
	})
	for _, c := range []struct {
		name        string
		origins     string
		credentials bool
		method      string
		header      string // "Name: value|…"
		want        string // of the headers in question, in their order
	}{
		{"listed", shop, false, "GET", "Origin: " + shop, "allow=https://shop.example vary=Origin exposes"},
		{"listed, with credentials", shop, true, "GET", "Origin: " + shop, "allow=https://shop.example credentials=true vary=Origin exposes"},
		{"not listed", shop, false, "GET", "Origin: " + other, "vary=Origin"},
		{"a longer name", shop, false, "GET", "Origin: " + shop + ".evil.example", "vary=Origin"},
		{"another scheme", shop, false, "GET", "Origin: http://shop.example", "vary=Origin"},
		{"null", shop, false, "GET", "Origin: null", "vary=Origin"},
		{"no origin", shop, false, "GET", "", "vary=Origin"},
		{"any", "*", false, "GET", "Origin: " + other, "allow=* exposes"},
		{"preflight", shop, false, "OPTIONS", "Origin: " + shop + "|Access-Control-Request-Method: PUT", "allow=https://shop.example vary=Origin,Access-Control-Request-Method, Access-Control-Request-Headers methods"},
		{"preflight of another", shop, false, "OPTIONS", "Origin: " + other + "|Access-Control-Request-Method: PUT", "vary=Origin,Access-Control-Request-Method, Access-Control-Request-Headers"},
		{"plain OPTIONS", shop, false, "OPTIONS", "Origin: " + shop, "allow=https://shop.example vary=Origin exposes"},
		{"nobody", "", false, "GET", "Origin: " + shop, ""},
	} {
		var list []string
		if c.origins != "" {
			list = []string{c.origins}
		}
		o, err := edge.ParseOrigins(list, c.credentials)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(c.method, "/things", http.NoBody)
		for line := range strings.SplitSeq(c.header, "|") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				r.Header.Set(name, value)
			}
		}
		w := do(o.Handler(inner), r)
		var got []string
		h := w.Header()
		for _, n := range []struct{ word, name string }{{"allow=", "Access-Control-Allow-Origin"}, {"credentials=", "Access-Control-Allow-Credentials"}, {"vary=", "Vary"}} {
			if v := h.Values(n.name); len(v) > 0 {
				got = append(got, n.word+strings.Join(v, ","))
			}
		}
		if m := h.Get("Access-Control-Allow-Methods"); strings.Contains(m, "PUT") && strings.Contains(h.Get("Access-Control-Allow-Headers"), "Idempotency-Key") && h.Get("Access-Control-Max-Age") != "" {
			got = append(got, "methods")
		}
		if strings.Contains(h.Get("Access-Control-Expose-Headers"), "ETag") {
			got = append(got, "exposes")
		}
		if s := strings.Join(got, " "); s != c.want || w.Code >= 300 {
			t.Errorf("%s: %d, got %q, want %q", c.name, w.Code, s, c.want)
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
		if w.Header().Get("Strict-Transport-Security") != "" {
			t.Error("HSTS without TLS")
		}
	}
}
