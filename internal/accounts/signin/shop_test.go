package signin_test

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"emporium/internal/accounts"
	"emporium/internal/accounts/signin"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/events"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/testenv"
)

const secret = "a secret of the test"

// shop is the accounts and their pages, on a real database and a real address.
type shop struct {
	*httptest.Server
	accounts *accounts.Service
	mu       sync.Mutex
	handler  http.Handler
	log      strings.Builder
	ahead    time.Duration // of the shop's clock
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	h := s.handler
	s.mu.Unlock()
	h.ServeHTTP(w, r)
}

func (s *shop) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(b)
}

func (s *shop) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

func (s *shop) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.ahead)
}

func (s *shop) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

// openShop starts a shop without providers.
func openShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{}
	db := dbtest.Open(t, "accounts", accounts.Migrations())
	outbox, err := events.NewOutbox(db, s.now)
	if err != nil {
		t.Fatal(err)
	}
	s.accounts, err = accounts.New(t.Context(), accounts.Options{DB: db, Outbox: outbox, Now: s.now, Secret: []byte("a secret of the deployment, in tests"), Argon: accounts.Argon{MemoryKiB: 8, Passes: 1, Lanes: 1}})
	if err != nil {
		t.Fatal(err)
	}
	s.use(t, signin.Options{})
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// use puts up pages with other options.
func (s *shop) use(t testing.TB, o signin.Options) {
	t.Helper()
	o.Accounts, o.Now = s.accounts, s.now
	o.Log = slog.New(slog.NewTextHandler(s, nil))
	pages, err := signin.New(o)
	if err != nil {
		t.Fatal(err)
	}
	api := httpapi.New(httpapi.Options{Mode: httpapi.Protected, Tokens: s.accounts, Title: "shop", Version: "1"})
	accounts.Routes(api.System(accounts.System()), s.accounts)
	pages.Mount(api.Handle)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = api
}

func (s *shop) signUp(t testing.TB, mail, password string) accounts.Account {
	t.Helper()
	a, err := s.accounts.SignUp(t.Context(), accounts.Newcomer{FirstName: "Zoé", LastName: "Martin", BirthDate: "1990-04-23", Mail: mail, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// startProvider runs a real provider of OpenID Connect that sends people back to
// this shop, and gives its issuer.
func (s *shop) startProvider(t testing.TB) (issuer string, stop func(), ok bool) {
	t.Helper()
	node, folder, ok := testenv.Module(t, "oidc-provider")
	if !ok {
		return "", nil, false
	}
	args := []string{"testdata/provider.mjs", filepath.Join(folder, "lib/index.js")}
	for _, name := range []string{"corp", "post", "plain", "mails"} {
		args = append(args, s.URL+"/sign-in/with/"+name+"/callback")
	}
	cmd := exec.CommandContext(t.Context(), node, args...)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			_ = in.Close()
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	t.Cleanup(stop)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "http://") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return lines.Text(), stop, true
		}
	}
	t.Fatalf("the provider did not start: %v", lines.Err())
	return "", nil, false
}

// corp is that provider as the operator sets it.
func corp(issuer string) signin.Provider {
	return signin.Provider{Name: "corp", Label: "Corp", Issuer: issuer, ClientID: "emporium", ClientSecret: secret, Scopes: []string{"openid", "email", "profile"}}
}

// person is a browser without scripts.
type person struct {
	t      testing.TB
	client *http.Client
	watch  func(*http.Request) // sees each redirect before it is followed, and may change it
	stopAt string              // a redirect that begins so is not followed
}

func newPerson(t testing.TB) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t}
	p.client = &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if p.stopAt != "" && strings.HasPrefix(r.URL.String(), p.stopAt) || len(via) > 15 {
			return http.ErrUseLastResponse
		}
		if p.watch != nil {
			p.watch(r)
		}
		return nil
	}}
	return p
}

// page is what a person sees.
type page struct {
	status int
	url    *url.URL
	head   http.Header
	body   string
}

func (p *person) do(r *http.Request) page {
	p.t.Helper()
	res, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return page{res.StatusCode, res.Request.URL, res.Header, string(body)}
}

func (p *person) get(address string) page {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.do(r)
}

func (p *person) post(address string, form url.Values, headers ...string) page {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return p.do(r)
}

var (
	formTag  = regexp.MustCompile(`(?s)<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>`)
	inputTag = regexp.MustCompile(`<input[^>]*>`)
	nameAttr = regexp.MustCompile(`name="([^"]*)"`)
	valAttr  = regexp.MustCompile(`value="([^"]*)"`)
	anyTag   = regexp.MustCompile(`<[^>]*>`)
	tokenTag = regexp.MustCompile(`(?s)<textarea id="token"[^>]*>([^<]+)</textarea>`)
)

// form reads the form of a page whose action ends so, with its hidden fields.
func (p *person) form(of page, ends string) (action string, fields url.Values) {
	p.t.Helper()
	for _, m := range formTag.FindAllStringSubmatch(of.body, -1) {
		if !strings.HasSuffix(html.UnescapeString(m[1]), ends) {
			continue
		}
		target, err := of.url.Parse(html.UnescapeString(m[1]))
		if err != nil {
			p.t.Fatal(err)
		}
		fields = url.Values{}
		for _, input := range inputTag.FindAllString(m[2], -1) {
			name, value := nameAttr.FindStringSubmatch(input), valAttr.FindStringSubmatch(input)
			if name != nil && value != nil {
				fields.Set(name[1], html.UnescapeString(value[1]))
			}
		}
		return target.String(), fields
	}
	p.t.Fatalf("%s has no form for %q: %d\n%s", of.url, ends, of.status, of.body)
	return "", nil
}

// fill sends the form of a page with these fields ("name", "value", …).
func (p *person) fill(of page, ends string, pairs ...string) page {
	p.t.Helper()
	action, fields := p.form(of, ends)
	for i := 0; i < len(pairs); i += 2 {
		fields.Set(pairs[i], pairs[i+1])
	}
	return p.post(action, fields)
}

// consent signs in at the provider, and agrees.
func (p *person) consent(at page, login string) page {
	p.t.Helper()
	for range 4 {
		switch {
		case strings.Contains(at.body, `name="login"`):
			at = p.fill(at, "", "login", login, "password", "any")
		case strings.Contains(at.body, `value="consent"`):
			at = p.fill(at, "")
		default:
			return at
		}
	}
	p.t.Fatalf("the provider asks on: %s\n%s", at.url, at.body)
	return at
}

// shows fails where a page is another, or lacks what it should say.
func (p *person) shows(got page, status int, texts ...string) page {
	p.t.Helper()
	body := html.UnescapeString(got.body + anyTag.ReplaceAllString(got.body, ""))
	for _, text := range texts {
		if !strings.Contains(body, text) {
			p.t.Errorf("%s does not say %q:\n%s", got.url, text, got.body)
		}
	}
	if got.status != status {
		p.t.Errorf("%s: %d, want %d\n%s", got.url, got.status, status, got.body)
	}
	return got
}

// token reads the token that a page shows, and makes a call with it.
func (p *person) token(s *shop, of page) string {
	p.t.Helper()
	m := tokenTag.FindStringSubmatch(of.body)
	if m == nil {
		p.t.Fatalf("%s shows no token: %d\n%s", of.url, of.status, of.body)
	}
	token := strings.TrimSpace(m[1])
	id, err := s.accounts.Identify(p.t.Context(), token)
	if err != nil {
		p.t.Fatal(err)
	}
	address := fmt.Sprintf("%s/api/user/%d", s.URL, id.User)
	for header, want := range map[string]int{"Bearer " + token: 200, "": 401} {
		r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			p.t.Fatal(err)
		}
		r.Header.Set("Authorization", header)
		if got := p.do(r); got.status != want {
			p.t.Errorf("a call with %q: %d, want %d: %s", header, got.status, want, got.body)
		}
	}
	return token
}
