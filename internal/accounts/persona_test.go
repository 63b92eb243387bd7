package accounts_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"emporium/internal/accounts"
	"emporium/internal/market"
)

func persona(subject string) accounts.Persona {
	return accounts.Persona{Issuer: "https://id.example", Subject: subject, Mail: "ada@example.com", MailVerified: true, FirstName: "Ada", LastName: "Byron"}
}

func arrive(t testing.TB, s *accounts.Service, browser string, p accounts.Persona) {
	t.Helper()
	if err := s.Arrive(t.Context(), accounts.Arrival{Persona: p, Browser: browser, Provider: "corp", ReturnTo: "/docs"}); err != nil {
		t.Fatal(err)
	}
}

func refusedWith(t testing.TB, err error, code string) {
	t.Helper()
	if e, ok := errors.AsType[*market.Error](err); !ok || e.Code != code {
		t.Errorf("got %v, want a refusal %s", err, code)
	}
}

// holder says whose token it is.
func holder(t testing.TB, s *accounts.Service, token string) market.UserID {
	t.Helper()
	id, err := s.Identify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return id.User
}

// A journey ends once, in the browser where it began, at the provider to which it
// led, and within its time.
func TestJourney(t *testing.T) {
	c := newClock()
	s := newService(t, func(o *accounts.Options) { o.Now = c.Now })
	begin := func(state string) {
		if err := s.StartJourney(t.Context(), accounts.Journey{State: state, Browser: "mine", Provider: "corp", ReturnTo: "/docs", User: 7}); err != nil {
			t.Fatal(err)
		}
	}
	begin("a")
	for _, wrong := range []accounts.Journey{
		{State: "b", Browser: "mine", Provider: "corp"},
		{State: "a", Browser: "theirs", Provider: "corp"},
		{State: "a", Browser: "mine", Provider: "other"},
		{State: "a", Provider: "corp"},
		{Browser: "mine", Provider: "corp"},
	} {
		_, err := s.EndJourney(t.Context(), wrong)
		refusedWith(t, err, "unknown_journey")
	}
	back := accounts.Journey{State: "a", Browser: "mine", Provider: "corp"}
	found, err := s.EndJourney(t.Context(), back)
	if err != nil || found.ReturnTo != "/docs" || found.User != 7 {
		t.Errorf("%+v %v", found, err)
	}
	_, err = s.EndJourney(t.Context(), back)
	refusedWith(t, err, "unknown_journey")
	begin("late")
	c.Advance(10*time.Minute + time.Millisecond)
	_, err = s.EndJourney(t.Context(), accounts.Journey{State: "late", Browser: "mine", Provider: "corp"})
	refusedWith(t, err, "unknown_journey")
	begin("next") // and sweeps the one before
	if n := count(t, s, `SELECT count(*) FROM journeys`); n != 1 {
		t.Errorf("%d journeys are kept", n)
	}
}

// Of many who bring back one state, one is let in.
func TestJourneyRace(t *testing.T) {
	s := newService(t, nil)
	if err := s.StartJourney(t.Context(), accounts.Journey{State: "a", Browser: "mine", Provider: "corp"}); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 16 {
		wait.Go(func() {
			if _, err := s.EndJourney(t.Context(), accounts.Journey{State: "a", Browser: "mine", Provider: "corp"}); err == nil {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if won != 1 {
		t.Errorf("%d were let in", won)
	}
}

// Who comes for the first time makes an account, with the mail that was verified
// whatever they type, and is known by issuer and subject from then on.
func TestSignUpAs(t *testing.T) {
	s := newService(t, nil)
	_, err := s.SignInAs(t.Context(), persona("1"))
	refusedWith(t, err, "unknown_persona")
	arrive(t, s, "mine", persona("1"))
	_, err = s.SignUpAs(t.Context(), "theirs", newcomer("x@example.com"))
	refusedWith(t, err, "unknown_arrival")
	token, err := s.SignUpAs(t.Context(), "mine", newcomer("admin@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	id := holder(t, s, token)
	ctx := market.WithIdentity(t.Context(), market.Identity{User: id})
	if a, err := s.Account(ctx, id); err != nil || a.Mail != "ada@example.com" || a.Staff {
		t.Errorf("%+v %v", a, err)
	}
	_, err = s.SignUpAs(t.Context(), "mine", newcomer("again@example.com"))
	refusedWith(t, err, "unknown_arrival")
	_, err = s.SignIn(t.Context(), accounts.Credentials{Mail: "ada@example.com", Password: newcomer("").Password})
	refusedWith(t, err, "wrong_credentials") // the password that was typed is not taken

	changed := persona("1")
	changed.Mail, changed.MailVerified = "new@example.com", false
	if token, err = s.SignInAs(t.Context(), changed); err != nil || holder(t, s, token) != id {
		t.Errorf("%v", err)
	}
	same := persona("2") // another person at the provider, to whom the mail passed
	_, err = s.SignInAs(t.Context(), same)
	refusedWith(t, err, "unknown_persona")
	other := persona("1")
	other.Issuer = "https://other.example"
	_, err = s.SignInAs(t.Context(), other)
	refusedWith(t, err, "unknown_persona")
}

// An account that exists is linked to a verified mail by its password alone, and
// to one that is not verified never.
func TestLinkByPassword(t *testing.T) {
	c := newClock()
	s := newService(t, func(o *accounts.Options) { o.Now = c.Now })
	ada := signUp(t, s, "Ada@example.com")
	password := newcomer("").Password

	p := persona("1")
	p.MailVerified = false
	arrive(t, s, "mine", p)
	if a, err := s.Arrived(t.Context(), "mine"); err != nil || a.Account {
		t.Errorf("an unverified mail tells of an account: %+v %v", a, err)
	}
	_, err := s.LinkByPassword(t.Context(), "mine", password)
	refusedWith(t, err, "mail_not_verified")
	_, err = s.SignUpAs(t.Context(), "mine", newcomer("ada@example.com"))
	refusedWith(t, err, "mail_taken")

	arrive(t, s, "mine", persona("1"))
	if a, err := s.Arrived(t.Context(), "mine"); err != nil || !a.Account || a.ReturnTo != "/docs" {
		t.Errorf("%+v %v", a, err)
	}
	_, err = s.SignUpAs(t.Context(), "mine", newcomer("free@example.com"))
	refusedWith(t, err, "mail_taken")
	_, err = s.LinkByPassword(t.Context(), "mine", "wrong")
	refusedWith(t, err, "wrong_credentials")
	_, err = s.LinkByPassword(t.Context(), "theirs", password)
	refusedWith(t, err, "unknown_arrival")
	_, err = s.SignInAs(t.Context(), persona("1"))
	refusedWith(t, err, "unknown_persona")
	token, err := s.LinkByPassword(t.Context(), "mine", password)
	if err != nil || holder(t, s, token) != ada.ID {
		t.Fatalf("%v", err)
	}
	if token, err = s.SignInAs(t.Context(), persona("1")); err != nil || holder(t, s, token) != ada.ID {
		t.Errorf("%v", err)
	}
	arrive(t, s, "slow", persona("3"))
	c.Advance(20*time.Minute + time.Millisecond)
	_, err = s.LinkByPassword(t.Context(), "slow", password)
	refusedWith(t, err, "unknown_arrival")
}

// One persona belongs to one account, and goes with it.
func TestLink(t *testing.T) {
	s := newService(t, nil)
	ada, zoe := signUp(t, s, "ada@example.com"), signUp(t, s, "zoe@example.com")
	as := func(a accounts.Account) accounts.Account { return a }
	adas := market.WithIdentity(t.Context(), market.Identity{User: as(ada).ID})
	zoes := market.WithIdentity(t.Context(), market.Identity{User: as(zoe).ID})
	for range 2 { // a second time changes nothing
		if err := s.Link(adas, persona("1")); err != nil {
			t.Fatal(err)
		}
	}
	refusedWith(t, s.Link(zoes, persona("1")), "linked_elsewhere")
	for _, bad := range []accounts.Persona{{Issuer: "https://id.example"}, {Subject: "1"}, persona(string(make([]byte, 256)))} {
		refusedWith(t, s.Link(zoes, bad), "bad_persona")
	}
	if all, err := s.Personas(adas); err != nil || len(all) != 1 || all[0].Subject != "1" {
		t.Errorf("%v %v", all, err)
	}
	var kept []string
	for r, err := range s.PersonalData(adas, ada.ID) {
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, fmt.Sprint(r.Kind, r.Data))
	}
	if all := strings.Join(kept, "\n"); !strings.Contains(all, "sign-in by a provider{https://id.example 1}") {
		t.Errorf("exported: %s", all)
	}
	refusedWith(t, s.Unlink(adas, "https://id.example", "wrong"), "wrong_credentials")
	if err := s.Unlink(zoes, "https://id.example", newcomer("").Password); err != nil { // takes nobody else's
		t.Error(err)
	}
	if _, err := s.SignInAs(t.Context(), persona("1")); err != nil {
		t.Error(err)
	}
	if err := s.Unlink(adas, "https://id.example", newcomer("").Password); err != nil {
		t.Error(err)
	}
	_, err := s.SignInAs(t.Context(), persona("1"))
	refusedWith(t, err, "unknown_persona")
	if err := s.Link(zoes, persona("1")); err != nil {
		t.Error(err)
	}
	if err := s.DeleteAccount(zoes, zoe.ID, market.IfMatch{}); err != nil {
		t.Fatal(err)
	}
	_, err = s.SignInAs(t.Context(), persona("1"))
	refusedWith(t, err, "unknown_persona")
}

// Of many who make an account for one persona at once, in as many browsers, one
// does.
func TestSignUpAsRace(t *testing.T) {
	s := newService(t, nil)
	const browsers = 12
	for i := range browsers {
		p := persona("1")
		p.Mail, p.MailVerified = "", false
		arrive(t, s, string(rune('a'+i)), p)
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range browsers {
		wait.Go(func() {
			if _, err := s.SignUpAs(t.Context(), string(rune('a'+i)), newcomer(string(rune('a'+i))+"@example.com")); err == nil {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if n := count(t, s, `SELECT count(*) FROM accounts`); won != 1 || n != 1 {
		t.Errorf("%d made an account, %d are there", won, n)
	}
}

func count(t testing.TB, s *accounts.Service, query string) (n int) {
	t.Helper()
	if err := accounts.Database(s).Prepare(query).QueryRow(t.Context()).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
