package accounts_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"emporium/internal/accounts"
	"emporium/internal/market"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/httpapi"
)

// isStaff wants a token to be of a staff member, or of somebody else.
func isStaff(t *testing.T, s market.Tokens, token string, want bool) {
	t.Helper()
	if id, err := s.Identify(t.Context(), token); err != nil || id.Staff != want {
		t.Errorf("%+v %v, want staff: %t", id, err, want)
	}
}

// TestStaff makes staff and takes the role away: a token says it, and it must
// still be so, here at once and elsewhere within five seconds.
func TestStaff(t *testing.T) {
	c := newClock()
	db := dbtest.Open(t, "accounts", accounts.Migrations())
	share := func(o *accounts.Options) { o.Now, o.DB = c.Now, db }
	here, elsewhere := newService(t, share), newService(t, share)
	a := signUp(t, here, "a@example.com")
	before := signIn(t, here, "a@example.com")
	made, err := here.AddStaff(t.Context(), accounts.Newcomer{Mail: "A@Example.com"})
	if err != nil || made.Created || made.Already || made.Account.ID != a.ID || !made.Account.Staff {
		t.Fatalf("%+v %v", made, err)
	}
	after := signIn(t, elsewhere, "a@example.com")
	isStaff(t, here, before, false) // it was signed before
	isStaff(t, here, after, true)
	isStaff(t, elsewhere, after, true)
	if made, err = here.AddStaff(t.Context(), accounts.Newcomer{Mail: "a@example.com", Password: "x"}); err != nil || !made.Already {
		t.Errorf("%+v %v", made, err)
	}
	if _, err = here.AddStaff(t.Context(), accounts.Newcomer{Mail: "b@example.com"}); market.KindOf(err) != market.NotFound {
		t.Errorf("without a password: %v", err)
	}
	if _, err := here.RemoveStaff(t.Context(), a.ID); market.KindOf(err) != market.Conflict {
		t.Errorf("the last one went: %v", err)
	}
	made, err = here.AddStaff(t.Context(), newcomer("b@example.com"))
	if err != nil || !made.Created || !made.Account.Staff {
		t.Errorf("%+v %v", made, err)
	}
	if n := len(staffOf(t, here)); n != 2 {
		t.Errorf("%d are staff", n)
	}
	if _, err := here.RemoveStaff(t.Context(), a.ID); err != nil {
		t.Error(err)
	}
	if _, err := here.RemoveStaff(t.Context(), a.ID); market.KindOf(err) != market.NotFound {
		t.Errorf("it went twice: %v", err)
	}
	holdsNot(t, here, after, "it says that its account is staff")
	c.Advance(5 * time.Second)
	holdsNot(t, elsewhere, after, "it says that its account is staff")
	inside := market.WithIdentity(t.Context(), market.Identity{Inside: true})
	if _, err := here.RemoveStaff(inside, made.Account.ID); err != nil {
		t.Errorf("from within the last one may go: %v", err)
	}
}

func staffOf(t *testing.T, s *accounts.Service) (all []accounts.Account) {
	t.Helper()
	for a, err := range s.Staff(t.Context(), market.Page{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

// TestLastStaffRace has two staff members take the role from each other at once.
func TestLastStaffRace(t *testing.T) {
	s := newService(t, nil)
	var ids []market.UserID
	for _, mail := range []string{"a@example.com", "b@example.com"} {
		made, err := s.AddStaff(t.Context(), newcomer(mail))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, made.Account.ID)
	}
	var both sync.WaitGroup
	for _, id := range ids {
		both.Go(func() { _, _ = s.RemoveStaff(context.Background(), id) })
	}
	both.Wait()
	if n := len(staffOf(t, s)); n != 1 {
		t.Errorf("%d are left, want 1", n)
	}
}

// TestFirstLink has many callers use links for the first staff member at once:
// one of them becomes it.
func TestFirstLink(t *testing.T) {
	c := newClock()
	s := newService(t, func(o *accounts.Options) { o.Now = c.Now; o.Random = nil })
	newLink := func() accounts.Link {
		t.Helper()
		link, err := s.NewFirstLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return link
	}
	old := newLink()
	c.Advance(24 * time.Hour)
	links := []accounts.Link{newLink(), newLink()}
	for why, dead := range map[string]accounts.Link{"too old": old, "none": "", "made up": "x" + links[0]} {
		if _, err := s.AddFirstStaff(t.Context(), dead, newcomer("x@example.com")); market.KindOf(err) != market.Denied {
			t.Errorf("a link that is %s: %v", why, err)
		}
	}
	signUp(t, s, "taken@example.com")
	if _, err := s.AddFirstStaff(t.Context(), links[0], newcomer("taken@example.com")); market.KindOf(err) != market.Conflict {
		t.Errorf("a mail that has an account: %v", err)
	}
	if err := s.CheckFirstLink(t.Context(), links[0]); err != nil {
		t.Errorf("what was refused used the link up: %v", err)
	}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			_, err := s.AddFirstStaff(context.Background(), links[n%2], newcomer(string(rune('a'+n))+"@example.com"))
			if err != nil && market.KindOf(err) != market.Denied {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if staff := staffOf(t, s); len(staff) != 1 {
		t.Errorf("%d became the first staff member: %v", len(staff), staff)
	}
	for _, link := range append(links, newLink()) {
		if err := s.CheckFirstLink(t.Context(), link); market.KindOf(err) != market.Denied {
			t.Errorf("a link holds on: %v", err)
		}
	}
	if link := newLink(); link != "" {
		t.Error("a link was made though there is staff")
	}
}

// TestFirstPage walks through the page, without JavaScript.
func TestFirstPage(t *testing.T) {
	s := newService(t, nil)
	api := httpapi.New(httpapi.Options{})
	accounts.Pages(s, accounts.PageOptions{Handle: api.Handle, From: func(*http.Request) string { return "" }, Fail: api.Fail})
	link, err := s.NewFirstLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	call := func(method, target, form string, status int, want ...string) {
		t.Helper()
		r := httptest.NewRequest(method, target, strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		page := w.Body.String()
		for _, text := range want {
			if !strings.Contains(page, text) {
				t.Errorf("%s %s lacks %s:\n%s", method, target, text, page)
			}
		}
		if w.Code != status || strings.Contains(page, "<script") || strings.Contains(page, "secret pass") {
			t.Errorf("%s %s: %d\n%s", method, target, w.Code, page)
		}
		_, rest, _ := strings.Cut(page, "<style>")
		style, _, _ := strings.Cut(rest, "</style>")
		sum := sha256.Sum256([]byte(style))
		policy := w.Header().Get("Content-Security-Policy")
		if style == "" || !strings.Contains(policy, "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; form-action 'self'") {
			t.Errorf("%s %s: the policy is %s", method, target, policy)
		}
		for name, value := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff"} {
			if w.Header().Get(name) != value {
				t.Errorf("%s %s: %s is %q", method, target, name, w.Header().Get(name))
			}
		}
	}
	form := func(token, mail, password string) string {
		return url.Values{"token": {token}, "mail": {mail}, "password": {password}, "firstName": {`<b>"Zoé"`}, "lastName": {"M"}, "birthDate": {"1990-01-02"}}.Encode()
	}
	path := accounts.FirstStaffPath
	call("GET", path, "", 403, "does not hold")
	call("GET", path+"?token=wrong", "", 403, "does not hold")
	call("GET", path+"?token="+string(link), "", 200, `<form method="post"`, `value="`+string(link)+`"`)
	call("POST", path, form("wrong", "a@example.com", "secret pass"), 403, "does not hold")
	call("POST", path, form(string(link), "nobody", "secret pass"), 400, "mail must be an address", "&lt;b&gt;", `aria-invalid`)
	call("POST", path, form(string(link), "a@example.com", ""), 400, "password must not be empty")
	call("POST", path, strings.Repeat("x", 20<<10), 400)
	call("POST", path, form(string(link), "a@example.com", "secret pass"), 200, "You are staff")
	call("POST", path, form(string(link), "b@example.com", "secret pass"), 403, "does not hold")
	if staff := staffOf(t, s); len(staff) != 1 || staff[0].Mail != "a@example.com" {
		t.Errorf("%v", staff)
	}
}
