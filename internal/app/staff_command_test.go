package app_test

import (
	"path/filepath"
	"strings"
	"testing"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/testenv"
)

// staff runs one of the staff commands, which must end well.
func staff(t *testing.T, args ...string) string {
	t.Helper()
	status, out, errs := command(t, "correct horse battery", append([]string{"staff"}, args...)...)
	if status != 0 {
		t.Fatalf("staff %v: %d %s %s", args, status, out, errs)
	}
	return out
}

// The command makes, lists and takes away staff while a server runs and while
// none does, on files and on a server of data.
func TestStaffCommand(t *testing.T) {
	places := map[string]func(*testing.T) []string{
		"files": func(t *testing.T) []string { return []string{"--data=" + filepath.Join(t.TempDir(), "data")} },
	}
	if at, ok := testenv.Require(t, "postgres"); ok {
		places["PostgreSQL"] = func(t *testing.T) []string {
			flags, _ := onServer(t, at)
			return flags
		}
	}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			flags := place(t)
			with := func(args ...string) []string { return append(args, flags...) }
			p := programtest.Start(t, append([]string{"--access=protected"}, flags...)...)
			if !strings.Contains(p.Output(), "There is no staff yet") {
				until(t, "the program says how to make the first staff member", func() bool { return strings.Contains(p.Output(), "/staff/first?token=") })
			}
			v := visitor{base: p.URL}
			v.ask(t, 201, "POST", "/api/user", `{"firstName":"Zoé","lastName":"Martin","birthDate":"1990-01-02","mail":"zoe@example.org","password":"correct horse zoe"}`)
			if out := staff(t, with("add", "ZOE@example.org")...); !strings.Contains(out, "zoe@example.org (account 1, Zoé Martin) is staff now") || strings.Contains(out, "password:") {
				t.Errorf("%s", out)
			}
			v.token = field([]byte(v.ask(t, 200, "POST", "/api/user/auth", `{"mail":"zoe@example.org","password":"correct horse zoe"}`)), "access_token")
			v.ask(t, 201, "POST", "/coupons", `{}`)
			if err := p.Stop(); err != nil {
				t.Fatal(err)
			}
			if out := staff(t, with("add", "zoe@example.org")...); !strings.Contains(out, "already") {
				t.Errorf("%s", out)
			}
			out := staff(t, with("add", "ada@example.org", "--first-name=Ada")...)
			_, rest, made := strings.Cut(out, "password: ")
			password, _, _ := strings.Cut(rest, "\n")
			if !made || len(password) < 20 {
				t.Fatalf("%s", out)
			}
			if out := staff(t, with("list")...); !strings.Contains(out, "1        zoe@example.org  Zoé Martin") || !strings.Contains(out, "ada@example.org  Ada Member") {
				t.Errorf("%s", out)
			}
			log := staff(t, with("log")...)
			for _, want := range []string{"operator   127.0.0.1     POST /api/staff", "account 1  127.0.0.1     POST /coupons", "operator   this machine  POST /api/staff", "made account 2 staff"} {
				if !strings.Contains(log, want) {
					t.Errorf("the log lacks %q:\n%s", want, log)
				}
			}
			p = programtest.Start(t, append([]string{"--access=protected"}, flags...)...)
			v.base = p.URL
			if strings.Contains(p.Output(), "There is no staff yet") {
				t.Errorf("%s", p.Output())
			}
			if out := staff(t, with("remove", "zoe@example.org")...); !strings.Contains(out, "no longer staff") {
				t.Errorf("%s", out)
			}
			v.ask(t, 401, "POST", "/coupons", `{}`) // at once: the server itself was asked, and the role was in the token
			v.token = ""
			v.token = field([]byte(v.ask(t, 200, "POST", "/api/user/auth", `{"mail":"ada@example.org","password":"`+password+`"}`)), "access_token")
			v.ask(t, 201, "POST", "/coupons", `{}`)
			if got := staff(t, with("log", "--last=2")...); got != staff(t, "log", "--last=2", "--server="+p.URL, flags[0]) || strings.Count(got, "\n") != 3 || !strings.Contains(got, "account 2") {
				t.Errorf("%s", got)
			}
			if status, _, errs := command(t, "", with("staff", "remove", "nobody@example.org")...); status != 1 || !strings.Contains(errs, "no staff member") {
				t.Errorf("%d %s", status, errs)
			}
			if status, _, errs := command(t, "", with("staff", "add", "not a mail")...); status != 1 || !strings.Contains(errs, "mail") {
				t.Errorf("%d %s", status, errs)
			}
		})
	}
}

// Without the deployment's secret nobody is taken for its operator.
func TestStaffCommandOfAnother(t *testing.T) {
	p := programtest.Start(t, "--access=protected", "--data="+t.TempDir())
	status, _, errs := command(t, "", "staff", "list", "--server="+p.URL, "--data="+t.TempDir())
	if status != 1 || !strings.Contains(errs, "--secret") {
		t.Errorf("%d %s", status, errs)
	}
	status, _, errs = command(t, "", "staff", "add", "a@example.org", "--data="+filepath.Join(t.TempDir(), "nothing"))
	if status != 1 || !strings.Contains(errs, "there is no data at") {
		t.Errorf("%d %s", status, errs)
	}
	for _, args := range []string{"staff add", "staff list", "staff log", "staff remove"} {
		if status, out, _ := command(t, "", append(strings.Fields(args), "--help")...); status != 0 || !strings.Contains(out, "--data") {
			t.Errorf("%s: %d %s", args, status, out)
		}
	}
}

// The link that a first start prints makes the first staff member, split too.
func TestFirstStart(t *testing.T) {
	data := "--data=" + t.TempDir()
	shop := programtest.Start(t, data, "--access=protected", "accounts")
	front := programtest.Start(t, data, "--access=protected", "--accounts-url="+shop.URL, "gateway", "coupons")
	until(t, "the link is printed", func() bool { return strings.Contains(shop.Output(), "/staff/first?token=") })
	_, rest, _ := strings.Cut(shop.Output(), "/staff/first?token=")
	token, _, _ := strings.Cut(rest, "\n")
	v := visitor{base: front.URL}
	if page := v.ask(t, 200, "GET", "/staff/first?token="+token, ""); !strings.Contains(page, "<form") {
		t.Errorf("%s", page)
	}
	form := "token=" + token + "&mail=a%40example.org&password=correct+horse&firstName=A&lastName=B&birthDate=1990-01-02"
	v.ask(t, 200, "POST", "/staff/first", form, "Content-Type", "application/x-www-form-urlencoded")
	v.ask(t, 403, "POST", "/staff/first", form, "Content-Type", "application/x-www-form-urlencoded")
	v.token = field([]byte(v.ask(t, 200, "POST", "/api/user/auth", `{"mail":"a@example.org","password":"correct horse"}`)), "access_token")
	v.ask(t, 201, "POST", "/coupons", `{}`)
	for _, p := range []*programtest.Program{shop, front} {
		if log := p.Output(); strings.Count(log, token) > 1 || strings.Contains(log, "correct horse") {
			t.Errorf("the log holds a secret:\n%s", log)
		}
	}
}
