package app_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"emporium/internal/app/programtest"
)

// The pages on which people sign in come through the gateway, too, with their
// cookies and redirects.
func TestSignInThroughTheGateway(t *testing.T) {
	const shared = "--secret=of the deployment, at least 32 characters"
	accounts := programtest.Start(t, "--data="+t.TempDir(), shared, "--access=protected", "--trusted-proxies=127.0.0.1", "accounts")
	front := programtest.Start(t, "--data="+t.TempDir(), shared, "--access=protected", "--accounts-url="+accounts.URL, "gateway")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	_, form := browse(t, browser, front.URL+"/sign-in/new", nil)
	proof := regexp.MustCompile(`name="form" value="([^"]+)"`).FindStringSubmatch(form)
	if proof == nil {
		t.Fatalf("no form:\n%s", form)
	}
	res, body := browse(t, browser, front.URL+"/sign-in/new", url.Values{
		"form": {proof[1]}, "firstName": {"Ada"}, "lastName": {"Byron"}, "birthDate": {"1990-12-10"}, "mail": {"ada@example.com"}, "password": {"a lamp and two chairs"},
	})
	if at := res.Request.URL.String(); at != front.URL+"/sign-in/account" || !strings.Contains(body, `id="token"`) {
		t.Errorf("at %s:\n%s", at, body)
	}
}

// browse gets a page, or sends it a form, and gives what is answered in the end.
func browse(t *testing.T, browser *http.Client, address string, form url.Values) (*http.Response, string) {
	t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// Whatever guesses at what lets people in counts as an attempt to sign in: on the
// pages as in the API, whatever the case of the mail, by a new password as by the
// old one. Renewing a token that holds never does.
func TestAttemptsAreCountedTogether(t *testing.T) {
	limits := []string{"--limit-sign-in-mail=3/1h", "--limit-sign-in=9/1h", "--limit-sign-up=1/1h"}
	p := programtest.Start(t, append(limits, "--data="+t.TempDir(), "accounts", "gateway")...)
	const newcomer = `{"firstName":"Ada","lastName":"Byron","birthDate":"1990-12-10","mail":"ada@example.com","password":"a lamp and two chairs"}`
	ask := func(method, path, body string, want int, header ...string) (answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	},
	) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, p.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil && !errors.Is(err, io.EOF) || resp.StatusCode != want {
			t.Errorf("%s %s %s: %s, want %d", method, path, body, resp.Status, want)
		}
		return answer
	}
	ask("POST", "/api/user", newcomer, 201)
	ask("POST", "/api/user", newcomer, 429)
	in := ask("POST", "/api/user/auth?refresh=1", `{"mail":"ada@example.com","password":"a lamp and two chairs"}`, 200)

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	_, form := browse(t, browser, p.URL+"/sign-in", nil)
	fields := url.Values{"mail": {"ADA@example.com"}, "password": {"wrong"}}
	if proof := regexp.MustCompile(`name="form" value="([^"]+)"`).FindStringSubmatch(form); proof != nil {
		fields.Set("form", proof[1])
	}
	if res, body := browse(t, browser, p.URL+"/sign-in", fields); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("the page: %s\n%s", res.Status, body)
	}
	ask("POST", "/api/user/password-reset", `{"mail":"Ada@example.com"}`, 409) // this shop sends no mail
	ask("POST", "/api/user/password-reset", `{"mail":"ada@example.com"}`, 429) // with this mail
	ask("POST", "/api/user/auth", `{"mail":"ada@example.com","password":"a lamp and two chairs"}`, 429)

	const change = `{"password":"wrong","newPassword":"a purple bicycle"}`
	for range 3 {
		ask("PUT", "/api/user/1/password", change, 400, "Authorization", "Bearer "+in.Access)
	}
	ask("PUT", "/api/user/1/password", change, 429, "Authorization", "Bearer "+in.Access) // of this account
	for range 3 {
		in = ask("POST", "/api/user/refresh", `{"refresh_token":"`+in.Refresh+`"}`, 200)
	}
	ask("PUT", "/api/user/password-reset", `{"token":"emt_x","newPassword":"a purple bicycle"}`, 400)
	ask("POST", "/api/user/refresh", `{"refresh_token":"emr_x"}`, 401)
	ask("POST", "/api/user/password-reset", `{"mail":"eve@example.com"}`, 409)

	// Nine in all: the address has no attempt left, and renews what holds.
	ask("PUT", "/api/user/password-reset", `{"token":"emt_x","newPassword":"a purple bicycle"}`, 429)
	ask("POST", "/api/user/refresh", `{"refresh_token":"emr_x"}`, 429)
	ask("POST", "/api/user/auth", `{"mail":"eve@example.com","password":"any"}`, 429)
	ask("POST", "/api/user/refresh", `{"refresh_token":"`+in.Refresh+`"}`, 200)
}
