package accounts_test

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"emporium/internal/accounts"
	"emporium/internal/market"
	"emporium/internal/platform/database/dbtest"
)

func kid(t testing.TB, token string) string {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Header["kid"].(string)
}

func keysOf(t testing.TB, s *accounts.Service) (states []string, ids []string) {
	t.Helper()
	keys, err := s.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		states, ids = append(states, k.State), append(ids, k.ID)
	}
	return states, ids
}

// TestRotateKey signs with another key: nobody is signed out, anywhere.
func TestRotateKey(t *testing.T) {
	d := newDeployment(t, nil)
	a := signUp(t, d.one, "a@example.com")
	before := signIn(t, d.one, "a@example.com")
	d.holds(t, before, a.ID)
	made, err := d.one.RotateKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.two.RotateKey(t.Context()); market.KindOf(err) != market.Conflict {
		t.Errorf("a second key before the first signs: %v", err)
	}
	if states, ids := keysOf(t, d.one); strings.Join(states, " ") != "next signing" || ids[0] != made.ID {
		t.Errorf("the keys are %v %v", states, ids)
	}
	if kid(t, signIn(t, d.one, "a@example.com")) == made.ID {
		t.Error("a key signs at the moment it is published")
	}
	d.clock.Advance(10 * time.Second)
	for _, s := range []*accounts.Service{d.one, d.two} { // the other process learned it from the database
		token := signIn(t, s, "a@example.com")
		if kid(t, token) != made.ID {
			t.Error("the new key does not sign")
		}
		d.holds(t, token, a.ID)
		d.holds(t, before, a.ID)
	}
	if states, _ := keysOf(t, d.two); strings.Join(states, " ") != "signing old" {
		t.Errorf("the keys are %v", states)
	}
	last := signIn(t, d.one, "a@example.com")
	d.clock.Advance(24*time.Hour - 11*time.Second)
	d.holds(t, before, a.ID) // to its last second
	d.clock.Advance(2 * time.Minute)
	if states, ids := keysOf(t, d.one); len(states) != 1 || ids[0] != made.ID {
		t.Errorf("the old key is still there: %v %v", states, ids)
	}
	holdsNot(t, d.one, last, "its day is over")
	if _, err := d.one.RotateKey(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestKeyOutlivesLongTokens starts with a shorter life of tokens than before: the
// old key stays for those that were signed then.
func TestKeyOutlivesLongTokens(t *testing.T) {
	c := newClock()
	db := dbtest.Open(t, "accounts", accounts.Migrations())
	with := func(life time.Duration) *accounts.Service {
		return newService(t, func(o *accounts.Options) { o.Now, o.DB, o.TokenLife = c.Now, db, life })
	}
	long := with(72 * time.Hour)
	a := signUp(t, long, "a@example.com")
	token := signIn(t, long, "a@example.com")
	short := with(time.Hour)
	if _, err := short.RotateKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Advance(71 * time.Hour)
	holds(t, short, token, a.ID)
}

// TestRetireKey takes a key away with its tokens.
func TestRetireKey(t *testing.T) {
	d := newDeployment(t, nil)
	a := signUp(t, d.one, "a@example.com")
	before := signIn(t, d.one, "a@example.com")
	d.holds(t, before, a.ID)
	if err := d.one.RetireKey(t.Context(), kid(t, before)); market.KindOf(err) != market.Conflict {
		t.Errorf("the key that signs: %v", err)
	}
	made, err := d.one.RotateKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(10 * time.Second)
	after := signIn(t, d.one, "a@example.com")
	d.holds(t, after, a.ID)
	if err := d.one.RetireKey(t.Context(), kid(t, before)); err != nil {
		t.Fatal(err)
	}
	d.ended(t, before, "its key is gone")
	d.clock.Advance(5 * time.Second) // the client asks again for keys
	d.holds(t, after, a.ID)
	if err := d.one.RetireKey(t.Context(), kid(t, before)); market.KindOf(err) != market.NotFound {
		t.Errorf("a key that is gone: %v", err)
	}
	if err := d.one.RetireKey(t.Context(), made.ID); market.KindOf(err) != market.Conflict {
		t.Errorf("the only key: %v", err)
	}
}

// TestGivenKeys rotates keys that come from the settings: the new one is put
// above the old one.
func TestGivenKeys(t *testing.T) {
	_, first, _ := ed25519.GenerateKey(nil)
	_, second, _ := ed25519.GenerateKey(nil)
	db := dbtest.Open(t, "accounts", accounts.Migrations())
	with := func(keys ...ed25519.PrivateKey) *accounts.Service {
		return newService(t, func(o *accounts.Options) { o.DB, o.Keys = db, keys })
	}
	a := signUp(t, with(first), "a@example.com")
	before := signIn(t, with(first), "a@example.com")
	both := with(second, first)
	holds(t, both, before, a.ID)
	after := signIn(t, both, "a@example.com")
	holds(t, with(second), after, a.ID)
	holdsNot(t, with(second), before, "its key was taken out")
	if _, err := both.RotateKey(t.Context()); market.KindOf(err) != market.Conflict {
		t.Errorf("rotating keys of the settings: %v", err)
	}
}
