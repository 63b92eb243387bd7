package accounts_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"emporium/internal/accounts"
	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
)

// deployment is the accounts in two processes that share a database, and a
// process that has their address alone.
type deployment struct {
	clock     *clock
	one, two  *accounts.Service
	elsewhere *accounts.Client
	down      interface{ Store(bool) }
}

func newDeployment(t testing.TB, change func(*accounts.Options)) *deployment {
	t.Helper()
	d := &deployment{clock: newClock()}
	db := dbtest.Open(t, "accounts", accounts.Migrations())
	share := func(o *accounts.Options) {
		o.Now, o.DB = d.clock.Now, db
		if change != nil {
			change(o)
		}
	}
	d.one, d.two = newService(t, share), newService(t, share)
	url, _, down := serveAccounts(t, d.one)
	d.down = down
	var err error
	if d.elsewhere, err = accounts.NewClient(accounts.ClientOptions{URL: url, Now: d.clock.Now}); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *deployment) verifiers() map[string]market.Tokens {
	return map[string]market.Tokens{"the process itself": d.one, "one that shares its database": d.two, "one that has its address": d.elsewhere}
}

func (d *deployment) holds(t *testing.T, token string, want market.UserID) {
	t.Helper()
	for where, tokens := range d.verifiers() {
		if id, err := tokens.Identify(t.Context(), token); err != nil || id.User != want {
			t.Errorf("%s: %v, %v; want account %d", where, id, err, want)
		}
	}
}

// ended checks that a token is over: at once where it was ended, elsewhere before
// five seconds have passed.
func (d *deployment) ended(t *testing.T, token, why string) {
	t.Helper()
	holdsNot(t, d.one, token, why+" here")
	d.clock.Advance(4 * time.Second)
	for where, tokens := range d.verifiers() {
		holdsNot(t, tokens, token, why+", in "+where)
	}
}

func as(ctx context.Context, user market.UserID) context.Context {
	return market.WithIdentity(ctx, market.Identity{User: user})
}

func start(t testing.TB, s *accounts.Service, mail string) accounts.Tokens {
	t.Helper()
	tokens, err := s.StartSession(t.Context(), accounts.Credentials{Mail: mail, Password: newcomer("").Password})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func refused(t testing.TB, s *accounts.Service, refresh, why string) {
	t.Helper()
	if got, err := s.Refresh(t.Context(), refresh); market.KindOf(err) != market.Unauthenticated || got.Access != "" || strings.Contains(err.Error(), "emr_") {
		t.Errorf("%s: %v", why, err)
	}
}

func TestSignOut(t *testing.T) {
	d := newDeployment(t, nil)
	a := signUp(t, d.one, "a@example.com")
	token, other, session := signIn(t, d.one, "a@example.com"), signIn(t, d.two, "a@example.com"), start(t, d.one, "a@example.com")
	d.holds(t, token, a.ID)
	d.holds(t, session.Access, a.ID)
	if err := d.one.SignOut(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	d.ended(t, token, "signed out")
	d.holds(t, other, a.ID)

	next, err := d.two.Refresh(t.Context(), session.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.one.SignOut(t.Context(), next.Access); err != nil {
		t.Fatal(err)
	}
	d.ended(t, session.Access, "an older token of the session")
	holdsNot(t, d.one, next.Access, "the session is over")
	refused(t, d.two, next.Refresh, "the session is over")
	d.holds(t, other, a.ID)
	if err := d.one.SignOut(t.Context(), next.Access); market.KindOf(err) != market.Unauthenticated {
		t.Errorf("signing out twice: %v", err)
	}
}

func TestSignOutEverywhere(t *testing.T) {
	d := newDeployment(t, nil)
	a, b := signUp(t, d.one, "a@example.com"), signUp(t, d.one, "b@example.com")
	token, session, others := signIn(t, d.one, "a@example.com"), start(t, d.two, "a@example.com"), signIn(t, d.one, "b@example.com")
	for _, text := range []string{token, session.Access} {
		d.holds(t, text, a.ID)
	}
	d.holds(t, others, b.ID)
	if err := d.one.SignOutEverywhere(as(t.Context(), a.ID)); err != nil {
		t.Fatal(err)
	}
	fresh := signIn(t, d.one, "a@example.com") // in the same second
	holds(t, d.one, fresh, a.ID)
	d.ended(t, token, "signed out everywhere")
	d.ended(t, session.Access, "signed out everywhere")
	refused(t, d.two, session.Refresh, "signed out everywhere")
	d.holds(t, fresh, a.ID)
	d.holds(t, others, b.ID)
}

func TestDeletedAccountElsewhere(t *testing.T) {
	d := newDeployment(t, nil)
	a := signUp(t, d.one, "a@example.com")
	token := signIn(t, d.one, "a@example.com")
	d.holds(t, token, a.ID)
	if err := d.one.DeleteAccount(as(t.Context(), a.ID), a.ID, market.IfMatch{}); err != nil {
		t.Fatal(err)
	}
	d.ended(t, token, "its account is gone")
}

// TestRevocationsWhileAway takes the accounts away: what was known goes on, and
// what ended meanwhile is known when they are back.
func TestRevocationsWhileAway(t *testing.T) {
	d := newDeployment(t, nil)
	a := signUp(t, d.one, "a@example.com")
	token, ended := signIn(t, d.one, "a@example.com"), signIn(t, d.one, "a@example.com")
	d.holds(t, token, a.ID)
	if err := d.one.SignOut(t.Context(), ended); err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(4 * time.Second)
	holdsNot(t, d.elsewhere, ended, "ended before")
	d.down.Store(true)
	if err := d.one.SignOut(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		d.clock.Advance(time.Minute)
		holds(t, d.elsewhere, token, a.ID)
		holdsNot(t, d.elsewhere, ended, "ended before")
	}
	d.down.Store(false)
	d.clock.Advance(4 * time.Second)
	holdsNot(t, d.elsewhere, token, "ended while it was away")
}

// TestManyRevocations reads a list that is longer than one answer.
func TestManyRevocations(t *testing.T) {
	d := newDeployment(t, nil)
	signUp(t, d.one, "a@example.com")
	last := signIn(t, d.one, "a@example.com")
	db := accounts.Database(d.one)
	add := db.Prepare(`INSERT INTO revocations (id, user_id, token_id, token_generation, expires_at) VALUES ($1, 1, 'x', 0, $2)`)
	count := db.Prepare(`UPDATE revocation_clock SET last_id = 1005`)
	err := db.Update(t.Context(), func(tx *database.Tx) error {
		for id := range 1005 {
			if err := tx.Send(add, id+1, market.At(d.clock.Now().Add(time.Hour))); err != nil {
				return err
			}
		}
		return tx.Send(count)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.one.SignOut(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	holdsNot(t, d.elsewhere, last, "the last of many")
}

func TestRefresh(t *testing.T) {
	d := newDeployment(t, nil)
	a := signUp(t, d.one, "a@example.com")
	tokens := start(t, d.one, "A@example.com")
	if tokens.Life != accounts.DefaultShortLife {
		t.Errorf("a token of a session holds for %v", tokens.Life)
	}
	var given []accounts.Tokens
	for range 5 {
		given = append(given, tokens)
		d.clock.Advance(10 * time.Minute)
		next, err := d.two.Refresh(t.Context(), tokens.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		if next.Refresh == tokens.Refresh || next.Access == tokens.Access {
			t.Error("nothing was renewed")
		}
		d.holds(t, next.Access, a.ID)
		tokens = next
	}
	d.holds(t, tokens.Access, a.ID)
	holdsNot(t, d.one, given[3].Access, "its quarter of an hour is over")

	// The one before, in time: its answer may have been lost.
	d.clock.Advance(9 * time.Second)
	again, err := d.one.Refresh(t.Context(), given[4].Refresh)
	if err != nil || again.Refresh != tokens.Refresh {
		t.Errorf("a repeat gets %v, not the same successor", err)
	}
	// What was never given ends nothing.
	cut := tokens.Refresh[:len(tokens.Refresh)-43]
	for _, wrong := range []string{"", "emr_", "emr_a.b.c", tokens.Access, cut + strings.Repeat("A", 43), strings.Replace(tokens.Refresh, ".5.", ".6.", 1), strings.Replace(tokens.Refresh, ".5.", ".4.", 1), tokens.Refresh + "A"} {
		refused(t, d.one, wrong, wrong)
	}
	d.holds(t, tokens.Access, a.ID)
	// One that was used before ends everything.
	d.clock.Advance(time.Second)
	refused(t, d.one, given[4].Refresh, "reused")
	d.ended(t, tokens.Access, "a refresh token of its session was used twice")
	refused(t, d.one, tokens.Refresh, "the session is over")
}

// TestRefreshAncestor uses one that is far behind, at once.
func TestRefreshAncestor(t *testing.T) {
	d := newDeployment(t, nil)
	signUp(t, d.one, "a@example.com")
	first := start(t, d.one, "a@example.com")
	second, err := d.one.Refresh(t.Context(), first.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	third, err := d.one.Refresh(t.Context(), second.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, d.two, first.Refresh, "two renewals behind")
	refused(t, d.one, third.Refresh, "the session is over")
}

func TestSessionExpires(t *testing.T) {
	d := newDeployment(t, func(o *accounts.Options) { o.SessionLife = time.Hour })
	signUp(t, d.one, "a@example.com")
	tokens := start(t, d.one, "a@example.com")
	d.clock.Advance(59 * time.Minute)
	tokens, err := d.one.Refresh(t.Context(), tokens.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(time.Hour)
	refused(t, d.one, tokens.Refresh, "nobody used it for an hour")
}

// TestRefreshRace has many use one refresh token at once, in two processes: all
// get one successor, which is good.
func TestRefreshRace(t *testing.T) {
	d := newDeployment(t, nil)
	a := signUp(t, d.one, "a@example.com")
	tokens := start(t, d.one, "a@example.com")
	var wait sync.WaitGroup
	got := make([]accounts.Tokens, 16)
	for i := range got {
		wait.Go(func() {
			s := d.one
			if i%2 == 1 {
				s = d.two
			}
			var err error
			if got[i], err = s.Refresh(context.Background(), tokens.Refresh); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, g := range got {
		if g.Refresh != got[0].Refresh {
			t.Fatal("one refresh token has two successors")
		}
	}
	next, err := d.one.Refresh(t.Context(), got[0].Refresh)
	if err != nil {
		t.Fatal(err)
	}
	d.holds(t, next.Access, a.ID)
}

// TestSignInWhileSignedOut ends everything while somebody signs in: the token
// that comes of it does not hold.
func TestSignInWhileSignedOut(t *testing.T) {
	service := newService(t, func(o *accounts.Options) { o.AtOnce = 2 })
	a := signUp(t, service, "a@example.com")
	release := make(chan struct{})
	accounts.HoldHashes(service, release)
	tokens := make(chan accounts.Tokens, 1)
	go func() {
		got, err := service.StartSession(context.Background(), accounts.Credentials{Mail: "a@example.com", Password: newcomer("").Password})
		if err != nil {
			t.Error(err)
		}
		tokens <- got
	}()
	for accounts.Hashing(service) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := service.SignOutEverywhere(as(t.Context(), a.ID)); err != nil {
		t.Fatal(err)
	}
	close(release)
	got := <-tokens
	holdsNot(t, service, got.Access, "signed in before, signed out since")
	refused(t, service, got.Refresh, "signed in before, signed out since")
}

// TestMadeUpRefreshTokens has somebody make up refresh tokens of a session that
// was renewed thousands of times. To see that they are none takes as many hashes,
// for which no change of anybody else waits.
func TestMadeUpRefreshTokens(t *testing.T) {
	s := newService(t, nil)
	signUp(t, s, "a@example.com")
	session, _, _ := strings.Cut(start(t, s, "a@example.com").Refresh, ".")
	db := accounts.Database(s)
	rotate := db.Prepare(`UPDATE sessions SET rotation = 8000 RETURNING rotation`)
	held, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	rotation := 0
	err := db.Update(t.Context(), func(tx *database.Tx) error { return tx.QueryRow(rotate).Scan(&rotation) })
	if err != nil || rotation != 8000 {
		t.Fatal(rotation, err)
	}
	go func() {
		done <- db.Update(context.Background(), func(tx *database.Tx) error {
			if err := tx.QueryRow(rotate).Scan(&rotation); err != nil {
				return err
			}
			close(held)
			<-free
			return nil
		})
	}()
	<-held
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, made := range []string{session + ".0.", "emr_unknown.0."} {
		if _, err := s.Refresh(ctx, made+strings.Repeat("A", 43)); market.KindOf(err) != market.Unauthenticated {
			t.Errorf("%s: %v", made, err)
		}
	}
	close(free)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
