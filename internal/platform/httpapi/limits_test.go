package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/limit"
)

// keyed are tokens that are accounts' numbers, with a key's number behind a dot.
type keyed struct{}

func (keyed) Identify(_ context.Context, token string) (market.Identity, error) {
	user, key, _ := strings.Cut(token, ".")
	u, err := strconv.ParseInt(user, 10, 64)
	if err != nil {
		return market.Identity{}, market.Refuse(market.Unauthenticated, "bad_token", "the token does not hold")
	}
	k, _ := strconv.ParseInt(key, 10, 64)
	return market.Identity{User: market.UserID(u), Key: k}, nil
}

type tryInput struct{ Body tryBody }

type tryBody struct {
	Mail string `json:"mail"`
}

func (in *tryInput) Subject() string { return strings.ToLower(in.Body.Mail) }

func rule(t testing.TB, name string, quota int64) limit.Rule {
	t.Helper()
	r, err := limit.NewRule(name, quota, time.Duration(quota)*100*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// limited is an API with small limits. Requests come from the address that they
// say in X-Address.
func limited(t *testing.T) http.Handler {
	api := httpapi.New(httpapi.Options{Tokens: keyed{}, Limits: &httpapi.Limits{
		Counts:  limit.NewMemory(limit.MemoryOptions{Now: time.Now}),
		From:    func(r *http.Request) netip.Addr { return netip.MustParseAddr(r.Header.Get("X-Address")) },
		Account: rule(t, "account", 4), Key: rule(t, "key", 2),
		SignIn: rule(t, "sign-in", 5), SignInMail: rule(t, "sign-in-mail", 2), SignUp: rule(t, "sign-up", 2),
	}})
	g := api.System(httpapi.System{Name: "things", Tag: "Things", Description: "Things.", ErrorAlias: "message"})
	nothing := func(context.Context, *struct{}) (*httpapi.Nothing, error) { return &httpapi.Nothing{}, nil }
	try := func(context.Context, *tryInput) (*httpapi.Nothing, error) { return &httpapi.Nothing{}, nil }
	op := func(id, method, path string, attempt httpapi.Attempt) httpapi.Operation {
		return httpapi.Operation{ID: id, Method: method, Path: path, Summary: "Do", Description: "Do.", Access: httpapi.ReadCatalogue, Attempt: attempt}
	}
	httpapi.Register(g, op("read", "GET", "/things", 0), nothing)
	httpapi.RegisterList(g, op("list", "GET", "/list", 0), func(context.Context, *struct{}) (*httpapi.List[int64], error) {
		return &httpapi.List[int64]{ID: func(n int64) int64 { return n }, Items: count(market.Page{}, 1, -1)}, nil
	})
	httpapi.Register(g, op("sign-in", "POST", "/auth", httpapi.SigningIn), try)
	httpapi.Register(g, op("sign-up", "POST", "/join", httpapi.SigningUp), try)
	httpapi.Register(g, op("renew", "POST", "/renew", httpapi.Renewing), func(_ context.Context, in *tryInput) (*httpapi.Nothing, error) {
		switch in.Body.Mail {
		case "good":
			return &httpapi.Nothing{}, nil
		case "odd":
			return nil, market.Refuse(market.Invalid, "odd", "this cannot be read")
		}
		return nil, market.Refuse(market.Unauthenticated, "bad", "this does not hold")
	})
	return api
}

// ask makes a call from an address and gives the status.
func ask(h http.Handler, call, address, token, body string) *httptest.ResponseRecorder {
	method, path, _ := strings.Cut(call, " ")
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-Address", address)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// until asks until it is refused, and gives how often it was not.
func until(t *testing.T, h http.Handler, call, address, token, body string) int {
	t.Helper()
	for n := range 100 {
		switch w := ask(h, call, address, token, body); w.Code {
		case 429:
			return n
		case 200, 204:
		default:
			t.Fatalf("%s: %d %s", call, w.Code, w.Body)
		}
	}
	t.Fatalf("%s is not limited", call)
	return 0
}

func TestAccountsAndKeysAreLimited(t *testing.T) {
	h := limited(t)
	const here, there = "192.0.2.1", "192.0.2.2"
	if n := until(t, h, "GET /things", here, "7", ""); n != 4 {
		t.Errorf("an account asked %d times, of 4", n)
	}
	if w := ask(h, "GET /list", there, "7", ""); w.Code != 429 {
		t.Errorf("from another address, another operation: %d", w.Code)
	}
	if n := until(t, h, "GET /list", here, "8", ""); n != 4 {
		t.Errorf("another account from the same address asked %d times, of 4", n)
	}
	if n := until(t, h, "GET /things", here, "9.1", ""); n != 2 {
		t.Errorf("a key asked %d times, of 2", n)
	}
	if n := until(t, h, "GET /things", here, "9.2", ""); n != 2 {
		t.Errorf("another key of the account asked %d times, of 2", n)
	}
	if w := ask(h, "GET /things", here, "9.3", ""); w.Code != 429 {
		t.Errorf("its third key asks beyond the account's quota: %d", w.Code)
	}
	for range 20 {
		if w := ask(h, "GET /things", here, "", ""); w.Code != 204 || w.Header().Get("RateLimit") != "" {
			t.Fatalf("without a token: %d %v", w.Code, w.Header())
		}
	}
}

// What is answered is a problem, with Retry-After, and every answer says where
// one stands.
func TestLimitIsTold(t *testing.T) {
	h := limited(t)
	w := ask(h, "GET /things", "192.0.2.1", "7.3", "")
	if p, s := strings.Join(w.Header()["Ratelimit-Policy"], ", "), strings.Join(w.Header()["Ratelimit"], ", "); p != `"account";q=4;w=400, "key";q=2;w=200` || s != `"account";r=3;t=100, "key";r=1;t=100` {
		t.Errorf("policy %s, standing %s", p, s)
	}
	ask(h, "GET /things", "192.0.2.1", "7.3", "")
	w = ask(h, "GET /things", "192.0.2.1", "7.3", "")
	var p struct {
		Type, Title, Detail, Message, Instance string
		Status                                 int
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 429 {
		t.Fatalf("%d %s %v", w.Code, w.Body, err)
	}
	if p.Status != 429 || p.Title != "Too Many Requests" || p.Type != "urn:emporium:problem:too_many_requests" || p.Message != p.Detail || p.Instance != "/things" {
		t.Errorf("%+v", p)
	}
	if want := "too many requests with this key: 2 in 3m20s are allowed. Try again in "; !strings.HasPrefix(p.Detail, want) {
		t.Errorf("%q does not begin with %q", p.Detail, want)
	}
	if n, err := strconv.Atoi(w.Header().Get("Retry-After")); err != nil || n < 90 || n > 100 {
		t.Errorf("Retry-After is %q", w.Header().Get("Retry-After"))
	}
	if s := strings.Join(w.Header()["Ratelimit"], ", "); !strings.HasPrefix(s, `"account";r=2;t=`) || !strings.Contains(s, `"key";r=0;t=`) {
		t.Errorf("the refused one was counted, or is not told: %s", s)
	}
}

// Guessing passwords is slow, and shuts out nobody but who guesses.
func TestSigningInIsLimitedByWhoTries(t *testing.T) {
	h := limited(t)
	const thief, owner = "192.0.2.66", "198.51.100.1"
	body := func(mail string) string { return `{"mail":"` + mail + `"}` }
	if n := until(t, h, "POST /auth", thief, "", body("ada@example.com")); n != 2 {
		t.Errorf("one mail was tried %d times, of 2", n)
	}
	if w := ask(h, "POST /auth", thief, "", body("ADA@example.com")); w.Code != 429 {
		t.Errorf("the same mail in other letters: %d", w.Code)
	}
	if w := ask(h, "POST /auth", owner, "", body("ada@example.com")); w.Code != 204 {
		t.Errorf("the owner of the mail is shut out: %d %s", w.Code, w.Body)
	}
	n := 0
	for i := range 50 {
		if ask(h, "POST /auth", thief, "", body("user"+strconv.Itoa(i)+"@example.com")).Code != 429 {
			n++
		}
	}
	if n != 3 {
		t.Errorf("many mails were tried %d times after 2, of 5 in all", n)
	}
	if n := until(t, h, "POST /join", thief, "", body("x@example.com")); n != 2 {
		t.Errorf("one address signed up %d times, of 2", n)
	}
	if w := ask(h, "POST /join", owner, "", body("x@example.com")); w.Code != 204 {
		t.Errorf("another address cannot sign up: %d", w.Code)
	}
}

// Renewing a token is an attempt only when it is refused: whoever renews tokens
// that hold never runs into the limit, also beside somebody who guesses.
func TestRenewingIsCountedWhenRefused(t *testing.T) {
	h := limited(t)
	const here = "192.0.2.1"
	renew := func(what string, want int) {
		t.Helper()
		if w := ask(h, "POST /renew", here, "", `{"mail":"`+what+`"}`); w.Code != want {
			t.Errorf("%s: %d %s, want %d", what, w.Code, w.Body, want)
		}
	}
	for range 20 {
		renew("good", 204)
		renew("odd", 400)
	}
	for range 5 {
		renew("bad", 401)
	}
	renew("bad", 429)
	renew("good", 204)
	if w := ask(h, "POST /auth", here, "", `{"mail":"ada@example.com"}`); w.Code != 429 {
		t.Errorf("signing in beyond the attempts: %d", w.Code)
	}
	if w := ask(h, "POST /renew", "192.0.2.2", "", `{"mail":"bad"}`); w.Code != 401 {
		t.Errorf("from another address: %d", w.Code)
	}
}

// A customer's whole IPv6 network counts as one, however many addresses it has.
func TestNetworksCountAsOne(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"},
		{"192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"},
		{"fe80::1%eth0", "fe80::2%eth1", "fe80::/64"},
	} {
		a, b := httpapi.AddressKey(netip.MustParseAddr(c.a)), httpapi.AddressKey(netip.MustParseAddr(c.b))
		if a != c.want || b != c.want {
			t.Errorf("%s is %s, %s is %s, want %s", c.a, a, c.b, b, c.want)
		}
	}
	if httpapi.AddressKey(netip.MustParseAddr("192.0.2.1")) == httpapi.AddressKey(netip.MustParseAddr("192.0.2.2")) {
		t.Error("two addresses are one")
	}
	if httpapi.AddressKey(netip.MustParseAddr("2001:db8:1:2::1")) == httpapi.AddressKey(netip.MustParseAddr("2001:db8:1:3::1")) {
		t.Error("two networks are one")
	}
	if s := httpapi.AddressKey(netip.Addr{}); s != "unknown" {
		t.Error(s)
	}
}

// A system that is busy holds up nobody else, and says so in time.
func TestWorkIsBounded(t *testing.T) {
	api := httpapi.New(httpapi.Options{AtOnce: 2})
	entered, goOn := make(chan struct{}, 10), make(chan struct{})
	slow := func(ctx context.Context, _ *struct{}) (*httpapi.Nothing, error) {
		entered <- struct{}{}
		<-goOn
		return &httpapi.Nothing{}, nil
	}
	quick := func(context.Context, *struct{}) (*httpapi.Nothing, error) { return &httpapi.Nothing{}, nil }
	op := func(id, path string) httpapi.Operation {
		return httpapi.Operation{ID: id, Method: "GET", Path: path, Summary: "Do", Description: "Do.", Access: httpapi.ReadCatalogue}
	}
	one := api.System(httpapi.System{Name: "one", Tag: "One", Description: "One."})
	httpapi.Register(one, op("slow", "/slow"), slow)
	httpapi.Register(one, op("quick", "/quick"), quick)
	httpapi.Register(api.System(httpapi.System{Name: "two", Tag: "Two", Description: "Two."}), op("other", "/other"), quick)
	done := make(chan int, 2)
	for range 2 {
		go func() { done <- ask(api, "GET /slow", "192.0.2.1", "", "").Code }()
		<-entered
	}
	if w := ask(api, "GET /other", "192.0.2.1", "", ""); w.Code != 204 {
		t.Errorf("another system is held up: %d", w.Code)
	}
	waiting := make(chan int, 1)
	go func() { waiting <- ask(api, "GET /quick", "192.0.2.1", "", "").Code }()
	if w := ask(api, "GET /quick", "192.0.2.1", "", ""); w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "problem:busy") {
		t.Errorf("a third call: %d %v %s", w.Code, w.Header(), w.Body)
	}
	<-waiting
	go func() { waiting <- ask(api, "GET /quick", "192.0.2.1", "", "").Code }()
	close(goOn)
	for _, c := range []chan int{done, done, waiting} {
		if code := <-c; code != 204 {
			t.Errorf("when there is room: %d", code)
		}
	}
}
