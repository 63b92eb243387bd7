package accounts_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"emporium/internal/accounts"
	"emporium/internal/market"
)

// An export holds what lets somebody in, as far as it is no secret: keys and
// sessions with when they were made and used. With the account they go.
func TestExportOfSessionsAndKeys(t *testing.T) {
	c := newClock()
	s := newService(t, func(o *accounts.Options) { o.Now = c.Now })
	a, other := signUp(t, s, "a@example.com"), signUp(t, s, "b@example.com")
	at := func() string { return market.At(c.Now()).String() }
	secrets := []string{newcomer("").Password, "$argon2id", start(t, s, "b@example.com").Refresh}

	madeAt, keyExpires := at(), market.At(c.Now().Add(90*24*time.Hour)).String()
	key := makeKey(t, s, a.ID, "coupons:read")
	first := start(t, s, "a@example.com")
	c.Advance(10 * time.Minute)
	renewedAt, expires := at(), market.At(c.Now().Add(accounts.DefaultSessionLife)).String()
	next, err := s.Refresh(t.Context(), first.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, key.Key, first.Refresh, next.Refresh, next.Access)

	export := func() (records []string) {
		t.Helper()
		for r, err := range s.PersonalData(as(t.Context(), a.ID), a.ID) {
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			records = append(records, string(text))
		}
		return records
	}
	got := export()
	for _, want := range []string{
		`{"service":"accounts","kind":"session","data":{"created_at":"` + madeAt + `","created_by":"password","last_used_at":"` + renewedAt + `","expires_at":"` + expires + `"}}`,
		`{"service":"accounts","kind":"api key","data":{"keyId":1,"userId":1,"name":"till","scopes":"coupons:read","hint":"` + key.Hint + `","created_by":1,"created_at":"` + madeAt + `","expires_at":"` + keyExpires + `"}}`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("the export lacks\n%s\nin\n%s", want, strings.Join(got, "\n"))
		}
	}
	if len(got) != 3 {
		t.Errorf("%d records, want an account, a key and a session:\n%s", len(got), strings.Join(got, "\n"))
	}
	for range market.Chunk {
		secrets = append(secrets, start(t, s, "a@example.com").Refresh)
	}
	got = export()
	if n := len(got); n != 3+market.Chunk {
		t.Errorf("%d records with %d sessions more", n, market.Chunk)
	}
	for _, secret := range secrets {
		_, tail, _ := strings.Cut(secret, ".") // of a refresh token; its session's id is none
		for _, part := range []string{secret, tail} {
			if part != "" && strings.Contains(strings.Join(got, "\n"), part) {
				t.Errorf("the export holds the secret %q", part)
			}
		}
	}

	if err := s.DeleteAccount(as(t.Context(), a.ID), a.ID, market.IfMatch{}); err != nil {
		t.Fatal(err)
	}
	if keys, sessions := count(t, s, `SELECT count(*) FROM api_keys`), count(t, s, `SELECT count(*) FROM sessions`); keys != 0 || sessions != 1 {
		t.Errorf("%d keys and %d sessions are left, want the other account's session", keys, sessions)
	}
	if id := holder(t, s, signIn(t, s, "b@example.com")); id != other.ID {
		t.Errorf("the other account is %d", id)
	}
}
