package app_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"emporium/internal/app"
	"emporium/internal/platform/httpapi/apitest"
)

// command runs the program in this process, in an empty folder.
func command(t *testing.T, stdin string, args ...string) (status int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = app.Run(context.Background(), app.Terminal{Args: args, In: strings.NewReader(stdin), Out: &stdout, Err: &stderr})
	return status, stdout.String(), stderr.String()
}

func TestConfigurationPage(t *testing.T) {
	apitest.Golden(t, "../../docs/configuration.md", app.ConfigurationPage())
}

func TestOpenAPIDocument(t *testing.T) {
	doc, err := app.Document()
	if err != nil {
		t.Fatal(err)
	}
	apitest.Golden(t, "../../openapi.yaml", string(doc.YAML))
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"serve", "--help"}, {"import", "--help"}} {
		status, out, errs := command(t, "", args...)
		if status != 0 || !strings.Contains(out, "Usage: emporium") {
			t.Errorf("%v: %d %s %s", args, status, out, errs)
		}
	}
	if _, out, _ := command(t, "", "--help"); !strings.Contains(out, "emporium serve --demo") {
		t.Errorf("no examples in %s", out)
	}
}

func TestConfigCheckReportsEveryFault(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, value := range map[string]string{
		"EMPORIUM_DRAIN": "soon", "EMPORIUM_HASHES": "-3", "EMPORIUM_LOG_LEVEL": "loud", "EMPORIUM_TYPO": "1",
		"EMPORIUM_POPULAR_DATA_URL": "ftp://x", "EMPORIUM_SECRET": "short", "EMPORIUM_CACHE_BYTES": "many",
		"EMPORIUM_TOKEN_KEY": "no key", "EMPORIUM_ACCOUNTS_URL": "http://x?y=1",
	} {
		t.Setenv(name, value)
	}
	status, _, errs := command(t, "", "config", "check", "--access=some", "--listen=nowhere")
	if status != 1 {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{"EMPORIUM_DRAIN", "EMPORIUM_HASHES", "EMPORIUM_LOG_LEVEL", "EMPORIUM_TYPO", "EMPORIUM_POPULAR_DATA_URL", "EMPORIUM_SECRET", "EMPORIUM_CACHE_BYTES", "--access", "--listen", "EMPORIUM_TOKEN_KEY", "EMPORIUM_ACCOUNTS_URL", "11 faults"} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %s in\n%s", want, errs)
		}
	}
	if strings.Contains(errs, `"short"`) || strings.Contains(errs, "no key") {
		t.Error("a secret is printed")
	}
}

// What stands between the network and the services is checked before a start.
func TestConfigCheckOfTheEdge(t *testing.T) {
	t.Chdir(t.TempDir())
	for settings, want := range map[string]string{ // with spaces between them
		"--limit-address=600":                                        "such as 600/1m",
		"--limit-account=many/1m":                                    "such as 600/1m",
		"--limit-sign-in=0/1m":                                       "0/1m",
		"--limit-sign-up=5/soon":                                     "such as 600/1m",
		"EMPORIUM_LIMIT_ADDRESS_REQUESTS=-1":                         "0 for any",
		"EMPORIUM_LIMIT_CONNECTIONS=-1":                              "--limit-connections (EMPORIUM_LIMIT_CONNECTIONS): must be at least 0",
		"EMPORIUM_LIMIT_WORK=-1":                                     "--limit-work (EMPORIUM_LIMIT_WORK): must be at least 0",
		"--limit-header-bytes=100":                                   "--limit-header-bytes (EMPORIUM_LIMIT_HEADER_BYTES): must be at least 4096",
		"--limit-streams=0":                                          "--limit-streams (EMPORIUM_LIMIT_STREAMS): must be at least 1",
		"--limit-answer-time=0s":                                     "--limit-answer-time (EMPORIUM_LIMIT_ANSWER_TIME): must be longer",
		"--tls-look=0s":                                              "--tls-look (EMPORIUM_TLS_LOOK): must be longer",
		"--limit-url=http://127.0.0.1":                               "--limit-url (EMPORIUM_LIMIT_URL)",
		"--cors-origins=shop.example":                                "--cors-origins (EMPORIUM_CORS_ORIGINS)",
		"--cors-origins=* --cors-credentials":                        "need origins by name",
		"--tls-cert=x":                                               "give both or neither",
		"--tls-redirect=127.0.0.1:0":                                 "there is no TLS to send callers to",
		"--billing-database=movies_db":                               "", // they are files
		"--limit-address=auto --limit-key=off":                       "",
		"--limit-address=600/1m --limit-work=0":                      "",
		"--cors-origins=https://shop.example":                        "",
		"--database-url=mysql://hunter2@h/x":                         "--database-url (EMPORIUM_DATABASE_URL)",
		"--database-url=postgres://h/x --billing-database=movies_db": "each service needs its own",
	} {
		t.Run(settings, func(t *testing.T) {
			args := []string{"config", "check"}
			for setting := range strings.FieldsSeq(settings) {
				if name, value, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "EMPORIUM_") {
					t.Setenv(name, value)
				} else {
					args = append(args, setting)
				}
			}
			status, out, errs := command(t, "", args...)
			if (status == 0) != (want == "") || !strings.Contains(errs, want) || strings.Contains(out+errs, "hunter2") {
				t.Errorf("%d %s, want %q", status, errs, want)
			}
		})
	}
}

func TestConfigCheckTakesWhatIsRight(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("EMPORIUM_LISTEN", "127.0.0.1:1,[::1]:2")
	if status, out, errs := command(t, "", "config", "check", "--access=open"); status != 0 {
		t.Errorf("%d %s %s", status, out, errs)
	}
}

// The mode follows from where the program listens, unless somebody chooses.
func TestMode(t *testing.T) {
	for _, c := range []struct {
		access, mode string
		listen       []string
	}{
		{"auto", "open", []string{"127.0.0.1:0"}},
		{"auto", "open", []string{"localhost:0", "[::1]:0", "127.9.9.9:0"}},
		{"auto", "protected", []string{"0.0.0.0:0"}},
		{"auto", "protected", []string{":0"}},
		{"auto", "protected", []string{"[::]:0"}},
		{"auto", "protected", []string{"192.0.2.1:0"}},
		{"auto", "protected", []string{"localhost.example.org:0"}},
		{"auto", "protected", []string{"127.0.0.1:0", "192.0.2.1:0"}},
		{"protected", "protected", []string{"127.0.0.1:0"}},
		{"open", "open", []string{"0.0.0.0:0"}},
	} {
		if mode := app.ModeOf(&app.Config{Access: c.access, Listen: c.listen}); mode != c.mode {
			t.Errorf("--access=%s on %v is %s, want %s", c.access, c.listen, mode, c.mode)
		}
	}
}

// A demo is never made on a server, also where its files are there already.
func TestDemoIsMadeInFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	data := t.TempDir()
	for _, there := range []bool{false, true} {
		if there {
			if err := os.WriteFile(filepath.Join(data, "demo"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		status, _, errs := command(t, "", "serve", "--demo", "--listen=127.0.0.1:0", "--data="+data, "--database-url=postgres://emporium@127.0.0.1:1/postgres")
		if status != 1 || !strings.Contains(errs, "a demo is made in files") {
			t.Errorf("demo there: %t: %d %s", there, status, errs)
		}
	}
}

// The open mode beyond loopback is warned of. The address is one for
// documentation (RFC 5737), which nobody has, so that nothing listens.
func TestOpenElsewhereIsWarnedOf(t *testing.T) {
	t.Chdir(t.TempDir())
	for address, warned := range map[string]bool{"192.0.2.1:0": true, "127.0.0.1:99999": false} {
		status, _, errs := command(t, "", "serve", "--access=open", "--listen="+address, "--data="+t.TempDir())
		if status == 0 || strings.Contains(errs, "level=WARN msg=\"open mode") != warned {
			t.Errorf("%s: %d %s", address, status, errs)
		}
	}
}

func TestSecretFromFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte("too short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("EMPORIUM_SECRET_FILE", file)
	t.Setenv("EMPORIUM_SECRET", "") // restored after the test
	_ = os.Unsetenv("EMPORIUM_SECRET")
	status, _, errs := command(t, "", "config", "check")
	if status != 1 || !strings.Contains(errs, "EMPORIUM_SECRET") || strings.Contains(errs, "too short") {
		t.Errorf("%d %s", status, errs)
	}
}

func TestDotEnv(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile(".env", []byte("EMPORIUM_DRAIN=soon\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("EMPORIUM_DRAIN", "")
	_ = os.Unsetenv("EMPORIUM_DRAIN")
	if status, _, errs := command(t, "", "config", "check"); status != 1 || !strings.Contains(errs, "EMPORIUM_DRAIN") {
		t.Errorf("%d %s", status, errs)
	}
}

func TestImportAndExport(t *testing.T) {
	t.Chdir(t.TempDir())
	rows := `[
  {"title": "Alien"},
  {"title": 5},
  {"id": 99, "title": "Brazil", "description": "1985"},
  {"titel": "Casablanca"}
]`
	status, out, errs := command(t, rows, "import", "movies", "-", "--data=shop")
	if status != 1 || out != "2 movies imported into shop, 2 refused\n" {
		t.Errorf("%d %s", status, out)
	}
	if want := "line 3: title must be a string; got a number\nline 5: 2 faults: titel is not a field here; title is required\n"; errs != want {
		t.Errorf("got  %s\nwant %s", errs, want)
	}
	status, out, errs = command(t, "", "export", "movies", "--data=shop")
	if want := `[{"id":1,"title":"Alien","description":null},{"id":2,"title":"Brazil","description":"1985"}]` + "\n"; status != 0 || out != want {
		t.Errorf("%d %s %s", status, out, errs)
	}
	// what was exported goes in again, in the same order
	if status, _, _ = command(t, "", "export", "movies", "movies.json", "--data=shop"); status != 0 {
		t.Fatal(status)
	}
	if status, out, errs = command(t, "", "import", "movies", "movies.json", "--data=other"); status != 0 {
		t.Errorf("%d %s %s", status, out, errs)
	}
	_, again, _ := command(t, "", "export", "movies", "--data=other")
	if first, _ := os.ReadFile("movies.json"); again != string(first) {
		t.Errorf("got  %s\nwant %s", again, first)
	}
}

// TestEverythingGoesRound exports each kind of goods and imports it elsewhere.
func TestEverythingGoesRound(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, kind := range []struct{ what, rows string }{
		{"movies", `{"title":"Alien é"}{"title":"Brazil","description":"1985"}`},
		{"coupons", `{}{"title":"x","expire_at":"2016-08-05T08:40:51.620Z","published_at":"2016-08-05T08:40:51.620Z","store":{"lat":1.5}}`},
		{"products", `{"id":70,"face":"e\u0301","size":1,"price":2}{"face":"f","size":1,"price":2}`},
		{"users", `{"username":"..","email":"a@b"}{"username":"a/b é?%41","email":"a@b"}{"username":".","email":"a@b"}`},
		{"purchases", `{"username":"..","product_id":70}{"username":"a/b é?%41","product_id":71}{"username":".","product_id":71}{"id":9,"username":"..","product_id":71}`},
	} {
		if status, _, errs := command(t, kind.rows, "import", kind.what, "-", "--data=shop"); status != 0 {
			t.Fatalf("%s: %s", kind.what, errs)
		}
		status, first, errs := command(t, "", "export", kind.what, "--data=shop")
		if status != 0 {
			t.Fatalf("%s: %s", kind.what, errs)
		}
		if status, out, errs := command(t, first, "import", kind.what, "-", "--data=other"); status != 0 {
			t.Errorf("%s: %s %s of %s", kind.what, out, errs, first)
		}
		if _, again, errs := command(t, "", "export", kind.what, "--data=other"); again != first || strings.Count(kind.rows, "}{")+1 > strings.Count(first, "\"id\"")+strings.Count(first, "email") {
			t.Errorf("%s: got  %s %s\nwant %s", kind.what, again, errs, first)
		}
	}
}

func TestImportForms(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, c := range map[string]struct {
		file string
		good string
		errs string
	}{
		"lines":    {"{\"title\":\"a\"}\n\n{\"title\":\"b\"}\n{\"title\":7}", "2 movies", "line 4: title must be a string; got a number\n"},
		"wrapped":  {"{\"movies\": [\n{\"title\":\"a\"}, {\"title\":\"b\"}]}", "2 movies", ""},
		"empty":    {"", "0 movies", ""},
		"cut off":  {"[{\"title\":\"a\"},\n{\"title\":", "1 movies", "emporium: line 2: the file is not valid JSON here"},
		"not rows": {"[1, null, \"x\"]", "0 movies", "line 1: the body must be an object; got a number\nline 1: the body must be an object; got null\nline 1: the body must be an object; got a string\n"},
		"latin 1":  {"[{\"title\":\"caf\xe9\"},\n{\"title\":\"a\"}]", "1 movies", "line 1: the body is not valid JSON: at byte 13: invalid UTF-8\n"},
		"broken":   {"{\"title\":\"a\"}\n{\"title\" \"b\"}\n{\"title\":\"c\"}", "2 movies imported", "line 2: the file is not valid JSON here: invalid character '\"' after object name (expecting ':')\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, out, errs := command(t, c.file, "import", "movies", "-", "--data="+t.TempDir())
			if !strings.HasPrefix(out, c.good) || !strings.HasPrefix(errs, c.errs) || (c.errs == "") != (errs == "") {
				t.Errorf("%s%s", out, errs)
			}
		})
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
