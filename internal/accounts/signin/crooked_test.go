package signin_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"emporium/internal/accounts/signin"
)

// crooked is a provider that answers with what an honest one never would.
type crooked struct {
	*httptest.Server
	key    ed25519.PrivateKey
	claims func(honest jwt.MapClaims) // changes what the ID token says
	sign   func(jwt.MapClaims) string // instead of its key
	info   string                     // its userinfo
	nonce  string
}

func openCrooked(t *testing.T) *crooked {
	c := &crooked{key: ed25519.NewKeyFromSeed(make([]byte, 32))}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": c.URL, "authorization_endpoint": c.URL + "/auth", "token_endpoint": c.URL + "/token", "jwks_uri": c.URL + "/keys",
			"userinfo_endpoint": c.URL + "/info", "id_token_signing_alg_values_supported": []string{"EdDSA", "HS256", "none"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		public, _ := c.key.Public().(ed25519.PublicKey)
		answer(w, map[string]any{"keys": []any{map[string]any{"kty": "OKP", "crv": "Ed25519", "kid": "1", "use": "sig", "alg": "EdDSA", "x": base64.RawURLEncoding.EncodeToString(public)}}})
	})
	mux.HandleFunc("GET /auth", func(w http.ResponseWriter, r *http.Request) {
		c.nonce = r.URL.Query().Get("nonce")
		http.Redirect(w, r, r.URL.Query().Get("redirect_uri")+"?code=1&state="+r.URL.Query().Get("state"), http.StatusFound)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		now := time.Now()
		said := jwt.MapClaims{"iss": c.URL, "sub": "1", "aud": "emporium", "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(), "nonce": c.nonce, "email": "ada@example.com", "email_verified": true}
		c.claims(said)
		sign := c.sign
		if sign == nil {
			sign = c.signed
		}
		answer(w, map[string]any{"access_token": "an access token", "token_type": "Bearer", "id_token": sign(said)})
	})
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, c.info) })
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	return c
}

func (c *crooked) signed(claims jwt.MapClaims) string {
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["kid"] = "1"
	text, err := token.SignedString(c.key)
	if err != nil {
		panic(err)
	}
	return text
}

// Each thing that an ID token promises is looked at: one that breaks a single one
// of them signs nobody in, and the same token without the fault does.
func TestCrookedProvider(t *testing.T) {
	s, c := openShop(t), openCrooked(t)
	s.use(t, signin.Options{Providers: []signin.Provider{corp(c.URL)}})
	hash := sha256.Sum256([]byte("another access token"))
	at := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	with := func(name string, value any) func(jwt.MapClaims) {
		return func(m jwt.MapClaims) { m[name] = value }
	}
	honest := func(jwt.MapClaims) {}
	for _, k := range []struct {
		name   string
		claims func(jwt.MapClaims)
		sign   func(jwt.MapClaims) string
		info   string
		want   int
	}{
		{name: "honest", claims: honest, want: 200},
		{name: "for somebody else", claims: with("aud", "other"), want: 502},
		{name: "for us among others, got by us", claims: func(m jwt.MapClaims) { m["aud"], m["azp"] = []string{"emporium", "other"}, "emporium" }, want: 200},
		{name: "for us among others, got by nobody", claims: with("aud", []string{"emporium", "other"}), want: 502},
		{name: "got by somebody else", claims: with("azp", "other"), want: 502},
		{name: "of another issuer", claims: with("iss", "https://other.example"), want: 502},
		{name: "another nonce", claims: with("nonce", "another"), want: 502},
		{name: "no nonce", claims: func(m jwt.MapClaims) { delete(m, "nonce") }, want: 502},
		{name: "over, within what clocks may differ", claims: with("exp", at(-30*time.Second)), want: 200},
		{name: "over", claims: with("exp", at(-90*time.Second)), want: 502},
		{name: "of a little later", claims: with("iat", at(30*time.Second)), want: 200},
		{name: "of a time to come", claims: with("iat", at(time.Hour)), want: 502},
		{name: "of another access token", claims: with("at_hash", base64.RawURLEncoding.EncodeToString(hash[:16])), want: 502},
		{name: "nobody", claims: with("sub", ""), want: 400},
		{name: "not signed", claims: honest, sign: func(m jwt.MapClaims) string {
			text, _ := jwt.NewWithClaims(jwt.SigningMethodNone, m).SignedString(jwt.UnsafeAllowNoneSignatureType)
			return text
		}, want: 502},
		{name: "signed with the client's secret", claims: honest, sign: func(m jwt.MapClaims) string {
			text, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, m).SignedString([]byte(secret))
			return text
		}, want: 502},
		{name: "signed by another key", claims: honest, sign: func(m jwt.MapClaims) string {
			other := *c
			other.key = ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", 32)))
			return other.signed(m)
		}, want: 502},
		{name: "no ID token", claims: honest, sign: func(jwt.MapClaims) string { return "" }, want: 502},
		{name: "userinfo of somebody else", claims: with("email", ""), info: `{"sub": "2", "email": "eve@example.com", "email_verified": true}`, want: 502},
		{name: "userinfo of the same", claims: with("email", ""), info: `{"sub": "1", "email": "ada@example.com", "email_verified": "true"}`, want: 200},
		{name: "userinfo that is none", claims: with("email", ""), info: `<html>`, want: 502},
	} {
		c.claims, c.sign, c.info = k.claims, k.sign, k.info
		p := newPerson(t)
		got := p.get(s.URL + "/sign-in/with/corp")
		if got.status != k.want || k.want == 200 && !strings.Contains(got.body, "readonly") {
			t.Errorf("%s: %d, want %d\n%s", k.name, got.status, k.want, s.logged())
		}
	}
	for _, verified := range []any{false, "false", "no", 1, nil} {
		c.claims, c.sign = with("email_verified", verified), nil
		p := newPerson(t)
		if got := p.get(s.URL + "/sign-in/with/corp"); got.status != 200 || strings.Contains(got.body, "readonly") {
			t.Errorf("email_verified %v counts: %d", verified, got.status)
		}
	}
	c.claims = honest
	p := newPerson(t)
	p.stopAt = s.URL + "/sign-in/with/corp/callback"
	back := p.get(s.URL + "/sign-in/with/corp").head.Get("Location")
	p.stopAt = ""
	p.shows(p.get(back+"&iss=https://other.example"), 502, "could not sign you in") // RFC 9207
}

// transport answers instead of the network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A provider that does not say how it is spoken to is asked once in five seconds,
// however many wait for it. What it said before goes on.
func TestDiscoveryIsAskedOnce(t *testing.T) {
	s, c := openShop(t), openCrooked(t)
	asked, down := 0, true
	s.use(t, signin.Options{Providers: []signin.Provider{corp(c.URL)}, Transport: transport(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/openid-configuration") {
			if asked++; down {
				return nil, errors.New("no answer")
			}
		}
		return http.DefaultTransport.RoundTrip(r)
	})})
	begin := func(when string, status, want int) {
		t.Helper()
		asked = 0
		for range 3 {
			p := newPerson(t)
			p.stopAt = c.URL
			if got := p.get(s.URL + "/sign-in/with/corp"); got.status != status {
				t.Errorf("%s: %d, want %d\n%s", when, got.status, status, got.body)
			}
		}
		if asked != want {
			t.Errorf("%s: asked %d times, want %d", when, asked, want)
		}
	}
	begin("down from the start", http.StatusServiceUnavailable, 1)
	down = false
	s.advance(5 * time.Second)
	begin("there", http.StatusSeeOther, 1)
	down = true
	s.advance(time.Hour)
	begin("down later", http.StatusSeeOther, 1)
}
