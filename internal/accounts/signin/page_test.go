package signin_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"emporium/internal/accounts"
	"emporium/internal/accounts/signin"
	"emporium/internal/market"
)

var everybody = market.Page{}

// Signing up, out and in with a password takes no script and no header that old
// browsers lack. What is wrong stands beside its field, and what was typed stays.
func TestPassword(t *testing.T) {
	s := openShop(t)
	p := newPerson(t)
	at := p.shows(p.get(s.URL+"/sign-in"), 200, "Make an account")
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	} {
		if got := at.head.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	at = p.get(s.URL + "/sign-in/new")
	at = p.shows(p.fill(at, "/new", "firstName", "A<b>da", "lastName", "Byron", "birthDate", "1815-12-10", "mail", "nobody", "password", "open sesame"), 400,
		`id="birthDate-fault">BirthDate must not be before 1900-01-01.`, `id="mail-fault">Mail must be an address`, `value="A<b>da"`)
	if strings.Contains(at.body, "open sesame") || strings.Contains(at.body, "A<b>da") {
		t.Errorf("the page repeats the password, or markup:\n%s", at.body)
	}
	done := p.shows(p.fill(at, "/new", "birthDate", "1990-12-10", "mail", "ada@example.com", "password", "open sesame"), 200, "As ada@example.com")
	token := p.token(s, done)
	p.shows(p.get(s.URL+"/sign-in"), 200, "As ada@example.com")
	p.shows(p.get(s.URL+"/sign-in/new"), 200, "Make an account")
	p.shows(p.fill(done, "/out"), 200, "You are signed out")
	if _, err := s.accounts.Identify(t.Context(), token); err == nil {
		t.Error("the token outlives signing out")
	}
	p.shows(p.get(s.URL+"/sign-in/account"), 200, "New here?")
	at = p.get(s.URL + "/sign-in")
	for mail, password := range map[string]string{"ada@example.com": "wrong", "nobody@example.com": "open sesame"} {
		p.shows(p.fill(at, "/sign-in", "mail", mail, "password", password), 401, `id="password-fault">The mail or the password is wrong.`, `value="`+mail+`"`)
	}
	p.shows(p.fill(at, "/sign-in", "mail", "", "password", ""), 400, `id="mail-fault">Mail must not be empty.`, `id="password-fault">Password must not be empty.`)
	p.shows(p.fill(p.get(s.URL+"/sign-in/new"), "/new", "firstName", "A", "lastName", "B", "birthDate", "1990-12-10", "mail", "ADA@example.com", "password", "open sesame"), 409, `id="mail-fault">An account with the mail`)
	p.shows(p.fill(at, "/sign-in", "mail", "Ada@example.com", "password", "open sesame"), 200, "As ada@example.com")
}

// A form that another page made a browser send changes nothing.
func TestForgedForm(t *testing.T) {
	s := openShop(t)
	s.signUp(t, "ada@example.com", "open sesame")
	p := newPerson(t)
	action, fields := p.form(p.get(s.URL+"/sign-in"), "/sign-in")
	fields.Set("mail", "ada@example.com")
	fields.Set("password", "open sesame")
	other := newPerson(t)
	_, theirs := other.form(other.get(s.URL+"/sign-in"), "/sign-in")
	const refusal = "did not come from this page"
	for name, proof := range map[string]string{"no proof": "", "another browser's": theirs.Get("form"), "cut": fields.Get("form")[1:]} {
		forged := url.Values{}
		maps.Copy(forged, fields)
		forged.Set("form", proof)
		if got := p.post(action, forged); got.status != 403 || !strings.Contains(got.body, refusal) {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	p.shows(newPerson(t).post(action, fields), 403, refusal) // no cookie
	p.shows(p.post(action, fields, "Sec-Fetch-Site", "cross-site"), 403, refusal)
	p.shows(p.post(action, fields, "Sec-Fetch-Site", "same-site"), 403, refusal)
	p.shows(p.post(action, fields, "Origin", "https://evil.example"), 403, refusal)
	p.shows(p.post(action+"?form="+url.QueryEscape(fields.Get("form")), url.Values{"mail": {"ada@example.com"}}), 403, refusal)
	p.shows(p.post(action, url.Values{"form": {strings.Repeat("x", 70<<10)}}), 400, "not a form")
	p.shows(p.post(action, fields, "Sec-Fetch-Site", "same-origin", "Origin", s.URL), 200, "As ada@example.com")
}

// The API takes no cookie: what a browser sends by itself does nothing there.
func TestCookieIsNoToken(t *testing.T) {
	s := openShop(t)
	s.signUp(t, "ada@example.com", "open sesame")
	p := newPerson(t)
	p.shows(p.fill(p.get(s.URL+"/sign-in"), "/sign-in", "mail", "ada@example.com", "password", "open sesame"), 200, "As ada@example.com")
	if got := p.get(s.URL + "/api/user/1"); got.status != 401 {
		t.Errorf("%d", got.status)
	}
}

// An API key in the cookie is as good as nothing: it shows no account, links
// nothing, and signs nobody in.
func TestKeyIsNoCookie(t *testing.T) {
	s, c := openShop(t), openCrooked(t)
	s.use(t, signin.Options{Providers: []signin.Provider{corp(c.URL)}})
	a := s.signUp(t, "ada@example.com", "open sesame")
	key, err := s.accounts.MakeAPIKey(market.WithIdentity(t.Context(), market.Identity{User: a.ID}), accounts.NewAPIKey{User: a.ID, Name: "till", Scopes: "*:read *:write"})
	if err != nil {
		t.Fatal(err)
	}
	p := newPerson(t)
	at := p.get(s.URL + "/sign-in")
	_, fields := p.form(at, "/sign-in")
	p.client.Jar.SetCookies(at.url, []*http.Cookie{{Name: "emporium-token", Value: key.Key, Path: "/"}})
	p.stopAt = c.URL
	for call, got := range map[string]page{
		"the pages":   p.get(s.URL + "/sign-in"),
		"the account": p.get(s.URL + "/sign-in/account"),
		"linking":     p.post(s.URL+"/sign-in/link/corp", fields),
		"unlinking":   p.post(s.URL+"/sign-in/unlink/corp", fields),
		"going on":    p.post(s.URL+"/sign-in/continue", fields),
	} {
		if got.url.Path != "/sign-in" || strings.Contains(got.body, "ada@example.com") || strings.Contains(got.body, key.Key) {
			t.Errorf("%s leads to %s\n%s", call, got.url, got.body)
		}
	}
}

// Cookies are for this host alone and out of the reach of scripts; the pages are
// not shown where others could read along.
func TestCookies(t *testing.T) {
	s := openShop(t)
	s.signUp(t, "ada@example.com", "open sesame")
	ask := func(o signin.Options, host string, headers ...string) page {
		s.use(t, o)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/sign-in", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return newPerson(t).do(r)
	}
	proxied := func(r *http.Request) bool { return r.Header.Get("X-Forwarded-Proto") == "https" }
	const safe = "; Path=/; Max-Age=1800; HttpOnly; Secure; SameSite=Lax"
	for _, c := range []struct {
		name        string
		got         page
		starts, end string
	}{
		{"a loopback address", ask(signin.Options{}, "127.0.0.1:8080"), "emporium-browser=", "; Path=/; Max-Age=1800; HttpOnly; SameSite=Lax"},
		{"localhost", ask(signin.Options{}, "localhost"), "emporium-browser=", "; HttpOnly; SameSite=Lax"},
		{"behind a proxy", ask(signin.Options{Secure: proxied}, "shop.example", "X-Forwarded-Proto", "https"), "__Host-emporium-browser=", safe},
		{"with an address", ask(signin.Options{Public: "https://shop.example"}, "10.0.0.1"), "__Host-emporium-browser=", safe},
		{"plain http", ask(signin.Options{}, "shop.example"), "", ""},
		{"a header that nobody vouches for", ask(signin.Options{}, "shop.example", "X-Forwarded-Proto", "https"), "", ""},
		{"a host that looks like this machine", ask(signin.Options{}, "127.0.0.1.evil.example"), "", ""},
		{"a host that is none", ask(signin.Options{}, "localhost@evil.example"), "", ""},
	} {
		cookie := c.got.head.Get("Set-Cookie")
		if c.starts == "" {
			if c.got.status != 403 || cookie != "" || strings.Contains(c.got.body, "<form") {
				t.Errorf("%s: %d with %q", c.name, c.got.status, cookie)
			}
			continue
		}
		if c.got.status != 200 || !strings.HasPrefix(cookie, c.starts) || !strings.HasSuffix(cookie, c.end) {
			t.Errorf("%s: %d with %q", c.name, c.got.status, cookie)
		}
	}
}

// Nobody is sent anywhere after signing in but to a path of this server or to an
// address that the operator listed, to the letter.
func TestReturnTo(t *testing.T) {
	s := openShop(t)
	s.signUp(t, "ada@example.com", "open sesame")
	const app = "https://app.example/signed-in"
	s.use(t, signin.Options{ReturnTo: []string{app}})
	to := func(address string) string {
		p := newPerson(t)
		p.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		at := p.get(s.URL + "/sign-in?return_to=" + url.QueryEscape(address))
		if policy := at.head.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' https://app.example;") {
			t.Errorf("policy %q", policy)
		}
		hidden := p.fill(at, "/sign-in", "mail", "ada@example.com", "password", "open sesame").head.Get("Location")
		p = newPerson(t)
		p.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		forged := p.fill(p.get(s.URL+"/sign-in"), "/sign-in", "mail", "ada@example.com", "password", "open sesame", "return_to", address).head.Get("Location")
		if found := strings.Contains(forged, "#"); !found && forged != hidden {
			t.Errorf("%q: the page leads to %q, and a forged field to %q", address, hidden, forged)
		}
		return hidden
	}
	nowhere := s.URL + "/sign-in/account"
	for _, evil := range tricky {
		if got := to(evil); got != nowhere {
			t.Errorf("%q leads to %q", evil, got)
		}
	}
	for _, fine := range []string{"/", "/docs", "/coupons?status=valid&x=https://evil.example", "/a//b", "/%2F%2Fevil.example", "/@evil.example", "/docs#top"} {
		if got := to(fine); got != s.URL+fine {
			t.Errorf("%q leads to %q", fine, got)
		}
	}
	got := to(app)
	fragment, ok := strings.CutPrefix(got, app+"#")
	v, err := url.ParseQuery(fragment)
	if err != nil || !ok || v.Get("token_type") != "Bearer" {
		t.Fatalf("%q %v", got, err)
	}
	if _, err := s.accounts.Identify(t.Context(), v.Get("access_token")); err != nil {
		t.Error(err)
	}
}

// tricky are addresses that some reader of addresses takes for another server's.
var tricky = []string{
	"https://evil.example", "http://evil.example/", "//evil.example", "///evil.example", "////evil.example", `/\evil.example`, `\/evil.example`, `\\evil.example`,
	`/\/evil.example`, "/\t/evil.example", "/\n/evil.example", "/\r\n/evil.example", " //evil.example", "\t//evil.example", "/ /evil.example", "/%0d%0a\r\nSet-Cookie: a=b",
	"javascript:alert(1)", "data:text/html,x", "evil.example", "evil.example/docs", "?x=//evil.example", "#//evil.example", "./docs", "../docs", "@evil.example", ".evil.example", ":80",
	"https:evil.example", "https:/evil.example", "https:///evil.example", "https://app.example@evil.example/signed-in", "https://app.example.evil.example/signed-in",
	"https://app.example/signed-in/", "https://app.example/signed-in?x", "https://app.example/signed-in#", "https://app.example/other", "http://app.example/signed-in",
	"HTTPS://app.example/signed-in", "https://APP.example/signed-in", "https://app.example:443/signed-in", "https://app.example/x/../signed-in", "https://app.example/signed-in/../evil",
	`https://app.example\@evil.example/signed-in`, "https://evil.example/https://app.example/signed-in", " https://app.example/signed-in", "https://app.example/signed-in ",
	"/\u2215evil.example", "/\u3002evil.example", "//\u2100.example", "/\x00/evil.example", "/" + strings.Repeat("a", 3000), "//", `/\`, "", "/<script>",
}

// Every way to try a password or to make accounts is counted, and one that is too
// many is told so on a page.
func TestTriesAreCounted(t *testing.T) {
	s, c := openShop(t), openCrooked(t)
	c.claims = func(jwt.MapClaims) {}
	s.signUp(t, "ada@example.com", "open sesame")
	var counted []string
	full := false
	o := signin.Options{Providers: []signin.Provider{corp(c.URL)}, Attempted: func(w http.ResponseWriter, _ *http.Request, signUp bool, mail string) bool {
		counted = append(counted, fmt.Sprintf("%v %s", signUp, mail))
		if full {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.Write([]byte("{}"))
		}
		return !full
	}}
	s.use(t, o)
	p := newPerson(t)
	form, arrival := p.get(s.URL+"/sign-in"), p.get(s.URL+"/sign-in/with/corp")
	in := newPerson(t)
	_, unlink := in.form(in.fill(in.get(s.URL+"/sign-in"), "/sign-in", "mail", "ada@example.com", "password", "open sesame"), "/link/corp")
	unlink.Set("password", "open sesame")
	full = true
	for _, got := range []page{
		p.fill(form, "/sign-in", "mail", "ada@example.com", "password", "open sesame"),
		p.fill(p.get(s.URL+"/sign-in/new"), "/new"),
		p.fill(arrival, "/arrival", "password", "open sesame"),
		p.get(s.URL + "/sign-in/with/corp"),
		p.fill(form, "/sign-in", "mail", "ADA@Example.com", "password", "open sesame"),
		in.post(s.URL+"/sign-in/unlink/corp", unlink),
	} {
		p.shows(got, 429, "Too many tries")
		if got.head.Get("Retry-After") != "7" || got.head.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%v", got.head)
		}
	}
	if got := strings.Join(counted, ","); got != "false ,false ada@example.com,false ada@example.com,true ,false ada@example.com,false ,false ada@example.com,false " {
		t.Errorf("counted %s", got)
	}
}
