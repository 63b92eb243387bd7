package accounts_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"emporium/internal/accounts"
	"emporium/internal/market"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/events"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/apitest"
)

func signIn(t testing.TB, s *accounts.Service, mail string) string {
	t.Helper()
	token, err := s.SignIn(t.Context(), accounts.Credentials{Mail: mail, Password: newcomer("").Password})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func holds(t testing.TB, s market.Tokens, token string, want market.UserID) {
	t.Helper()
	if id, err := s.Identify(t.Context(), token); err != nil || id != (market.Identity{User: want}) {
		t.Errorf("Identify gives %v, %v; want account %d", id, err, want)
	}
}

func holdsNot(t testing.TB, s market.Tokens, token, why string) {
	t.Helper()
	if id, err := s.Identify(t.Context(), token); market.KindOf(err) != market.Unauthenticated || id.SignedIn() {
		t.Errorf("%s: Identify gives %v, %v", why, id, err)
	}
}

func TestTokenExpires(t *testing.T) {
	c := newClock()
	service := newService(t, func(o *accounts.Options) { o.Now, o.TokenLife = c.Now, time.Hour })
	a := signUp(t, service, "a@example.com")
	token := signIn(t, service, "A@example.com")
	holds(t, service, token, a.ID)
	c.Advance(time.Hour - time.Second)
	holds(t, service, token, a.ID) // and is remembered, for a minute or until it expires
	c.Advance(time.Second)
	holdsNot(t, service, token, "expired")
}

func TestTokenClaims(t *testing.T) {
	service := newService(t, func(o *accounts.Options) { o.Issuer, o.Audience = "https://shop.example", "clients" })
	signUp(t, service, "a@example.com")
	parts := strings.Split(signIn(t, service, "a@example.com"), ".")
	var header, claims map[string]any
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(text, into) != nil {
			t.Fatal(err, string(text))
		}
	}
	if header["alg"] != "EdDSA" || len(header["kid"].(string)) != 43 {
		t.Errorf("header %v", header)
	}
	life := claims["exp"].(float64) - claims["iat"].(float64)
	if claims["sub"] != "1" || claims["iss"] != "https://shop.example" || claims["aud"].([]any)[0] != "clients" || life != 24*60*60 || len(claims["jti"].(string)) != 22 {
		t.Errorf("claims %v", claims)
	}
}

// TestForgedTokens makes tokens that differ from a good one in one thing each.
func TestForgedTokens(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(nil)
	_, other, _ := ed25519.GenerateKey(nil)
	c := newClock()
	service := newService(t, func(o *accounts.Options) { o.Now, o.Keys = c.Now, []ed25519.PrivateKey{key} })
	a := signUp(t, service, "a@example.com")
	good := signIn(t, service, "a@example.com")
	parsed, _, err := jwt.NewParser().ParseUnverified(good, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	kid := parsed.Header["kid"].(string)
	forge := func(method jwt.SigningMethod, key any, change func(header map[string]any, claims jwt.MapClaims)) string {
		claims := jwt.MapClaims{"sub": "1", "iss": "emporium", "aud": "emporium", "exp": c.Now().Add(time.Hour).Unix()}
		token := jwt.NewWithClaims(method, claims)
		token.Header["kid"] = kid
		change(token.Header, claims)
		text, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	eddsa := jwt.SigningMethodEdDSA
	holds(t, service, forge(eddsa, key, func(map[string]any, jwt.MapClaims) {}), a.ID)
	for why, change := range map[string]func(map[string]any, jwt.MapClaims){
		"no key named":      func(h map[string]any, _ jwt.MapClaims) { delete(h, "kid") },
		"key is a number":   func(h map[string]any, _ jwt.MapClaims) { h["kid"] = 1 },
		"unknown key":       func(h map[string]any, _ jwt.MapClaims) { h["kid"] = kid + "x" },
		"no expiry":         func(_ map[string]any, m jwt.MapClaims) { delete(m, "exp") },
		"expired":           func(_ map[string]any, m jwt.MapClaims) { m["exp"] = c.Now().Unix() },
		"not yet":           func(_ map[string]any, m jwt.MapClaims) { m["nbf"] = c.Now().Add(time.Minute).Unix() },
		"no issuer":         func(_ map[string]any, m jwt.MapClaims) { delete(m, "iss") },
		"other issuer":      func(_ map[string]any, m jwt.MapClaims) { m["iss"] = "else" },
		"no audience":       func(_ map[string]any, m jwt.MapClaims) { delete(m, "aud") },
		"other audience":    func(_ map[string]any, m jwt.MapClaims) { m["aud"] = []string{"else"} },
		"no subject":        func(_ map[string]any, m jwt.MapClaims) { delete(m, "sub") },
		"subject no number": func(_ map[string]any, m jwt.MapClaims) { m["sub"] = "one" },
		"subject 0":         func(_ map[string]any, m jwt.MapClaims) { m["sub"] = "0" },
		"subject negative":  func(_ map[string]any, m jwt.MapClaims) { m["sub"] = "-1" },
		"unknown account":   func(_ map[string]any, m jwt.MapClaims) { m["sub"] = "2" },
	} {
		holdsNot(t, service, forge(eddsa, key, change), why)
	}
	nothing := func(map[string]any, jwt.MapClaims) {}
	holdsNot(t, service, forge(eddsa, other, nothing), "another key")
	holdsNot(t, service, forge(jwt.SigningMethodHS256, []byte(key.Public().(ed25519.PublicKey)), nothing), "the public key as a secret")
	holdsNot(t, service, forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nothing), "no signature")
	for _, text := range []string{"", ".", "..", "a.b.c", good + "x", good[:len(good)-1], " " + good, strings.Repeat("x", 1<<20), good + ".x", "\xff"} {
		holdsNot(t, service, text, "malformed")
	}
}

// TestDeletedAccount checks that a token ends with its account: at once here,
// and within a minute in another process.
func TestDeletedAccount(t *testing.T) {
	c := newClock()
	db := dbtest.Open(t, "accounts", accounts.Migrations())
	share := func(o *accounts.Options) { o.Now, o.DB = c.Now, db }
	service, elsewhere := newService(t, share), newService(t, share)
	a, b := signUp(t, service, "a@example.com"), signUp(t, service, "b@example.com")
	tokenA, tokenB := signIn(t, service, "a@example.com"), signIn(t, elsewhere, "b@example.com")
	for _, s := range []*accounts.Service{service, elsewhere} {
		holds(t, s, tokenA, a.ID)
		holds(t, s, tokenB, b.ID)
	}
	if err := service.DeleteAccount(market.WithIdentity(t.Context(), market.Identity{User: a.ID}), a.ID, market.IfMatch{}); err != nil {
		t.Fatal(err)
	}
	holdsNot(t, service, tokenA, "deleted here")
	holds(t, service, tokenB, b.ID)
	c.Advance(time.Minute)
	holdsNot(t, elsewhere, tokenA, "deleted elsewhere")
	holds(t, elsewhere, tokenB, b.ID)
	if n := accounts.Seen(service); n != 1 {
		t.Errorf("%d tokens are remembered", n)
	}
}

// TestTwoStarts has services start at once on a new database: they sign with
// one key, which a later start has too.
func TestTwoStarts(t *testing.T) {
	db := dbtest.Open(t, "accounts", accounts.Migrations())
	outbox, err := events.NewOutbox(db, newClock().Now)
	if err != nil {
		t.Fatal(err)
	}
	services := make(chan *accounts.Service, 8)
	for range cap(services) {
		go func() {
			s, err := accounts.New(context.Background(), accounts.Options{DB: db, Outbox: outbox, Now: newClock().Now, Argon: cheap})
			if err != nil {
				t.Error(err)
			}
			services <- s
		}()
	}
	first := <-services
	a := signUp(t, first, "a@example.com")
	token := signIn(t, first, "a@example.com")
	for range cap(services) - 1 {
		holds(t, <-services, token, a.ID)
	}
	holds(t, newService(t, func(o *accounts.Options) { o.DB = db }), token, a.ID)
}

// TestSameWork checks that an unknown mail costs as many hashes as a wrong
// password.
func TestSameWork(t *testing.T) {
	service := newService(t, nil)
	signUp(t, service, "a@example.com")
	count := accounts.CountHashes(service)
	var texts []string
	for _, c := range []accounts.Credentials{{Mail: "a@example.com", Password: "wrong"}, {Mail: "b@example.com", Password: "wrong"}} {
		before := count.Load()
		_, err := service.SignIn(t.Context(), c)
		if market.KindOf(err) != market.Unauthenticated || count.Load()-before != 1 {
			t.Errorf("%s: %v after %d hashes", c.Mail, err, count.Load()-before)
		}
		texts = append(texts, err.Error())
	}
	if texts[0] != texts[1] {
		t.Errorf("told apart: %q", texts)
	}
}

// TestHashesAreBounded holds the only slot and has a caller go away.
func TestHashesAreBounded(t *testing.T) {
	service := newService(t, func(o *accounts.Options) { o.AtOnce = 1 })
	signUp(t, service, "a@example.com")
	release := make(chan struct{})
	accounts.HoldHashes(service, release)
	count := accounts.CountHashes(service)
	done := make(chan error, 1)
	go func() {
		_, err := service.SignIn(context.Background(), accounts.Credentials{Mail: "a@example.com", Password: "x"})
		done <- err
	}()
	for count.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := service.SignUp(ctx, newcomer("b@example.com")); !errors.Is(err, context.DeadlineExceeded) || count.Load() != 1 {
		t.Errorf("%v after %d hashes", err, count.Load())
	}
	close(release)
	if err := <-done; market.KindOf(err) != market.Unauthenticated {
		t.Error(err)
	}
}

func TestParseKey(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(nil)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	one := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	got, err := accounts.ParseKeys(append(one, one...))
	if err != nil || len(got) != 2 || !got[0].Equal(key) {
		t.Errorf("ParseKeys gives %v", err)
	}
	for _, text := range []string{"", "key", string(one) + "key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))} {
		if _, err := accounts.ParseKeys([]byte(text)); err == nil {
			t.Errorf("ParseKeys takes %q", text)
		}
	}
}

// TestDefaultCost hashes once at full cost.
func TestDefaultCost(t *testing.T) {
	db := dbtest.Open(t, "accounts", accounts.Migrations())
	service := newService(t, func(o *accounts.Options) { o.DB, o.Argon = db, accounts.Argon{} })
	signUp(t, service, "a@example.com")
	var stored string
	if err := db.Prepare(`SELECT password_hash FROM accounts`).QueryRow(t.Context()).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("stored as %s", stored)
	}
}

// serveAccounts answers over HTTP, and counts what it is asked.
func serveAccounts(t testing.TB, s *accounts.Service) (url string, asked *atomic.Int64, down *atomic.Bool) {
	t.Helper()
	api := apitest.NewWith(t, httpapi.Options{Tokens: s}, func(api *httpapi.API) { accounts.Routes(api.System(accounts.System()), s) })
	asked, down = new(atomic.Int64), new(atomic.Bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/user/revocations" {
			asked.Add(1)
		}
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked, down
}

// TestClient checks tokens away from the accounts.
func TestClient(t *testing.T) {
	c := newClock()
	service := newService(t, func(o *accounts.Options) { o.Now = c.Now })
	stranger := newService(t, func(o *accounts.Options) { o.Random = nil })
	a := signUp(t, service, "a@example.com")
	signUp(t, stranger, "a@example.com")
	token, strange := signIn(t, service, "a@example.com"), signIn(t, stranger, "a@example.com")
	url, asked, down := serveAccounts(t, service)
	client, err := accounts.NewClient(accounts.ClientOptions{URL: url + "/", Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}

	down.Store(true)
	for range 3 { // what ended is not known, so no key is asked for
		if _, err := client.Identify(t.Context(), token); market.KindOf(err) != market.Unavailable {
			t.Errorf("without accounts: %v", err)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests while the accounts were down", n)
	}
	down.Store(false)
	c.Advance(5 * time.Second)
	done := make(chan struct{})
	for range 8 {
		go func() {
			holds(t, client, token, a.ID)
			done <- struct{}{}
		}()
	}
	for range 8 {
		<-done
	}
	for range 3 {
		holdsNot(t, client, strange, "signed by somebody else")
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("%d requests, want one", n)
	}
	c.Advance(5 * time.Second)
	holdsNot(t, client, strange, "signed by somebody else")
	holds(t, client, token, a.ID)
	if n := asked.Load(); n != 2 {
		t.Errorf("%d requests, want one for the unknown key", n)
	}
	down.Store(true)
	c.Advance(time.Hour)
	for range 3 { // an old key is looked after, and holds while the accounts are down
		holds(t, client, token, a.ID)
		holds(t, client, signIn(t, service, "a@example.com"), a.ID)
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("%d requests, want one for a known key that is old", n)
	}
	c.Advance(24 * time.Hour)
	holdsNot(t, client, token, "expired")
	for _, bad := range []string{"", "accounts:8080", "ftp://accounts", "http://", "http://a?b=c", "http://a b"} {
		if _, err := accounts.NewClient(accounts.ClientOptions{URL: bad, Now: c.Now}); err == nil {
			t.Errorf("the address %q is taken", bad)
		}
	}
}

// TestClientForgetsKeys takes a key away from the accounts: what it signed ends
// with the next look at what ended.
func TestClientForgetsKeys(t *testing.T) {
	c := newClock()
	one, two := newService(t, func(o *accounts.Options) { o.Now = c.Now }), newService(t, func(o *accounts.Options) { o.Now = c.Now; o.Random = nil })
	a := signUp(t, one, "a@example.com")
	signUp(t, two, "a@example.com")
	var now atomic.Pointer[apitest.API]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { now.Load().ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	serve := func(s *accounts.Service) {
		now.Store(apitest.New(t, func(api *httpapi.API) { accounts.Routes(api.System(accounts.System()), s) }))
	}
	client, err := accounts.NewClient(accounts.ClientOptions{URL: server.URL, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	serve(one)
	seen := signIn(t, one, "a@example.com")
	holds(t, client, seen, a.ID)
	serve(two)
	c.Advance(time.Second)
	holds(t, client, signIn(t, one, "a@example.com"), a.ID)
	c.Advance(3 * time.Second)
	holdsNot(t, client, seen, "its key is gone")
	holdsNot(t, client, signIn(t, one, "a@example.com"), "its key is gone")
	c.Advance(5 * time.Second)
	holds(t, client, signIn(t, two, "a@example.com"), a.ID)
}

// BenchmarkIdentify measures a token that was seen before: the cost of every
// request that carries one.
func BenchmarkIdentify(b *testing.B) {
	service := newService(b, func(o *accounts.Options) { o.Now = time.Now })
	signUp(b, service, "a@example.com")
	token := signIn(b, service, "a@example.com")
	for b.Loop() {
		if _, err := service.Identify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
