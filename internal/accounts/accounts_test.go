package accounts_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"emporium/internal/accounts"
	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/events"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/apitest"
)

// cheap is what a hash costs where it is not what is tested.
var cheap = accounts.Argon{MemoryKiB: 8, Passes: 1, Lanes: 1}

// clock can be set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// random gives the same bytes in every run.
type random struct {
	mu  sync.Mutex
	src *rand.ChaCha8
}

func newRandom() *random { return &random{src: rand.NewChaCha8([32]byte{7})} }

func (r *random) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.src.Read(b)
}

// told gives the events in a database's outbox.
func told(t testing.TB, db *database.DB) []string {
	t.Helper()
	rows, err := db.Prepare(`SELECT name || ' ' || payload FROM outbox ORDER BY id`).Query(t.Context())
	all, err := database.All(rows, err, func(row database.Row) (s string, err error) { return s, row.Scan(&s) })
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func newService(t testing.TB, change func(*accounts.Options)) *accounts.Service {
	t.Helper()
	c := newClock()
	o := accounts.Options{Now: c.Now, Random: newRandom(), Argon: cheap, Secret: []byte("a secret of the deployment, in tests")}
	if change != nil {
		change(&o)
	}
	if o.DB == nil {
		o.DB = dbtest.Open(t, "accounts", accounts.Migrations())
	}
	var err error
	if o.Outbox, err = events.NewOutbox(o.DB, o.Now); err != nil {
		t.Fatal(err)
	}
	service, err := accounts.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return service
}

func newcomer(mail string) accounts.Newcomer {
	return accounts.Newcomer{FirstName: "Zoé", LastName: "Martin", BirthDate: "1990-04-23", Mail: mail, Password: "s3cret words"}
}

func signUp(t testing.TB, s *accounts.Service, mail string) accounts.Account {
	t.Helper()
	a, err := s.SignUp(t.Context(), newcomer(mail))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// newAPI is the accounts on a real database, with two people.
func newAPI(t *testing.T) *apitest.API {
	t.Helper()
	service := newService(t, nil)
	signUp(t, service, "zoe@example.com")
	signUp(t, service, "Élie@example.com")
	return apitest.New(t, func(api *httpapi.API) { accounts.Routes(api.System(accounts.System()), service) })
}

func body(changes ...string) string {
	fields := map[string]string{
		"firstName": `"Ada"`, "lastName": `"Byron"`, "birthDate": `"2000-02-29"`, "mail": `"ada@example.com"`, "password": `"pa55 words"`,
	}
	for i := 0; i < len(changes); i += 2 {
		fields[changes[i]] = changes[i+1]
	}
	var parts []string
	for _, name := range []string{"firstName", "lastName", "birthDate", "mail", "password", "role"} {
		if v := fields[name]; v != "" {
			parts = append(parts, fmt.Sprintf("%q:%s", name, v))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func quoted(s string, n int) string { return `"` + strings.Repeat(s, n) + `"` }

func TestAccounts(t *testing.T) {
	const post, me = "POST /api/user", "Authorization: Bearer user-1"
	apitest.Run(t, newAPI, "testdata/accounts.golden", []apitest.Case{
		// what works
		{Name: "list", Call: "GET /api/user/"},
		{Name: "list without a slash, whatever else is asked", Call: "GET /api/user?colour=red"},
		{Name: "first page", Call: "GET /api/user?limit=1"},
		{Name: "last page", Call: "GET /api/user?limit=1&cursor=c1"},
		{Name: "sign up", Call: "POST /api/user/", Body: body()},
		{Name: "sign up with texts of 255 characters", Call: post, Body: body("firstName", quoted("é", 255), "password", quoted("ж", 255))},
		{Name: "sign up on the day of birth", Call: post, Body: body("birthDate", `"2026-03-01"`)},
		{Name: "sign up with the first day", Call: post, Body: body("birthDate", `"1900-01-01"`)},
		{Name: "sign up again with the same key", Before: []string{post + " " + body()}, Call: post, Body: body(), Header: "Idempotency-Key: k"},
		{Name: "get", Call: "GET /api/user/1"},
		{Name: "get unchanged", Call: "GET /api/user/1", Header: `If-None-Match: "1"`},
		{Name: "update", Call: "PUT /api/user/1", Header: me, Body: `{"firstName":"Zoë"}`},
		{Name: "update with what a get gave", Call: "PUT /api/user/1", Header: me, Body: `{"userId":"1","firstName":"Zoë","lastName":"M","birthDate":"1991-01-01","mail":"zoe@example.com"}`},
		{Name: "update with the right version", Call: "PUT /api/user/1", Header: me + `|If-Match: "1"`, Body: `{"lastName":"M"}`},
		{Name: "delete", Call: "DELETE /api/user/1", Header: me},
		{Name: "ids go on after a deletion", Before: []string{"DELETE /api/user/2"}, Call: post, Header: "Authorization: Bearer user-2", Body: body("mail", `"élie@example.com"`)},
		{Name: "sign in", Call: "POST /api/user/auth", Body: `{"mail":"zoe@example.com","password":"s3cret words"}`},
		{Name: "sign in, whatever the case of the mail", Call: "POST /api/user/auth/", Body: `{"mail":"éLIE@EXAMPLE.com","password":"s3cret words"}`},
		{Name: "keys", Call: "GET /.well-known/jwks.json"},
		// 400
		{Name: "sign up with nothing", Call: post, Body: `{}`},
		{Name: "sign up without a body", Call: post},
		{Name: "sign up with wrong types", Call: post, Body: body("firstName", "null", "lastName", "5", "password", "123456", "role", `"admin"`)},
		{Name: "sign up with empty texts", Call: post, Body: body("firstName", `""`, "lastName", `""`, "birthDate", `""`, "mail", `""`, "password", `""`)},
		{Name: "sign up with long texts", Call: post, Body: body("firstName", quoted("é", 256), "lastName", quoted("x", 256), "mail", quoted("x", 256), "password", quoted("p", 256))},
		{Name: "sign up with a null character", Call: post, Body: body("firstName", `"a\u0000b"`)},
		{Name: "sign up before birth", Call: post, Body: body("birthDate", `"2026-03-02"`)},
		{Name: "sign up too old", Call: post, Body: body("birthDate", `"1899-12-31"`)},
		{Name: "sign up on a day that is none", Call: post, Body: body("birthDate", `"2023-02-29"`)},
		{Name: "sign up with a time", Call: post, Body: body("birthDate", `"2000-02-29T00:00:00Z"`)},
		{Name: "sign up with a short date", Call: post, Body: body("birthDate", `"2000-2-9"`)},
		{Name: "sign up with no mail address", Call: post, Body: body("mail", `"ada at example.com"`)},
		{Name: "sign in with nothing", Call: "POST /api/user/auth", Body: `{}`},
		{Name: "sign in with empty texts", Call: "POST /api/user/auth", Body: `{"mail":"","password":""}`},
		{Name: "sign in with wrong types", Call: "POST /api/user/auth", Body: `{"mail":["a"],"password":1234,"otp":1}`},
		{Name: "update everything wrong", Call: "PUT /api/user/1", Header: me, Body: `{"userId":2,"firstName":"","lastName":"","birthDate":"soon","mail":"b@example.com","password":"new"}`},
		{Name: "update the mail's case", Call: "PUT /api/user/1", Header: me, Body: `{"mail":"Zoe@example.com"}`},
		{Name: "update the password to what it is", Call: "PUT /api/user/1", Header: me, Body: `{"password":"s3cret words"}`},
		{Name: "update to null", Call: "PUT /api/user/1", Header: me, Body: `{"firstName":null,"password":null}`},
		{Name: "update an unknown field", Call: "PUT /api/user/1", Header: me, Body: `{"role":"admin"}`},
		{Name: "bad id", Call: "GET /api/user/abc"},
		{Name: "id 0", Call: "GET /api/user/0"},
		{Name: "bad limit", Call: "GET /api/user?limit=0"},
		// 401
		{Name: "wrong password", Call: "POST /api/user/auth", Body: `{"mail":"zoe@example.com","password":"s3cret Words"}`},
		{Name: "unknown mail", Call: "POST /api/user/auth", Body: `{"mail":"zoë@example.com","password":"s3cret words"}`},
		{Name: "update without a token", Call: "PUT /api/user/1", Body: `{"firstName":""}`},
		{Name: "delete with a bad token", Call: "DELETE /api/user/1", Header: "Authorization: Bearer nobody"},
		// 403
		{Name: "update somebody else, with bad values", Call: "PUT /api/user/2", Header: me, Body: `{"firstName":""}`},
		{Name: "delete somebody else", Call: "DELETE /api/user/2", Header: me},
		// 404 comes before the right, which comes before the values
		{Name: "get who is not there", Call: "GET /api/user/3"},
		{Name: "update who is not there", Call: "PUT /api/user/3", Header: me, Body: `{"firstName":""}`},
		{Name: "delete who is not there", Call: "DELETE /api/user/3", Header: me},
		{Name: "delete twice", Before: []string{"DELETE /api/user/1"}, Call: "DELETE /api/user/1", Header: me},
		// 405, 415
		{Name: "patch all", Call: "PATCH /api/user/", Body: `{}`},
		{Name: "patch the sign-in", Call: "PATCH /api/user/auth", Body: `{}`},
		{Name: "sign up as a form", Call: post, Header: "Content-Type: application/x-www-form-urlencoded", Body: "mail=a"},
		// 409
		{Name: "mail taken", Call: post, Body: body("mail", `"zoe@example.com"`)},
		{Name: "mail taken in another case", Call: post, Body: body("mail", `"éLIE@Example.COM"`)},
		{Name: "key reused with another body", Before: []string{post + " " + body()}, Call: post, Body: body("password", `"other"`), Header: "Idempotency-Key: k"},
		// 412 comes after the values
		{Name: "update an old version", Call: "PUT /api/user/1", Header: me + `|If-Match: "7"`, Body: `{"lastName":"M"}`},
		{Name: "update an old version with bad values", Call: "PUT /api/user/1", Header: me + `|If-Match: "7"`, Body: `{"lastName":""}`},
		{Name: "delete an old version", Call: "DELETE /api/user/1", Header: me + `|If-Match: "7"`},
	})
}

// TestSecretsStay looks for passwords and hashes where they must not be: in
// refusals, in the list and in what is kept for repeats.
func TestSecretsStay(t *testing.T) {
	db := dbtest.Open(t, "accounts", accounts.Migrations())
	service := newService(t, func(o *accounts.Options) { o.DB = db })
	api := apitest.New(t, func(api *httpapi.API) { accounts.Routes(api.System(accounts.System()), service) })
	secret := strings.Repeat("tell nobody ", 30)
	for _, call := range []struct{ call, body string }{
		{"POST /api/user", body("password", `"`+secret+`"`)},
		{"POST /api/user", body("password", `["`+secret+`"]`)},
		{"POST /api/user", body("password", `"tell nobody"`)},
		{"POST /api/user", body("password", `"tell nobody"`)},
		{"POST /api/user/auth", `{"mail":"ada@example.com","password":"tell nobody else"}`},
		{"PUT /api/user/1", `{"password":"tell nobody"}`},
		{"GET /api/user", ""},
		{"GET /api/user/1", ""},
	} {
		w := api.Do(t, call.call, call.body, "Authorization: Bearer user-1|Idempotency-Key: "+strconv.Itoa(len(call.body)))
		if text := w.Body.String(); strings.Contains(text, "tell nobody") || strings.Contains(text, "argon2") {
			t.Errorf("%s answers %s", call.call, text)
		}
	}
	rows, err := db.Prepare(`SELECT result FROM idempotency`).Query(t.Context())
	results, err := database.All(rows, err, func(row database.Row) (result []byte, err error) { return result, row.Scan(&result) })
	if err != nil {
		t.Fatal(err)
	}
	kept := string(bytes.Join(results, []byte(",")))
	if !strings.Contains(kept, "ada@example.com") || strings.Contains(kept, "tell") || strings.Contains(kept, "argon2") {
		t.Errorf("kept for repeats: %s", kept)
	}
}

// TestOneMailOnce has 64 callers sign up with one mail.
func TestOneMailOnce(t *testing.T) {
	service := newService(t, nil)
	api := apitest.New(t, func(api *httpapi.API) { accounts.Routes(api.System(accounts.System()), service) })
	var mu sync.Mutex
	var wg sync.WaitGroup
	statuses := map[int]int{}
	for i := range 64 {
		wg.Go(func() {
			mail := "ada@example.com"
			if i%2 == 1 {
				mail = "ADA@Example.com"
			}
			w := api.Do(t, "POST /api/user", body("mail", `"`+mail+`"`), "")
			mu.Lock()
			defer mu.Unlock()
			statuses[w.Code]++
		})
	}
	wg.Wait()
	if statuses[http.StatusCreated] != 1 || statuses[http.StatusConflict] != 63 {
		t.Errorf("statuses %v, want one 201 and 63 409", statuses)
	}
}

// TestDeletionIsTold checks that an event goes with the change, and none with
// one that was refused.
func TestDeletionIsTold(t *testing.T) {
	db := dbtest.Open(t, "accounts", accounts.Migrations())
	service := newService(t, func(o *accounts.Options) { o.DB = db })
	a := signUp(t, service, "a@example.com")
	other := market.WithIdentity(t.Context(), market.Identity{User: a.ID + 1})
	if err := service.DeleteAccount(other, a.ID, market.IfMatch{}); market.KindOf(err) != market.Denied || len(told(t, db)) != 0 {
		t.Fatalf("%v, told %v", err, told(t, db))
	}
	if err := service.DeleteAccount(market.WithIdentity(t.Context(), market.Identity{User: a.ID}), a.ID, market.IfMatch{}); err != nil {
		t.Fatal(err)
	}
	const want = `account_deleted.v1 {"user_id":1,"at":"2026-03-01T12:00:00`
	if got := told(t, db); len(got) != 1 || !strings.HasPrefix(got[0], want) {
		t.Errorf("told %v, want %v", got, want)
	}
}

// TestNotTold checks that a deletion that cannot be told is not made.
func TestNotTold(t *testing.T) {
	db := dbtest.Open(t, "accounts", accounts.Migrations())
	service := newService(t, func(o *accounts.Options) { o.DB = db })
	a := signUp(t, service, "a@example.com")
	drop := db.Prepare(`DROP TABLE outbox`)
	if err := db.Update(t.Context(), func(tx *database.Tx) error { _, err := tx.Exec(drop); return err }); err != nil {
		t.Fatal(err)
	}
	if err := service.DeleteAccount(market.WithIdentity(t.Context(), market.Identity{User: a.ID}), a.ID, market.IfMatch{}); err == nil {
		t.Fatal("no error")
	}
	if _, err := service.Account(t.Context(), a.ID); err != nil {
		t.Errorf("the account is gone: %v", err)
	}
}

func TestIsMail(t *testing.T) {
	for _, s := range []string{"a@b", "zoe@example.com", "z.o+e_-'!#$%&*/=?^`{|}~@sub.example.co.uk", "élie@exämple.com", "用户@例子.中国", "a@[1]"[:1] + "@1.2.3.4"} {
		if !accounts.IsMail(s) {
			t.Errorf("%q is taken for no mail address", s)
		}
	}
	for _, s := range []string{
		"", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b c", "a@.b", "a@b.", "a@b..c", ".a@b", "a.@b", "a..b@c", "a@-b", "a@b-",
		"Zoe <zoe@example.com>", "a@b,c@d", "a\n@b", "a@b\t", "a\u00a0@b", "a\u200b@b", `"a"@b`, "a;@b", "a@b:1",
		strings.Repeat("x", 65) + "@b", "a@" + strings.Repeat("x", 64),
	} {
		if accounts.IsMail(s) {
			t.Errorf("%q is taken for a mail address", s)
		}
	}
}

// FuzzMail checks that whatever is taken is one address in one line.
func FuzzMail(f *testing.F) {
	for _, s := range []string{"a@b", "a@b@c", "é@ü.de", "a@b\n", "<a@b>", "a@b..c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if accounts.IsMail(s) && (strings.Count(s, "@") != 1 || strings.ContainsAny(s, " \r\n\t<>,;\x00") || len(s) > 400) {
			t.Errorf("%q is taken for a mail address", s)
		}
	})
}

// FuzzHash checks that a PHC string is taken only as it is written.
func FuzzHash(f *testing.F) {
	for _, s := range []string{
		"$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=0,t=0,p=0$$", "$argon2i$v=19$m=8,t=1,p=1$AAAA$AAAA", "$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=+8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if again, err := accounts.ReadHash(s); err == nil && again != s {
			t.Errorf("%q reads as %q", s, again)
		}
	})
}
