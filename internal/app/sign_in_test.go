package app_test

import (
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
	read := func(res *http.Response, err error) (at, body string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.Request.URL.String(), string(b)
	}
	_, form := read(browser.Get(front.URL + "/sign-in/new")) //nolint:bodyclose,noctx // read closes it
	proof := regexp.MustCompile(`name="form" value="([^"]+)"`).FindStringSubmatch(form)
	if proof == nil {
		t.Fatalf("no form:\n%s", form)
	}
	at, body := read(browser.PostForm(front.URL+"/sign-in/new", url.Values{ //nolint:bodyclose,noctx // read closes it
		"form": {proof[1]}, "firstName": {"Ada"}, "lastName": {"Byron"}, "birthDate": {"1990-12-10"}, "mail": {"ada@example.com"}, "password": {"a lamp and two chairs"},
	}))
	if at != front.URL+"/sign-in/account" || !strings.Contains(body, `id="token"`) {
		t.Errorf("at %s:\n%s", at, body)
	}
}
