package signin_test

import (
	"strings"
	"testing"

	"emporium/internal/accounts/signin"
)

func TestParseProviders(t *testing.T) {
	for text, want := range map[string]string{
		``:   "",
		`[]`: "",
		`[{"preset": "github", "client_id": "x"}, {"preset": "bitbucket", "client_id": "x"}]`:                                              "",
		`[{"preset": "gitlab", "client_id": "x"}, {"preset": "gitlab", "name": "own", "issuer": "https://git.example", "client_id": "x"}]`: "",
		`[{"name": "a", "issuer": "http://127.0.0.1:1", "client_id": "x"}]`:                                                                "",
		`{`:                       "cannot be read",
		`[{"name": 1}]`:           "must be a string",
		`[{"nam": "x"}]`:          `unknown field "nam"`,
		`[] []`:                   "something behind",
		`[{"preset": "myspace"}]`: "there is no preset",
		`[{"preset": "google"}]`:  "client_id is missing",
		`[{"name": "A b", "issuer": "https://id.example", "client_id": "x"}]`:                                                                          "name must be",
		`[{"name": "a", "issuer": "http://id.example", "client_id": "x"}]`:                                                                             "issuer must be an https address",
		`[{"name": "a", "issuer": "https://u:p@id.example", "client_id": "x"}]`:                                                                        "issuer must be an https address",
		`[{"name": "a", "client_id": "x"}]`:                                                                                                            "profile_url is missing",
		`[{"name": "a", "client_id": "x", "authorise_url": "https://x.example", "token_url": "http://x.example", "profile_url": "https://x.example"}]`: "token_url must be an https address",
		`[{"name": "a", "client_id": "x", "issuer": "https://x.example", "token_url": "https://x.example"}]`:                                           "discovered",
		`[{"name": "a", "client_id": "x", "issuer": "https://x.example", "token_auth": "jwt"}]`:                                                        "token_auth must be",
		`[{"preset": "google", "client_id": "x"}, {"preset": "google", "client_id": "y"}]`:                                                             `two providers are named "google"`,
		`[{"name": "a", "client_secret": "hush", "client_idd": "x"}]`:                                                                                  "unknown field",
	} {
		_, err := signin.ParseProviders([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush")) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	all, err := signin.ParseProviders([]byte(`[{"preset": "github", "client_id": "x"}]`))
	if err != nil || len(all) != 1 || all[0].Name != "github" || all[0].Label != "GitHub" || all[0].MailsURL != "https://api.github.com/user/emails" {
		t.Errorf("%+v %v", all, err)
	}
}
