package accounts_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"emporium/internal/accounts"
	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/apitest"
)

// protectedAPI is the accounts in protected mode, which know their own tokens.
func protectedAPI(t testing.TB, tokens market.Tokens, s *accounts.Service) *apitest.API {
	t.Helper()
	return apitest.NewWith(t, httpapi.Options{Tokens: tokens, Mode: httpapi.Protected}, func(api *httpapi.API) {
		accounts.Routes(api.System(accounts.System()), s)
	})
}

func makeKey(t testing.TB, s *accounts.Service, user market.UserID, scopes string) accounts.APIKey {
	t.Helper()
	k, err := s.MakeAPIKey(as(t.Context(), user), accounts.NewAPIKey{User: user, Name: "till", Scopes: scopes})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAPIKey(t *testing.T) {
	d := newDeployment(t, nil)
	a := signUp(t, d.one, "a@example.com")
	k := makeKey(t, d.one, a.ID, "coupons:write coupons:read coupons:read")
	if !strings.HasPrefix(k.Key, "emk_") || len(k.Key) != 4+43+6 || k.Scopes != "coupons:read coupons:write" || !strings.HasSuffix(k.Key, k.Hint) {
		t.Errorf("made %+v", k)
	}
	want := market.Identity{User: a.ID, Scopes: "coupons:read coupons:write", Key: k.ID}
	for where, tokens := range d.verifiers() {
		if id, err := tokens.Identify(t.Context(), k.Key); err != nil || id != want {
			t.Errorf("%s: %v, %v", where, id, err)
		}
		for _, wrong := range []string{k.Key + "x", k.Key[:len(k.Key)-1], strings.ToLower(k.Key), "emk_", "emk_" + strings.Repeat("A", 49)} {
			holdsNot(t, tokens, wrong, wrong+" in "+where)
		}
	}
	if err := d.two.RevokeAPIKey(as(t.Context(), a.ID), a.ID, k.ID); err != nil {
		t.Fatal(err)
	}
	holdsNot(t, d.two, k.Key, "revoked here")
	d.clock.Advance(4 * time.Second)
	for where, tokens := range d.verifiers() {
		holdsNot(t, tokens, k.Key, "revoked, in "+where)
	}
	if err := d.two.RevokeAPIKey(as(t.Context(), a.ID), a.ID, k.ID); market.KindOf(err) != market.NotFound {
		t.Errorf("revoked twice: %v", err)
	}
}

func TestAPIKeyExpires(t *testing.T) {
	d := newDeployment(t, nil)
	a := signUp(t, d.one, "a@example.com")
	soon := market.At(d.clock.Now().Add(time.Minute)).String()
	k, err := d.one.MakeAPIKey(as(t.Context(), a.ID), accounts.NewAPIKey{User: a.ID, Name: "till", Scopes: "*:read", Expires: market.Some(soon)})
	if err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(time.Minute - time.Second)
	d.holds(t, k.Key, a.ID)
	d.clock.Advance(time.Second)
	for where, tokens := range d.verifiers() {
		holdsNot(t, tokens, k.Key, "its time is over, in "+where)
	}
}

func TestBadAPIKeys(t *testing.T) {
	c := newClock()
	s := newService(t, func(o *accounts.Options) { o.Now = c.Now })
	a, b := signUp(t, s, "a@example.com"), signUp(t, s, "b@example.com")
	in := func(d time.Duration) market.Opt[string] { return market.Some(market.At(c.Now().Add(d)).String()) }
	for _, wrong := range []struct {
		by   market.UserID
		key  accounts.NewAPIKey
		kind market.Kind
	}{
		{a.ID, accounts.NewAPIKey{User: a.ID, Scopes: "*:read"}, market.Invalid},
		{a.ID, accounts.NewAPIKey{User: a.ID, Name: strings.Repeat("n", 101), Scopes: "*:read"}, market.Invalid},
		{a.ID, accounts.NewAPIKey{User: a.ID, Name: "n"}, market.Invalid},
		{a.ID, accounts.NewAPIKey{User: a.ID, Name: "n", Scopes: "coupons"}, market.Invalid},
		{a.ID, accounts.NewAPIKey{User: a.ID, Name: "n", Scopes: "*:read staff"}, market.Invalid},
		{a.ID, accounts.NewAPIKey{User: a.ID, Name: "n", Scopes: "*:read", Expires: in(0)}, market.Invalid},
		{a.ID, accounts.NewAPIKey{User: a.ID, Name: "n", Scopes: "*:read", Expires: in(367 * 24 * time.Hour)}, market.Invalid},
		{a.ID, accounts.NewAPIKey{User: a.ID, Name: "n", Scopes: "*:read", Expires: market.Some("soon")}, market.Invalid},
		{b.ID, accounts.NewAPIKey{User: a.ID, Name: "n", Scopes: "*:read"}, market.Denied},
		{a.ID, accounts.NewAPIKey{User: 99, Name: "n", Scopes: "*:read"}, market.NotFound},
	} {
		if k, err := s.MakeAPIKey(as(t.Context(), wrong.by), wrong.key); market.KindOf(err) != wrong.kind || k.Key != "" {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	if err := s.RevokeAPIKey(as(t.Context(), b.ID), a.ID, 1); market.KindOf(err) != market.Denied {
		t.Errorf("revoking a key of somebody else: %v", err)
	}
	if _, err := s.APIKeys(as(t.Context(), b.ID), a.ID, market.Page{}); market.KindOf(err) != market.Denied {
		t.Errorf("listing keys of somebody else: %v", err)
	}
}

// TestTooManyAPIKeys has many make keys at once, up to the bound.
func TestTooManyAPIKeys(t *testing.T) {
	d := newDeployment(t, nil)
	a := signUp(t, d.one, "a@example.com")
	var wait sync.WaitGroup
	for range 96 {
		wait.Go(func() {
			if _, err := d.one.MakeAPIKey(as(t.Context(), a.ID), accounts.NewAPIKey{User: a.ID, Name: "till", Scopes: "*:read"}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	kinds := make([]market.Kind, 8)
	for i := range kinds {
		wait.Go(func() {
			_, err := d.two.MakeAPIKey(as(t.Context(), a.ID), accounts.NewAPIKey{User: a.ID, Name: "till", Scopes: "*:read"})
			kinds[i] = market.KindOf(err)
		})
	}
	wait.Wait()
	made := 0
	for _, kind := range kinds {
		if kind == 0 {
			made++
		} else if kind != market.Conflict {
			t.Errorf("refused as %v", kind)
		}
	}
	if made != 4 {
		t.Errorf("%d keys beyond 96, want 4", made)
	}
}

// TestAPIKeyOfStaff acts as staff only where its scopes say so, and only while
// its owner is.
func TestAPIKeyOfStaff(t *testing.T) {
	d := newDeployment(t, nil)
	a := signUp(t, d.one, "a@example.com")
	if _, err := d.one.AddStaff(t.Context(), newcomer("a@example.com")); err != nil {
		t.Fatal(err)
	}
	plain, staff := makeKey(t, d.one, a.ID, "*:write"), makeKey(t, d.one, a.ID, "*:write staff")
	for where, tokens := range d.verifiers() {
		if id, err := tokens.Identify(t.Context(), plain.Key); err != nil || id.Staff {
			t.Errorf("%s: a key without the scope acts as staff: %v", where, err)
		}
		if id, err := tokens.Identify(t.Context(), staff.Key); err != nil || !id.Staff {
			t.Errorf("%s: a key of staff does not act as staff: %v", where, err)
		}
	}
	if _, err := d.one.RemoveStaff(market.WithIdentity(t.Context(), market.Identity{Inside: true}), a.ID); err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(4 * time.Second)
	for where, tokens := range d.verifiers() {
		if id, err := tokens.Identify(t.Context(), staff.Key); err != nil || id.Staff {
			t.Errorf("%s: its owner is no longer staff: %v %v", where, id, err)
		}
	}
}

// TestStaffEndsElsewhere takes the role away: tokens that say otherwise end.
func TestStaffEndsElsewhere(t *testing.T) {
	d := newDeployment(t, nil)
	a := signUp(t, d.one, "a@example.com")
	if _, err := d.one.AddStaff(t.Context(), newcomer("a@example.com")); err != nil {
		t.Fatal(err)
	}
	token := signIn(t, d.one, "a@example.com")
	d.holds(t, token, a.ID)
	if _, err := d.one.RemoveStaff(market.WithIdentity(t.Context(), market.Identity{Inside: true}), a.ID); err != nil {
		t.Fatal(err)
	}
	d.ended(t, token, "it says that its account is staff")
}

func TestAPIKeyUse(t *testing.T) {
	d := newDeployment(t, nil)
	a := signUp(t, d.one, "a@example.com")
	k := makeKey(t, d.one, a.ID, "*:read")
	used := func() (at market.Time) {
		keys, err := d.one.APIKeys(as(t.Context(), a.ID), a.ID, market.Page{})
		if err != nil {
			t.Fatal(err)
		}
		for k, err := range keys {
			if at = k.Used; err != nil || k.Key != "" {
				t.Errorf("listed %+v, %v", k, err)
			}
		}
		return at
	}
	if !used().IsZero() {
		t.Error("used before it was used")
	}
	d.clock.Advance(90 * time.Minute)
	d.holds(t, k.Key, a.ID)
	if want := d.clock.Now().Truncate(time.Hour); !used().Equal(want) {
		t.Errorf("last used %v, want %v", used(), want)
	}
}

// TestAPIKeyWhileAway takes the accounts away: keys that were known go on for
// five minutes.
func TestAPIKeyWhileAway(t *testing.T) {
	d := newDeployment(t, nil)
	a := signUp(t, d.one, "a@example.com")
	known, unknown := makeKey(t, d.one, a.ID, "*:read"), makeKey(t, d.one, a.ID, "*:read")
	holdsKey := func(key string, kind market.Kind) {
		t.Helper()
		if id, err := d.elsewhere.Identify(t.Context(), key); market.KindOf(err) != kind || (kind == 0) != (id.User == a.ID) {
			t.Errorf("%v, %v; want kind %d", id, err, kind)
		}
	}
	holdsKey(known.Key, 0)
	d.down.Store(true)
	d.clock.Advance(4*time.Minute + 59*time.Second)
	holdsKey(known.Key, 0)
	holdsKey(unknown.Key, market.Unavailable)
	d.clock.Advance(5 * time.Second)
	holdsKey(known.Key, market.Unavailable)
	d.down.Store(false)
	holdsKey(known.Key, 0)
}

// TestAskedOnce has somebody try keys that were never made: each is asked for
// once in four seconds, and what cannot be a key never.
func TestAskedOnce(t *testing.T) {
	c := newClock()
	s := newService(t, func(o *accounts.Options) { o.Now = c.Now })
	signUp(t, s, "a@example.com")
	url, asked, _ := serveAccounts(t, s)
	client, err := accounts.NewClient(accounts.ClientOptions{URL: url, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	stranger := newService(t, func(o *accounts.Options) { o.Random = nil })
	signUp(t, stranger, "a@example.com")
	key := makeKey(t, stranger, 1, "*:read").Key
	for range 3 {
		holdsNot(t, client, key, "of another deployment")
		holdsNot(t, client, key[:len(key)-1]+"!", "no key at all")
	}
	if n := asked.Load(); n > 2 { // the key, and the keys of tokens for what may be one
		t.Errorf("%d requests", n)
	}
}

// TestScopes holds keys to their scopes over HTTP, in protected mode.
func TestScopes(t *testing.T) {
	s := newService(t, nil)
	signUp(t, s, "a@example.com")
	api := protectedAPI(t, s, s)
	token := "Authorization: Bearer " + signIn(t, s, "a@example.com")
	key := func(scopes string) string { return "Authorization: Bearer " + makeKey(t, s, 1, scopes).Key }
	read, write, all, other := key("accounts:read"), key("accounts:write"), key("*:read *:write"), key("coupons:read coupons:write")
	for _, c := range []struct {
		call, body, who string
		status          int
	}{
		{"GET /api/user/1", "", read, 200},
		{"GET /api/user/1", "", all, 200},
		{"GET /api/user/1", "", write, 403},
		{"GET /api/user/1", "", other, 403},
		{"PUT /api/user/1", `{"lastName":"Byron"}`, write, 200},
		{"PUT /api/user/1", `{"lastName":"Byron"}`, all, 200},
		{"PUT /api/user/1", `{"lastName":"Byron"}`, read, 403},
		{"GET /api/user/key", "", other, 200},
		{"GET /api/user/key", "", token, 404},
		{"GET /.well-known/jwks.json", "", other, 200},
		// what takes a token of somebody who signed in
		{"GET /api/user/1/keys", "", all, 403},
		{"POST /api/user/1/keys", `{"name":"n","scopes":"*:write"}`, all, 403},
		{"DELETE /api/user/1/keys/1", "", all, 403},
		{"PUT /api/user/1/password", `{"password":"s3cret words","newPassword":"a purple bicycle"}`, all, 403},
		{"POST /api/user/sign-out", "", all, 403},
		{"GET /api/staff", "", all, 403},
		// what takes the deployment itself
		{"GET /api/signing-keys", "", token, 403},
		{"POST /api/signing-keys", "", token, 403},
		{"DELETE /api/signing-keys/x", "", token, 403},
		{"POST /api/user/password-reset/token", `{"mail":"a@example.com"}`, token, 403},
		{"GET /api/user/revocations", "", token, 403},
		{"GET /api/user/revocations", "", "", 401},
	} {
		if w := api.Do(t, c.call, c.body, c.who); w.Code != c.status {
			t.Errorf("%s with %s: %d %s, want %d", c.call, c.who[:min(30, len(c.who))], w.Code, w.Body, c.status)
		}
	}
}

// TestSecretsAreShownOnce repeats requests by their Idempotency-Key, and looks
// for secrets in what is kept of them.
func TestSecretsAreShownOnce(t *testing.T) {
	s := newService(t, nil)
	signUp(t, s, "a@example.com")
	api := protectedAPI(t, s, s)
	headers := "Authorization: Bearer " + signIn(t, s, "a@example.com") + "|Idempotency-Key: once"
	type key struct {
		ID  int64 `json:"keyId"`
		Key string
	}
	ask := func() (k key) {
		w := api.Do(t, "POST /api/user/1/keys", `{"name":"till","scopes":"*:read"}`, headers)
		if w.Code != http.StatusCreated || json.Unmarshal(w.Body.Bytes(), &k) != nil {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return k
	}
	first, second := ask(), ask()
	if first.Key == "" || second.Key != "" || first.ID != second.ID {
		t.Errorf("made %v, repeated %v", first, second)
	}
	for range 2 {
		w := api.Do(t, "POST /api/user/auth?refresh=1", `{"mail":"a@example.com","password":"s3cret words"}`, "Idempotency-Key: once")
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	var kept, stored int
	db := accounts.Database(s)
	if err := db.Prepare(`SELECT COUNT(*) FROM idempotency`).QueryRow(t.Context()).Scan(&kept); err != nil {
		t.Fatal(err)
	}
	var result []byte
	if err := db.Prepare(`SELECT result FROM idempotency`).QueryRow(t.Context()).Scan(&result); err != nil {
		t.Fatal(err)
	}
	if err := db.Prepare(`SELECT COUNT(*) FROM sessions`).QueryRow(t.Context()).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if kept != 1 || strings.Contains(string(result), first.Key[4:40]) || stored != 2 {
		t.Errorf("%d records, %d sessions, of which one holds %s", kept, stored, result)
	}
}

// TestSessionsOverHTTP signs in, renews and signs out as a client would.
func TestSessionsOverHTTP(t *testing.T) {
	s := newService(t, nil)
	signUp(t, s, "a@example.com")
	api := protectedAPI(t, s, s)
	type answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Life    int64  `json:"expires_in"`
	}
	do := func(call, body, token string, status int) (got answer) {
		t.Helper()
		headers := ""
		if token != "" {
			headers = "Authorization: Bearer " + token
		}
		w := api.Do(t, call, body, headers)
		if w.Code != status {
			t.Errorf("%s: %d %s", call, w.Code, w.Body)
		}
		if w.Code == http.StatusOK {
			_ = json.Unmarshal(w.Body.Bytes(), &got)
		}
		if w.Code == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: no WWW-Authenticate", call)
		}
		return got
	}
	credentials := `{"mail":"a@example.com","password":"s3cret words"}`
	day := do("POST /api/user/auth", credentials, "", 200)
	if day.Refresh != "" || day.Life != 0 {
		t.Errorf("the default answer has more than it had: %+v", day)
	}
	short := do("POST /api/user/auth?refresh=1", credentials, "", 200)
	if short.Life != 900 {
		t.Errorf("got %+v", short)
	}
	do("POST /api/user/auth?refresh=2", credentials, "", 400)
	next := do("POST /api/user/refresh", `{"refresh_token":"`+short.Refresh+`"}`, "", 200)
	do("POST /api/user/refresh", `{"refresh_token":"emr_x"}`, "", 401)
	do("POST /api/user/refresh", `{}`, "", 400)
	do("GET /api/user/1", "", next.Access, 200)
	do("POST /api/user/sign-out", "", next.Access, 204)
	do("GET /api/user/1", "", next.Access, 401)
	do("GET /api/user/1", "", day.Access, 200)
	do("POST /api/user/sign-out?everywhere=1", "", day.Access, 204)
	do("GET /api/user/1", "", day.Access, 401)
	do("POST /api/user/sign-out", "", "", 401)
	do("POST /api/user/password-reset", `{"mail":"a@example.com"}`, "", 409)
	do("PUT /api/user/password-reset", `{"token":"emt_x","newPassword":"a purple bicycle"}`, "", 400)
	day = do("POST /api/user/auth", credentials, "", 200)
	day = do("PUT /api/user/1/password", `{"password":"s3cret words","newPassword":"a purple bicycle"}`, day.Access, 200)
	do("GET /api/user/1", "", day.Access, 200)
	do("POST /api/user/auth", credentials, "", 401)
}

// TestProvedRevocations reads what ended in protected mode, as a process of the
// deployment, and not as anybody.
func TestProvedRevocations(t *testing.T) {
	c := newClock()
	secret := []byte("a secret of the deployment, in tests")
	s := newService(t, func(o *accounts.Options) { o.Now = c.Now })
	a := signUp(t, s, "a@example.com")
	api := apitest.NewWith(t, httpapi.Options{Tokens: s, Mode: httpapi.Protected, Secret: secret, Now: c.Now}, func(api *httpapi.API) {
		accounts.Routes(api.System(accounts.System()), s)
	})
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	token := signIn(t, s, "a@example.com")
	for _, try := range []struct {
		secret []byte
		kind   market.Kind
	}{{secret, 0}, {[]byte("another secret, of somebody else, longer"), market.Unavailable}} {
		client, err := accounts.NewClient(accounts.ClientOptions{
			URL: server.URL, Now: c.Now, Prove: func(r *http.Request) { r.Header.Set("Authorization", httpapi.Prove(try.secret, r, c.Now())) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if id, err := client.Identify(t.Context(), token); market.KindOf(err) != try.kind || (try.kind == 0) != (id.User == a.ID) {
			t.Errorf("%v, %v; want kind %d", id, err, try.kind)
		}
	}
}
