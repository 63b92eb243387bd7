package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/cache/cachetest"
	"emporium/internal/platform/testenv"
)

const shared = "--secret=a secret that all processes of the test have"

// times asks until it is refused for asking too often, and gives how often it was
// not. Each answer has the status that is expected, and says once where the
// address stands.
func times(t *testing.T, url string, status int, header ...string) int {
	t.Helper()
	for n := range 100 {
		got, h := call(t, http.MethodGet, url, "", header...)
		if said := len(h["Ratelimit"]); said != 1 {
			t.Fatalf("%s: %d, the limit is said %d times: %v", url, got, said, h)
		}
		switch got {
		case status:
		case http.StatusTooManyRequests:
			if h.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			return n
		default:
			t.Fatalf("%s: %d", url, got)
		}
	}
	t.Fatalf("%s is not limited", url)
	return 0
}

// call makes a request with headers, name after value, and gives status and head.
func call(t *testing.T, method, url, body string, header ...string) (int, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header
}

// A request is counted where it comes in, and nowhere else: at the gateway, or at
// a service that is asked directly.
func TestLimitsSplit(t *testing.T) {
	const limits = "--limit-address=5/1h"
	movies := programtest.Start(t, "--data="+t.TempDir(), shared, limits, "--limit-address-connections=4", "inventory")
	gateway := programtest.Start(t, "--data="+t.TempDir(), shared, limits, "--inventory-url="+movies.URL, "gateway")
	if n := times(t, gateway.URL+"/api/movies", 200); n != 5 {
		t.Errorf("the gateway answered %d times, of 5", n)
	}
	if n := times(t, gateway.URL+"/nothing", 404); n != 0 {
		t.Errorf("another path has a quota of its own: %d", n)
	}
	if n := times(t, movies.URL+"/api/movies", 200); n != 5 {
		t.Errorf("the service, asked directly, answered %d times, of 5", n)
	}
	if n := times(t, movies.URL+"/api/movies", 200, "Emporium-From", "self 1 forged"); n != 0 {
		t.Errorf("a forged word of the gateway is believed: %d", n)
	}
	for _, p := range []*programtest.Program{movies, gateway} {
		for range 10 {
			if status, _ := call(t, http.MethodGet, p.URL+"/healthz", ""); status != 200 {
				t.Fatalf("/healthz: %d", status)
			}
		}
	}
	// In open mode, where nobody set one, there is none.
	if status, h := call(t, http.MethodGet, programtest.Start(t, "--data="+t.TempDir()).URL+"/api/movies", ""); status != 200 || h.Get("RateLimit") != "" {
		t.Errorf("%d %v", status, h)
	}
}

// In protected mode there are limits though nobody set any: those of
// docs/howto/limits.md.
func TestLimitsOfProtectedMode(t *testing.T) {
	base := programtest.Start(t, "--data="+t.TempDir(), "--access=protected").URL
	const mail, password = "ada@example.org", "a purple bicycle"
	told := func(want, method, path, body, token string) {
		t.Helper()
		status, h := call(t, method, base+path, body, "Authorization", "Bearer "+token)
		if got := strings.Join(h["Ratelimit-Policy"], ", "); got != want {
			t.Errorf("%s %s: %d, policy %s, want %s", method, path, status, got, want)
		}
	}
	const address, account = `"address";q=600;w=60`, `"account";q=600;w=60`
	told(address, "GET", "/coupons", "", "")
	told(address+`, "sign-up";q=20;w=3600`, "POST", "/api/user", `{"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":"`+mail+`","password":"`+password+`"}`, "")
	signIn := `{"mail":"` + mail + `","password":"` + password + `"}`
	told(address+`, "sign-in";q=30;w=600, "sign-in-mail";q=10;w=600`, "POST", "/api/user/auth", signIn, "")
	token := field([]byte(visitor{base: base}.ask(t, 200, "POST", "/api/user/auth", signIn)), "access_token")
	told(address+", "+account, "GET", "/coupons", "", token)
	key := field([]byte(visitor{base: base, token: token}.ask(t, 201, "POST", "/api/user/1/keys", `{"name":"till","scopes":"*:read"}`)), "key")
	told(address+", "+account+`, "key";q=300;w=60`, "GET", "/coupons", "", key)
}

// Signing in is counted where it is answered, by the address that the gateway saw
// or that a trusted proxy names.
func TestSigningInIsLimitedBehindProxies(t *testing.T) {
	limits := []string{shared, "--access=open", "--limit-sign-in-mail=2/1h", "--limit-sign-in=100/1h"}
	accounts := programtest.Start(t, append(limits, "--data="+t.TempDir(), "accounts")...)
	front := func(more ...string) string {
		return programtest.Start(t, append(append(limits, "--data="+t.TempDir(), "--accounts-url="+accounts.URL), append(more, "gateway")...)...).URL
	}
	trusting, plain := front("--trusted-proxies=127.0.0.1"), front()
	try := func(url, mail, forwarded string) int {
		status, _ := call(t, http.MethodPost, url+"/api/user/auth", fmt.Sprintf(`{"mail":%q,"password":"wrong"}`, mail), "X-Forwarded-For", forwarded)
		return status
	}
	for i, c := range []struct {
		url, mail, forwarded string
		want                 int
	}{
		{trusting, "ada@example.com", "203.0.113.1", 401},
		{trusting, "ada@example.com", "203.0.113.1", 401},
		{trusting, "ADA@example.com", "203.0.113.1", 429},
		{trusting, "ada@example.com", "203.0.113.2", 401},
		{trusting, "ada@example.com", "198.51.100.7, 203.0.113.1", 429}, // only what the proxy itself added is believed
		{trusting, "bob@example.com", "203.0.113.1", 401},
		{plain, "ada@example.com", "203.0.113.3", 401},
		{plain, "ada@example.com", "203.0.113.4", 401},
		{plain, "ada@example.com", "203.0.113.5", 429}, // made up by the caller
		{accounts.URL, "ada@example.com", "203.0.113.6", 429},
	} {
		if got := try(c.url, c.mail, c.forwarded); got != c.want {
			t.Errorf("try %d: %d, want %d", i, got, c.want)
		}
	}
}

// Processes that share a Redis count together.
func TestLimitsInRedis(t *testing.T) {
	address, ok := testenv.Require(t, "redis")
	if !ok {
		return
	}
	args := []string{"--limit-address=6/1h", "--limit-url=" + address, "--cache-prefix=" + cachetest.Prefix(t, address)}
	one := programtest.Start(t, append(args, "--data="+t.TempDir(), "coupons")...)
	other := programtest.Start(t, append(args, "--data="+t.TempDir(), "coupons")...)
	for _, p := range []*programtest.Program{one, other, one} {
		if status, h := call(t, http.MethodGet, p.URL+"/coupons", ""); status != 200 {
			t.Fatalf("%d %v", status, h)
		}
	}
	if n := times(t, other.URL+"/coupons", 200); n != 3 {
		t.Errorf("after 3 of 6, another process answered %d times", n)
	}
	if _, answer, err := one.Get(t.Context(), "/readyz"); err != nil || !strings.Contains(answer, `"limits":"ready"`) {
		t.Errorf("%s %v", answer, err)
	}
}

// Browsers of listed sites may read what the gateway hands on, and are told so
// once, whoever answers.
func TestOriginsSplit(t *testing.T) {
	const site = "https://shop.example"
	movies := programtest.Start(t, "--data="+t.TempDir(), "--cors-origins="+site, "inventory")
	gateway := programtest.Start(t, "--data="+t.TempDir(), "--cors-origins="+site, "--inventory-url="+movies.URL, "gateway")
	for _, p := range []*programtest.Program{movies, gateway} {
		status, h := call(t, http.MethodGet, p.URL+"/api/movies", "", "Origin", site)
		if v := h["Access-Control-Allow-Origin"]; status != 200 || len(v) != 1 || v[0] != site || len(h["Access-Control-Expose-Headers"]) != 1 {
			t.Errorf("%d %v", status, h)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"} {
			if v := h[name]; len(v) != 1 || v[0] != want {
				t.Errorf("%s: %q", name, v)
			}
		}
		if _, h := call(t, http.MethodGet, p.URL+"/api/movies", "", "Origin", "https://evil.example"); h.Get("Access-Control-Allow-Origin") != "" || !strings.Contains(strings.Join(h["Vary"], ","), "Origin") {
			t.Errorf("another site: %v", h)
		}
		if status, h := call(t, http.MethodOptions, p.URL+"/api/movies", "", "Origin", site, "Access-Control-Request-Method", "DELETE"); status != 204 || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "DELETE") {
			t.Errorf("a preflight: %d %v", status, h)
		}
	}
}

// An API key has a quota of its own, within its account's, where the accounts run
// and where they do not. Asking whose it is uses up nothing.
func TestKeysAreLimited(t *testing.T) {
	limits := []string{shared, "--access=protected", "--limit-address=off", "--limit-account=20/1h", "--limit-key=12/1h"}
	start := func(more ...string) string {
		return programtest.Start(t, append(append(limits, "--data="+t.TempDir()), more...)...).URL
	}
	accounts := start("accounts")
	movies := start("--accounts-url="+accounts, "inventory")
	gateway := start("--accounts-url="+accounts, "--inventory-url="+movies, "gateway")
	ask := func(path, body, token string) (got struct {
		Token string `json:"access_token"`
		Key   string
	},
	) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, gateway+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || resp.StatusCode > 201 {
			t.Fatalf("%s: %s %v", path, resp.Status, err)
		}
		return got
	}
	ask("/api/user", `{"firstName":"Ada","lastName":"Byron","birthDate":"1990-12-10","mail":"ada@example.com","password":"a lamp and two chairs"}`, "")
	token := "Bearer " + ask("/api/user/auth", `{"mail":"ada@example.com","password":"a lamp and two chairs"}`, "").Token
	one := "Bearer " + ask("/api/user/1/keys", `{"name":"one","scopes":"*:read"}`, token).Key
	other := "Bearer " + ask("/api/user/1/keys", `{"name":"other","scopes":"*:read"}`, token).Key
	// until asks with a key until it is too often, and gives how often it was not.
	until := func(path, auth string) (n int) {
		t.Helper()
		for ; n < 30; n++ {
			status, h := call(t, http.MethodGet, gateway+path, "", "Authorization", auth)
			if status == http.StatusTooManyRequests {
				return n
			}
			if status != http.StatusOK || len(h["Ratelimit"]) == 0 {
				t.Fatalf("%s: %d %v", path, status, h)
			}
		}
		return n
	}
	for range 30 {
		if status, h := call(t, http.MethodGet, gateway+"/api/user/key", "", "Authorization", one); status != http.StatusOK {
			t.Fatalf("asking whose a key is: %d %v", status, h)
		}
	}
	for _, c := range []struct {
		path, who string
		auth      string
		want      int
	}{
		{"/api/movies", "a key where the accounts do not run", one, 12},
		{"/api/movies", "another key of the account", other, 8},
		{"/api/movies", "the account, whose quota its keys used up", token, 0},
		{"/api/user/1", "a key where the accounts run", one, 12}, // counted by another process, where two keys were made
		{"/api/user/1", "the account, which made two keys there", token, 6},
	} {
		if n := until(c.path, c.auth); n != c.want {
			t.Errorf("%s: %d calls, want %d", c.who, n, c.want)
		}
	}
}
