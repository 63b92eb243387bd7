package app_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"emporium/internal/app/programtest"
)

// In a deployment of two processes in protected mode: what ends in one has ended
// in the other within five seconds, and the operator's commands reach the
// accounts while they run.
func TestSessionsInTwoProcesses(t *testing.T) {
	data, box := "--data="+t.TempDir(), filepath.Join(t.TempDir(), "box")
	hook := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(hook, []byte("cat > "+box+".part && mv "+box+".part "+box+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	accounts := programtest.Start(t, data, "--access=protected", "--password-reset-hook=sh "+hook, "--password-reset-link=https://shop.example.org/reset?token={token}", "accounts")
	homes := programtest.Start(t, data, "--access=protected", "--accounts-url="+accounts.URL, "property")
	v := visitor{base: accounts.URL}
	v.ask(t, 400, "POST", "/api/user", `{"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":"a@example.org","password":"password1"}`)
	v.ask(t, 201, "POST", "/api/user", `{"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":"a@example.org","password":"correct horse"}`)
	signIn := func(password string) string {
		t.Helper()
		return field([]byte(v.ask(t, 200, "POST", "/api/user/auth", `{"mail":"a@example.org","password":"`+password+`"}`)), "access_token")
	}
	reads := func(token string, status int) {
		t.Helper()
		visitor{base: homes.URL, token: token}.ask(t, status, "GET", "/api/type", "")
	}
	token, other := signIn("correct horse"), signIn("correct horse")
	mine := visitor{base: accounts.URL, token: other}
	key := field([]byte(mine.ask(t, 201, "POST", "/api/user/1/keys", `{"name":"till","scopes":"property:read"}`)), "key")
	for _, who := range []string{token, other, key} {
		reads(who, 200)
	}
	visitor{base: homes.URL, token: key}.ask(t, 403, "POST", "/api/property", `{"name":"x","description":"d","city":"c","typeId":1}`)
	visitor{base: accounts.URL, token: token}.ask(t, 204, "POST", "/api/user/sign-out", "")
	mine.ask(t, 204, "DELETE", "/api/user/1/keys/1", "")
	time.Sleep(5 * time.Second)
	reads(token, 401)
	reads(key, 401)
	reads(other, 200)

	run := func(args ...string) string {
		t.Helper()
		status, out, errs := command(t, "", append(args, data, "--server="+accounts.URL)...)
		if status != 0 {
			t.Fatalf("%v: %d %s", args, status, errs)
		}
		return out
	}
	if out := run("keys", "list"); !strings.Contains(out, "signing") {
		t.Error(out)
	}
	if out := run("keys", "rotate"); !strings.Contains(out, "Nobody is signed out") {
		t.Error(out)
	}
	if out := run("keys", "list"); !strings.Contains(out, "next") || !strings.Contains(out, "signing") {
		t.Error(out)
	}
	if status, _, errs := command(t, "", "keys", "retire", "x", data, "--server="+accounts.URL); status != 1 || !strings.Contains(errs, "no signing key") {
		t.Errorf("%d %s", status, errs)
	}
	reads(other, 200)

	out := run("password-reset", "A@example.org")
	_, reset, _ := strings.Cut(out, "emt_")
	reset, _, _ = strings.Cut("emt_"+reset, "\n")
	v.ask(t, 204, "PUT", "/api/user/password-reset", `{"token":"`+reset+`","newPassword":"a purple bicycle"}`)
	time.Sleep(5 * time.Second)
	reads(other, 401)
	reads(signIn("a purple bicycle"), 200)

	v.ask(t, 202, "POST", "/api/user/password-reset", `{"mail":"nobody@example.org"}`)
	v.ask(t, 202, "POST", "/api/user/password-reset", `{"mail":"a@example.org"}`)
	var message []byte
	until(t, "the hook is run", func() (there bool) {
		var err error
		message, err = os.ReadFile(box)
		return err == nil
	})
	sent := field(message, "token")
	if field(message, "mail") != "a@example.org" || field(message, "link") != "https://shop.example.org/reset?token="+sent {
		t.Errorf("the hook read %s", message)
	}
	v.ask(t, 204, "PUT", "/api/user/password-reset", `{"token":"`+sent+`","newPassword":"a green bicycle"}`)
	v.ask(t, 400, "PUT", "/api/user/password-reset", `{"token":"`+sent+`","newPassword":"a blue bicycle"}`)

	log := accounts.Output() + homes.Output()
	for _, secret := range []string{sent, reset, key, token, other, "correct horse", "a purple bicycle", "a green bicycle", "a@example.org"} {
		if strings.Contains(log, secret) {
			t.Errorf("the logs hold %s", secret)
		}
	}
}

// A server that takes messages gets them as a POST. One that leads elsewhere has
// not taken it: it is asked again, and nobody else is told the token.
func TestHookIsNotLedElsewhere(t *testing.T) {
	taken := make(chan string, 10)
	tries := 0
	mux := http.NewServeMux()
	mux.HandleFunc("/hook", func(w http.ResponseWriter, r *http.Request) {
		if tries++; tries == 1 {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		taken <- r.Method + " " + r.Header.Get("Content-Type") + " " + string(body)
	})
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { taken <- "elsewhere" })
	hook := httptest.NewServer(mux)
	t.Cleanup(hook.Close)
	accounts := programtest.Start(t, "--data="+t.TempDir(), "--password-reset-hook="+hook.URL+"/hook", "accounts")
	v := visitor{base: accounts.URL}
	v.ask(t, 201, "POST", "/api/user", `{"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":"a@example.org","password":"correct horse"}`)
	v.ask(t, 202, "POST", "/api/user/password-reset", `{"mail":"a@example.org"}`)
	select {
	case got := <-taken:
		if want := `POST application/json {"kind":"password_reset","mail":"a@example.org","name":"A","token":"emt_`; !strings.HasPrefix(got, want) {
			t.Errorf("taken: %s", got)
		}
	case <-time.After(time.Minute):
		t.Errorf("nothing was taken\n%s", accounts.Output())
	}
}
