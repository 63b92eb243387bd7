package accounts_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/accounts"
	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
)

func storedHash(t testing.TB, db *database.DB) (hash string) {
	t.Helper()
	if err := db.Prepare(`SELECT password_hash FROM accounts`).QueryRow(t.Context()).Scan(&hash); err != nil {
		t.Fatal(err)
	}
	return hash
}

func signsIn(t testing.TB, s *accounts.Service, password string, want bool) {
	t.Helper()
	_, err := s.SignIn(t.Context(), accounts.Credentials{Mail: "a@example.com", Password: password})
	if want && err != nil || !want && market.KindOf(err) != market.Unauthenticated {
		t.Errorf("signing in gives %v; want it to work: %v", err, want)
	}
}

// TestPepper changes the pepper and the cost: who signs in is hashed anew, and
// whose pepper is gone cannot.
func TestPepper(t *testing.T) {
	db := dbtest.Open(t, "accounts", accounts.Migrations())
	with := func(cost accounts.Argon, peppers ...string) *accounts.Service {
		return newService(t, func(o *accounts.Options) {
			o.DB, o.Argon = db, cost
			for _, p := range peppers {
				o.Peppers = append(o.Peppers, []byte(p))
			}
		})
	}
	password := newcomer("").Password
	signUp(t, with(cheap), "a@example.com")
	plain := storedHash(t, db)

	first := with(cheap, "pepper number one")
	signsIn(t, first, "wrong", false)
	if storedHash(t, db) != plain {
		t.Error("a wrong password changed the hash")
	}
	signsIn(t, first, password, true)
	peppered := storedHash(t, db)
	if peppered == plain || !strings.Contains(peppered, ",keyid=") || strings.Contains(peppered, "pepper") {
		t.Errorf("stored as %s", peppered)
	}
	signsIn(t, first, password, true)
	if storedHash(t, db) != peppered {
		t.Error("hashed anew without need")
	}
	signsIn(t, with(cheap), password, false)
	signsIn(t, with(cheap, "pepper number two"), password, false)
	signsIn(t, with(cheap, "pepper number two", "pepper number one"), password, true)
	if second := storedHash(t, db); second == peppered {
		t.Error("the new pepper is not in use")
	}
	signsIn(t, with(cheap, "pepper number two"), password, true)
	signsIn(t, first, password, false)

	dearer := accounts.Argon{MemoryKiB: 16, Passes: 1, Lanes: 1}
	signsIn(t, with(dearer, "pepper number two"), password, true)
	if got := storedHash(t, db); !strings.Contains(got, "$m=16,") {
		t.Errorf("stored as %s after the cost was raised", got)
	}
}

// weak are passwords that are refused where only strong ones are taken.
var weak = []string{"short", "1234567", "password1", "Password1", "iloveyou", "qwertyuiop", "A@EXAMPLE.com"}

func TestWeakPasswords(t *testing.T) {
	open, strict := newService(t, nil), newService(t, func(o *accounts.Options) { o.OnlyStrong = true })
	for i, password := range weak {
		n := newcomer(fmt.Sprintf("%d@example.com", i))
		n.Password = password
		if password == weak[len(weak)-1] {
			n.Mail = "a@example.com"
		}
		if _, err := open.SignUp(t.Context(), n); err != nil {
			t.Errorf("the open mode refuses %s: %v", password, err)
		}
		if _, err := strict.SignUp(t.Context(), n); market.KindOf(err) != market.Invalid || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", password, err)
		}
	}
	for i, password := range []string{"a purple bicycle", "öäüöäüöä", "correct horse battery staple", "s3cret words"} {
		n := newcomer(fmt.Sprintf("strong%d@example.com", i))
		n.Password = password
		if _, err := strict.SignUp(t.Context(), n); err != nil {
			t.Errorf("%s: %v", password, err)
		}
	}
}

func TestChangePassword(t *testing.T) {
	d := newDeployment(t, nil)
	a, b := signUp(t, d.one, "a@example.com"), signUp(t, d.one, "b@example.com")
	token, session := signIn(t, d.one, "a@example.com"), start(t, d.one, "a@example.com")
	d.holds(t, token, a.ID)
	const next = "a purple bicycle"
	for _, wrong := range []struct {
		by, of       market.UserID
		before, next string
		kind         market.Kind
	}{
		{a.ID, a.ID, "wrong", next, market.Invalid},
		{a.ID, a.ID, newcomer("").Password, weak[2], market.Invalid},
		{a.ID, a.ID, newcomer("").Password, "", market.Invalid},
		{b.ID, a.ID, newcomer("").Password, next, market.Denied},
		{a.ID, 99, newcomer("").Password, next, market.NotFound},
	} {
		if got, err := d.one.ChangePassword(as(t.Context(), wrong.by), wrong.of, wrong.before, wrong.next); market.KindOf(err) != wrong.kind || got != "" {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	signsIn(t, d.one, next, false)
	d.holds(t, token, a.ID)

	asked, err := d.one.MakeReset(t.Context(), "a@example.com")
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := d.one.ChangePassword(as(t.Context(), a.ID), a.ID, newcomer("").Password, next)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.two.UseReset(t.Context(), asked.Token, "a password of somebody else"); market.KindOf(err) != market.Invalid {
		t.Errorf("a token for a forgotten password outlives a change: %v", err)
	}
	d.ended(t, token, "the password was changed")
	d.ended(t, session.Access, "the password was changed")
	refused(t, d.one, session.Refresh, "the password was changed")
	d.holds(t, fresh, a.ID)
	signsIn(t, d.two, next, true)
	signsIn(t, d.two, newcomer("").Password, false)
}

// TestChangePasswordRace has many change one password at once: one wins.
func TestChangePasswordRace(t *testing.T) {
	d := newDeployment(t, nil)
	a := signUp(t, d.one, "a@example.com")
	var won atomic.Int64
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			s := d.one
			if i%2 == 1 {
				s = d.two
			}
			token, err := s.ChangePassword(as(context.Background(), a.ID), a.ID, newcomer("").Password, fmt.Sprintf("a purple bicycle %d", i))
			if err == nil {
				won.Add(1)
				holds(t, s, token, a.ID)
			} else if kind := market.KindOf(err); kind != market.Conflict && kind != market.Invalid {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if won.Load() != 1 {
		t.Errorf("%d changed the password", won.Load())
	}
}

// mailbox is what a shop's hook would send.
type mailbox struct{ sent chan accounts.Reset }

func newMailbox() *mailbox { return &mailbox{make(chan accounts.Reset, 8)} }

func (m *mailbox) send(_ context.Context, r accounts.Reset) error {
	m.sent <- r
	return nil
}

func TestReset(t *testing.T) {
	box := newMailbox()
	d := newDeployment(t, func(o *accounts.Options) { o.SendReset = box.send })
	a := signUp(t, d.one, "A@example.com")
	token := signIn(t, d.one, "a@example.com")
	d.holds(t, token, a.ID)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.one.Work(ctx) }()
	t.Cleanup(func() {
		stop()
		<-done
	})

	// Nobody is told whether a mail has an account, and a mail gets one message a minute.
	for _, mail := range []string{"nobody@example.com", "a@EXAMPLE.com", "a@example.com", "nobody@example.com"} {
		if err := d.one.AskReset(t.Context(), mail); err != nil {
			t.Errorf("asking for %s: %v", mail, err)
		}
	}
	first := <-box.sent
	if first.User != a.ID || first.Mail != "A@example.com" || !strings.HasPrefix(first.Token, "emt_") {
		t.Errorf("sent %+v", first)
	}
	d.clock.Advance(time.Minute)
	if err := d.one.AskReset(t.Context(), "a@example.com"); err != nil {
		t.Fatal(err)
	}
	second := <-box.sent
	if len(box.sent) > 0 || second.Token == first.Token {
		t.Error("too many messages, or the same one")
	}

	const next = "a purple bicycle"
	use := func(token, password, why string) {
		t.Helper()
		if err := d.two.UseReset(t.Context(), token, password); market.KindOf(err) != market.Invalid {
			t.Errorf("%s: %v", why, err)
		}
	}
	use(first.Token, next, "another was made since")
	use("emt_"+strings.Repeat("A", 43), next, "never made")
	use("", next, "empty")
	use(second.Token, weak[2], "a weak password")
	d.holds(t, token, a.ID)
	if err := d.one.UseReset(t.Context(), second.Token, next); err != nil {
		t.Fatal(err)
	}
	use(second.Token, "another purple bicycle", "used before")
	signsIn(t, d.two, next, true)
	d.ended(t, token, "the password was set anew")

	made, err := d.one.MakeReset(t.Context(), "a@example.com")
	if err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(time.Hour)
	use(made.Token, next, "its hour is over")
	if _, err := d.one.MakeReset(t.Context(), "nobody@example.com"); market.KindOf(err) != market.NotFound {
		t.Errorf("the operator is told: %v", err)
	}
	var rows int
	if err := accounts.Database(d.one).Prepare(`SELECT COUNT(*) FROM password_resets WHERE user_id <> 1`).QueryRow(t.Context()).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d resets of others, %v", rows, err)
	}
}

// TestResetRace uses one token many times at once.
func TestResetRace(t *testing.T) {
	d := newDeployment(t, nil)
	signUp(t, d.one, "a@example.com")
	made, err := d.one.MakeReset(t.Context(), "a@example.com")
	if err != nil {
		t.Fatal(err)
	}
	var won atomic.Int64
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			if err := d.two.UseReset(context.Background(), made.Token, fmt.Sprintf("a purple bicycle %d", i)); err == nil {
				won.Add(1)
			} else if market.KindOf(err) != market.Invalid {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if won.Load() != 1 {
		t.Errorf("%d used the token", won.Load())
	}
}

// TestAskResetWithoutMail says so, whoever is asked for.
func TestAskResetWithoutMail(t *testing.T) {
	s := newService(t, nil)
	signUp(t, s, "a@example.com")
	for _, mail := range []string{"a@example.com", "nobody@example.com"} {
		if err := s.AskReset(t.Context(), mail); market.KindOf(err) != market.Conflict {
			t.Errorf("%s: %v", mail, err)
		}
	}
}

// TestSameTime has an unknown mail and a wrong password race: neither is the
// slower one more often than chance has it.
func TestSameTime(t *testing.T) {
	s := newService(t, func(o *accounts.Options) { o.Argon = accounts.Argon{MemoryKiB: 512, Passes: 1, Lanes: 1} })
	signUp(t, s, "a@example.com")
	took := func(mail string) time.Duration {
		begun := time.Now()
		if _, err := s.SignIn(t.Context(), accounts.Credentials{Mail: mail, Password: "wrong"}); market.KindOf(err) != market.Unauthenticated {
			t.Fatal(err)
		}
		return time.Since(begun)
	}
	const pairs = 600
	slower := 0
	for i := range pairs {
		var known, unknown time.Duration
		if i%2 == 0 {
			known, unknown = took("a@example.com"), took("b@example.com")
		} else {
			unknown, known = took("b@example.com"), took("a@example.com")
		}
		if known > unknown {
			slower++
		}
	}
	// Chance alone gives 300 ± 12. What can be measured through a network must be
	// far outside of it.
	if share := float64(slower) / pairs; share < 0.3 || share > 0.7 {
		t.Errorf("a wrong password took longer than an unknown mail in %.0f %% of %d pairs", 100*share, pairs)
	}
}
