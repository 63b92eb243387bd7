package app_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"emporium/internal/app"
)

// attempts are values that mean something to somebody: to SQL, to who reads
// headers, to a file system, to a browser that follows a link.
var attempts = []string{
	`' OR '1'='1`, `'; DROP TABLE movies; --`, `1; DELETE FROM movies`, `1) OR (1=1`, `" OR ""="`, `1 UNION SELECT password_hash FROM accounts --`,
	`x'/**/OR/**/1=1#`, `\'; SELECT pg_sleep(9); --`, `$1`, `?1`, `%' OR name LIKE '%`, `';ATTACH DATABASE 'pwned.db' AS pwned;--`,
	"x\r\nSet-Cookie: pwned=1", "x\nX-Pwned: 1", "x\rX-Pwned: 1", "x%0d%0aX-Pwned: 1", "\u560d\u560aX-Pwned: 1", "x\r\n\r\n<html>pwned",
	`../../../../etc/passwd`, `..\..\secret.key`, `/etc/passwd`, `....//....//etc/passwd`, `file:///etc/passwd`, `.`, `..`,
	`//evil.example/`, `https://evil.example/`, `/\evil.example`, `javascript:alert(1)`, `<script>alert(1)</script>`, `"><img src=x>`, `{{7*7}}`, `${7*7}`,
}

// rawSegments are paths that are written in ways that a client's library would not.
var rawSegments = []string{
	"..%2f..%2fetc%2fpasswd", "%2e%2e", "%2e%2e%2f%2e%2e%2f", "..%5c..%5c", "%2fetc%2fpasswd", "%252e%252e%252f", ".%2e", "..;", "%c0%ae%c0%ae", "1%2f..%2f2",
	"1%0d%0aX-Pwned:%201", "1%0aX-Pwned:%201", "1%3b%20DROP%20TABLE%20movies", "1%27", "1%23", "1%3fx=1", "%2f%2fevil.example",
}

// harmful says what an answer does that none may do.
func harmful(w *httptest.ResponseRecorder) string {
	if w.Code >= http.StatusInternalServerError {
		return "a fault of ours"
	}
	for name, values := range w.Header() {
		for _, value := range append(values, name) {
			if strings.ContainsAny(value, "\r\n\x00") || strings.Contains(strings.ToLower(name), "pwned") || name == "Set-Cookie" {
				return "the header " + name + ": " + value
			}
		}
	}
	for _, name := range []string{"Location", "Content-Location", "Link"} {
		for _, value := range w.Header()[name] {
			address, _, _ := strings.Cut(strings.TrimPrefix(value, "<"), ">")
			u, err := url.Parse(address)
			if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(address, "/") || strings.HasPrefix(address, "//") || strings.Contains(address, `\`) {
				return name + " leads to " + value
			}
		}
	}
	for _, told := range []string{"SQLITE", "SQLSTATE", "syntax error", "goroutine ", "root:x:0", "argon2id", ".go:"} {
		if strings.Contains(w.Body.String(), told) {
			return "the answer tells " + told
		}
	}
	return ""
}

// TestInjection tries every attempt in every parameter of every operation.
func TestInjection(t *testing.T) {
	h, token := openShop(t)
	before := snapshot(t, h, token)
	shown := map[string]int{} // by path
	for _, op := range operations(t) {
		if op.method == http.MethodGet {
			shown[op.existing()] = send(h, op.method, op.existing(), nil, token, "").Code
		}
	}
	sent := 0
	try := func(op operation, path, body string) *httptest.ResponseRecorder {
		t.Helper()
		sent++
		media := ""
		if body != "" {
			media = "application/json"
		}
		w := send(h, op.method, path, strings.NewReader(body), token, media)
		if harm := harmful(w); harm != "" {
			t.Errorf("%s %s %.200s: %d, %s\n%.300s", op.method, path, body, w.Code, harm, w.Body)
		}
		return w
	}
	for _, op := range operations(t) {
		body := ""
		if op.RequestBody != nil {
			body = `{}`
		}
		for _, p := range op.Parameters {
			for _, value := range attempts {
				switch p.In {
				case "path":
					if w := try(op, strings.Replace(op.path, "{"+p.Name+"}", url.PathEscape(value), 1), body); w.Code < 300 && p.Name != "username" {
						t.Errorf("%s %s with the id %q: %d", op.method, op.path, value, w.Code)
					}
				case "query":
					try(op, op.existing()+"?"+p.Name+"="+url.QueryEscape(value), body)
					try(op, op.existing()+"?limit=1&"+p.Name+"="+url.QueryEscape(value), body)
					if op.method != http.MethodGet && body == "" {
						continue // an unknown one is passed over, and the call would be made
					}
					try(op, op.existing()+"?limit=1&"+url.QueryEscape(value)+"=1", body)
				}
			}
			for _, segment := range rawSegments {
				if p.In == "path" {
					try(op, strings.Replace(op.path, "{"+p.Name+"}", segment, 1), body)
				}
			}
		}
	}
	for _, start := range []string{"//evil.example", "/%2fevil.example", `/\evil.example`, "/.//evil.example", "/docs//evil.example", "/docs/..//evil.example/..", "/https://evil.example"} {
		for _, end := range []string{"", "/", "/..", "/%2e%2e"} {
			try(operation{method: http.MethodGet}, start+end, "")
			try(operation{method: http.MethodPost}, start+end, "{}")
		}
	}
	if after := snapshot(t, h, token); after != before {
		t.Errorf("an attempt in a path or a query has changed something:\n%s", firstDifference(before, after))
	}

	// In a body a text is a text: it is stored as it is, or refused.
	stored := 0
	for _, op := range operations(t) {
		if op.RequestBody == nil || op.ID == "sign-out" { // the test's own token would end
			continue
		}
		example := op.RequestBody.Content["application/json"].Example
		for _, spot := range spots(example, nil) {
			if _, object := at(example, spot).(map[string]any); object {
				continue
			}
			for _, value := range attempts {
				w := try(op, op.existing(), string(replace(t, example, spot, value)))
				var answer any
				if w.Code >= 300 || json.Unmarshal(w.Body.Bytes(), &answer) != nil {
					continue
				}
				stored++
				if text, there := valueOf(answer, spot[len(spot)-1]); there && text != value {
					t.Errorf("%s: %s %q was stored as %q", op.ID, strings.Join(spot, "."), value, text)
				}
			}
		}
	}
	if stored < 100 {
		t.Errorf("only %d texts were stored: this looks at nothing", stored)
	}
	for _, op := range operations(t) { // every table is there, and holds the first of its kind
		if op.method == http.MethodGet && op.path != "/api/billing/orders/{id}" {
			if w := try(op, op.existing(), ""); w.Code != shown[op.existing()] {
				t.Errorf("%s: %d %.200s, and was %d", op.existing(), w.Code, w.Body, shown[op.existing()])
			}
		}
	}
	t.Logf("%d attempts, %d of them stored as texts", sent, stored)
}

// valueOf finds a member of an answer by its name.
func valueOf(answer any, name string) (string, bool) {
	object, _ := answer.(map[string]any)
	if text, ok := object[name].(string); ok {
		return text, true
	}
	for _, member := range object {
		if text, ok := valueOf(member, name); ok {
			return text, ok
		}
	}
	return "", false
}

// TestHostIsNotBelieved asks everything under another host's name: nothing that
// is answered leads there.
func TestHostIsNotBelieved(t *testing.T) {
	h, token := openShop(t, func(c *app.Config) { c.Access = "open" })
	var paths []string
	for _, op := range operations(t) {
		if op.method == http.MethodGet {
			paths = append(paths, op.existing(), op.existing()+"?limit=1", op.existing()+"/")
		}
	}
	paths = append(paths, "/", "/docs", "/openapi.json", "/openapi.yaml", "/swagger.json", "/healthz", "/readyz", "/nothing", "//nothing", "/docs/../docs")
	ask := func(method, path, body string) {
		r := httptest.NewRequest(method, "http://localhost/", strings.NewReader(body))
		u, err := url.ParseRequestURI(path)
		if err != nil {
			t.Fatal(err)
		}
		r.URL, r.RequestURI, r.Host = u, path, "evil.example"
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host", "X-Host", "Origin", "Referer"} {
			r.Header.Set(name, "https://evil.example")
		}
		r.Header.Set("Forwarded", "for=1.2.3.4;host=evil.example;proto=https")
		r.Header.Set("X-Forwarded-Prefix", "//evil.example")
		r.Header.Set("X-Original-Url", "//evil.example")
		r.Header.Set("X-Rewrite-Url", "//evil.example")
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if harm := harmful(w); harm != "" || strings.Contains(w.Body.String(), "evil.example") {
			t.Errorf("%s %s: %d, %s\n%.300s", method, path, w.Code, harm, w.Body)
		}
		for name, values := range w.Header() {
			if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "evil.example") }) {
				t.Errorf("%s %s: %s: %v", method, path, name, values)
			}
		}
	}
	for _, path := range paths {
		ask(http.MethodGet, path, "")
	}
	ask(http.MethodPost, "/coupons", `{"title":"x"}`)
	ask(http.MethodPost, "/api/property", `{"name":"x","description":"d","city":"c","typeId":1}`)
	ask(http.MethodPost, "/api/users", `{"username":"x","email":"x@example.org"}`)
}
