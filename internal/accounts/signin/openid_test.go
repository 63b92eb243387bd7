package signin_test

import (
	"html"
	"net/http"
	"strings"
	"testing"

	"emporium/internal/accounts/signin"
)

// openCorp is a shop whose people may sign in by a real provider.
func openCorp(t *testing.T) (s *shop, stop func(), ok bool) {
	t.Helper()
	s = openShop(t)
	issuer, stop, ok := s.startProvider(t)
	if !ok {
		return nil, nil, false
	}
	s.use(t, signin.Options{Providers: []signin.Provider{corp(issuer)}})
	return s, stop, true
}

func (s *shop) personas(t testing.TB) (n int) {
	t.Helper()
	rows := 0
	for a, err := range s.accounts.Accounts(t.Context(), everybody) {
		if err != nil {
			t.Fatal(err)
		}
		_ = a
		rows++
	}
	return rows
}

// Somebody new signs in, says what is missing, and is known from then on; another
// browser included.
func TestOpenIDConnect(t *testing.T) {
	s, _, ok := openCorp(t)
	if !ok {
		return
	}
	p := newPerson(t)
	p.shows(p.get(s.URL+"/sign-in"), 200, "Continue with Corp")
	back := p.consent(p.get(s.URL+"/sign-in/with/corp?return_to=/sign-in/account%3Fx"), "ada@example.com")
	p.shows(back, 200, "One more step", "readonly", "ada@example.com", `value="Ada"`, `value="Byron"`)
	p.shows(p.fill(back, "/arrival"), 400, "BirthDate must be a day")
	done := p.shows(p.fill(back, "/arrival", "birthDate", "1990-01-02", "mail", "admin@example.com"), 200, "As ada@example.com")
	if done.url.RequestURI() != "/sign-in/account?x" {
		t.Errorf("returned to %s", done.url)
	}
	first := p.token(s, done)

	again := newPerson(t)
	second := again.token(s, again.consent(again.get(s.URL+"/sign-in/with/corp"), "ada@example.com"))
	one, err := s.accounts.Identify(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if two, err := s.accounts.Identify(t.Context(), second); err != nil || one.User != two.User || s.personas(t) != 1 {
		t.Errorf("signed in as %d and %d of %d; %v", one.User, two.User, s.personas(t), err)
	}
	for _, never := range []string{first, "ada@example.com", secret, "code="} {
		if strings.Contains(s.logged(), never) {
			t.Errorf("the log holds %q", never)
		}
	}
}

// A state is good once, in the browser where it was made, and only as it was made.
func TestState(t *testing.T) {
	s, _, ok := openCorp(t)
	if !ok {
		return
	}
	const refusal = "begun in another browser"
	p := newPerson(t)
	p.stopAt = s.URL + "/sign-in/with/corp/callback"
	stopped := p.consent(p.get(s.URL+"/sign-in/with/corp"), "ada@example.com")
	callback := stopped.head.Get("Location")
	if !strings.HasPrefix(callback, p.stopAt+"?code=") {
		t.Fatalf("%d %q", stopped.status, callback)
	}
	p.stopAt = ""
	p.shows(p.get(strings.Replace(callback, "state=", "state=x", 1)), 400, refusal)
	p.shows(p.get(p.stopAt+s.URL+"/sign-in/with/corp/callback?code=x"), 400, refusal)
	newPerson(t).shows(newPerson(t).get(callback), 400, refusal)
	p.shows(p.get(callback), 200, "One more step")
	p.shows(p.get(callback), 400, refusal) // replayed

	p.stopAt = s.URL + "/sign-in/with/corp/callback"
	late := p.get(s.URL + "/sign-in/with/corp").head.Get("Location")
	p.stopAt = ""
	s.advance(11 * 60e9)
	p.shows(p.get(late), 400, refusal)
}

// A code that was got for another nonce or another verifier signs nobody in: it
// belongs to somebody else's sign-in.
func TestNonceAndVerifier(t *testing.T) {
	s, _, ok := openCorp(t)
	if !ok {
		return
	}
	for _, name := range []string{"nonce", "code_challenge"} {
		p := newPerson(t)
		p.watch = func(r *http.Request) {
			q := r.URL.Query()
			if r.URL.Path != "/auth" || q.Get(name) == "" {
				return
			}
			if q.Get("code_challenge_method") != "S256" || len(q.Get("state")) < 43 || len(q.Get("nonce")) < 43 {
				t.Errorf("asked with %v", q)
			}
			q.Set(name, strings.Repeat("x", 43))
			r.URL.RawQuery = q.Encode()
		}
		p.shows(p.consent(p.get(s.URL+"/sign-in/with/corp"), "ada@example.com"), 502, "Corp could not sign you in")
	}
	if log := s.logged(); !strings.Contains(log, "(nonce)") || !strings.Contains(log, "invalid_grant") || s.personas(t) != 0 {
		t.Errorf("%s", log)
	}
}

// A mail that an account has links to it when it was verified, and by the
// account's password alone; when it was not verified, never.
func TestMailOfAnAccount(t *testing.T) {
	s, _, ok := openCorp(t)
	if !ok {
		return
	}
	ada := s.signUp(t, "ada@example.com", "open sesame")
	s.signUp(t, "unverified@example.com", "open sesame")

	p := newPerson(t)
	back := p.shows(p.consent(p.get(s.URL+"/sign-in/with/corp"), "unverified@example.com"), 200, "One more step")
	if strings.Contains(back.body, "There is an account") || strings.Contains(back.body, "readonly") {
		t.Errorf("an unverified mail counts:\n%s", back.body)
	}
	p.shows(p.fill(back, "/arrival", "birthDate", "1990-01-02"), 409, "An account with the mail 'unverified@example.com' exists")

	p = newPerson(t)
	back = p.shows(p.consent(p.get(s.URL+"/sign-in/with/corp"), "ada@example.com"), 200, "Is this account yours?")
	p.shows(p.fill(back, "/arrival", "password", "wrong"), 401, "The mail or the password is wrong.")
	done := p.shows(p.fill(back, "/arrival", "password", "open sesame"), 200, "As ada@example.com", "Corp signs you in")
	if id, err := s.accounts.Identify(t.Context(), p.token(s, done)); err != nil || id.User != ada.ID {
		t.Errorf("%v %v", id, err)
	}
	p = newPerson(t)
	p.shows(p.consent(p.get(s.URL+"/sign-in/with/corp"), "ada@example.com"), 200, "As ada@example.com")
}

// Who is signed in links a provider, whatever mail it says; and takes it away.
func TestLinkWhileSignedIn(t *testing.T) {
	s, _, ok := openCorp(t)
	if !ok {
		return
	}
	s.signUp(t, "zoe@example.com", "open sesame")
	s.signUp(t, "eve@example.com", "open sesame")
	in := func(mail string) (*person, page) {
		p := newPerson(t)
		return p, p.shows(p.fill(p.get(s.URL+"/sign-in"), "/sign-in", "mail", mail, "password", "open sesame"), 200, "As "+mail)
	}
	link := func(p *person, at page) page {
		away := p.shows(p.fill(at, "/link/corp"), 200, "Go on to Corp", `http-equiv="refresh"`)
		return p.consent(p.get(between(away.body, `content="0;url=`, `"`)), "unverified@elsewhere.example")
	}
	zoe, at := in("zoe@example.com")
	at = zoe.shows(link(zoe, at), 200, "Corp signs you in")
	p := newPerson(t)
	p.shows(p.consent(p.get(s.URL+"/sign-in/with/corp"), "unverified@elsewhere.example"), 200, "As zoe@example.com")

	eve, eves := in("eve@example.com")
	eve.shows(link(eve, eves), 409, "belongs to another account")

	// No other page makes somebody link: without the form's proof nothing begins.
	eve.shows(eve.post(s.URL+"/sign-in/link/corp", nil), 403, "Please try again")
	// Who began it as somebody else does not link.
	away := eve.fill(eve.get(s.URL+"/sign-in/account"), "/link/corp")
	eve.stopAt = s.URL + "/sign-in/with/corp/callback"
	back := eve.consent(eve.get(between(away.body, `content="0;url=`, `"`)), "third@example.com").head.Get("Location")
	eve.stopAt = ""
	for _, c := range eve.client.Jar.Cookies(away.url) {
		if c.Name == "emporium-token" {
			c.Value, c.Path = "", "/"
			eve.client.Jar.SetCookies(away.url, []*http.Cookie{c})
		}
	}
	eve.shows(eve.get(back), 403, "no longer signed in")

	zoe.shows(zoe.fill(at, "/unlink/corp", "password", "wrong"), 403, "still signs you in")
	zoe.shows(zoe.fill(at, "/unlink/corp", "password", "open sesame"), 200, "Also sign in with Corp")
	p = newPerson(t)
	p.shows(p.consent(p.get(s.URL+"/sign-in/with/corp"), "unverified@elsewhere.example"), 200, "One more step")
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return html.UnescapeString(s)
}

// Who does not agree is not signed in; a provider that is down, or that knows
// another address of ours, is told of plainly.
func TestProviderSaysNo(t *testing.T) {
	s, stop, ok := openCorp(t)
	if !ok {
		return
	}
	p := newPerson(t)
	login := p.get(s.URL + "/sign-in/with/corp")
	p.shows(p.get(login.url.Scheme+"://"+login.url.Host+between(login.body, `href="`+login.url.Scheme+"://"+login.url.Host, `"`)), 403, "you did not agree")

	issuer := login.url.Scheme + "://" + login.url.Host
	other := corp(issuer)
	other.ClientID = "unregistered"
	s.use(t, signin.Options{Providers: []signin.Provider{other}})
	if at := p.get(s.URL + "/sign-in/with/corp"); at.url.Host == strings.TrimPrefix(s.URL, "http://") || at.status != 400 || !strings.Contains(at.body, "redirect_uri") {
		t.Errorf("a redirect address that the provider does not know: %d %s", at.status, at.url)
	}

	wrong := corp(issuer)
	wrong.ClientSecret = "another"
	s.use(t, signin.Options{Providers: []signin.Provider{wrong}})
	p.shows(p.consent(p.get(s.URL+"/sign-in/with/corp"), "ada@example.com"), 502, "Corp could not sign you in")

	s.use(t, signin.Options{Providers: []signin.Provider{corp(issuer)}})
	p = newPerson(t)
	p.stopAt = s.URL + "/sign-in/with/corp/callback"
	back := p.consent(p.get(s.URL+"/sign-in/with/corp"), "ada@example.com").head.Get("Location")
	p.stopAt = ""
	stop()
	down := p.shows(p.get(back), 503, "Corp does not answer", "sign in with your password")
	if down.head.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.use(t, signin.Options{Providers: []signin.Provider{corp(issuer)}})
	p.shows(p.get(s.URL+"/sign-in/with/corp"), 503, "Corp does not answer")
	p.shows(p.get(s.URL+"/sign-in/with/nobody"), 404, "No such provider")
	if s.personas(t) != 0 {
		t.Error("somebody was signed in")
	}
}

// A client that sends its secret in the body, and plain OAuth 2.0: who somebody
// is, is read from the profile, and their mail there or in a list of mails.
func TestOtherProviders(t *testing.T) {
	s := openShop(t)
	issuer, _, ok := s.startProvider(t)
	if !ok {
		return
	}
	post := corp(issuer)
	post.Name, post.ClientID, post.TokenAuth = "post", "emporium-post", "post"
	plain := signin.Provider{
		Name: "plain", Label: "Plain", ClientID: "emporium", ClientSecret: secret, Scopes: []string{"api:who"},
		AuthoriseURL: issuer + "/auth", TokenURL: issuer + "/token", ProfileURL: issuer + "/api/me",
		Fields: signin.Fields{ID: "user.id", Name: "name", Mail: "mail", Verified: "confirmed_at"},
	}
	mails := plain
	mails.Name, mails.Label, mails.MailsURL = "mails", "Mails", issuer+"/api/me/mails"
	mails.Fields = signin.Fields{ID: "user.id", Name: "name"}
	s.use(t, signin.Options{Providers: []signin.Provider{post, plain, mails}})
	for i, c := range []struct{ provider, login, says string }{
		{"post", "a@example.com", "readonly"},
		{"plain", "b@example.com", "readonly"},
		{"mails", "c@example.com", "readonly"},
		{"plain", "unverified-d@example.com", ""},
		{"mails", "unverified-e@example.com", ""},
	} {
		p := newPerson(t)
		back := p.shows(p.consent(p.get(s.URL+"/sign-in/with/"+c.provider), c.login), 200, "One more step", c.login, `value="Ada"`, `value="Byron"`)
		if strings.Contains(back.body, "readonly") != (c.says != "") {
			t.Errorf("%s of %s: verified?\n%s", c.login, c.provider, back.body)
		}
		if c.provider == "mails" {
			continue // whom the profile's address knows already as plain's
		}
		p.token(s, p.shows(p.fill(back, "/arrival", "birthDate", "1990-01-02"), 200, "As "+c.login))
		if s.personas(t) > i+1 {
			t.Errorf("%d accounts", s.personas(t))
		}
	}
	p := newPerson(t)
	p.shows(p.consent(p.get(s.URL+"/sign-in/with/mails"), "b@example.com"), 200, "As b@example.com")
}
