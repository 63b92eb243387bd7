package app_test

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"emporium/internal/app/programtest"
)

// TestNothingPersonalIsLogged lives through what people do and get wrong, and
// then looks at everything that was written: on the terminals no password, token,
// mail address or birth date; on the disk no password and no token.
func TestNothingPersonalIsLogged(t *testing.T) {
	for name, start := range map[string]func(*testing.T, ...string) map[string]*programtest.Program{
		"in one process": func(t *testing.T, settings ...string) map[string]*programtest.Program {
			return map[string]*programtest.Program{"gateway": programtest.Start(t, settings...)}
		},
		"one process per service": split,
	} {
		t.Run(name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			all := start(t, "--data="+data, "--log-level=debug", "--access=protected")
			said := personalLife(t, all["gateway"].URL)
			if property := all["property"]; property != nil {
				property.Kill()
				until(t, "the gateway has noticed", func() bool {
					status, _, err := all["gateway"].Get(t.Context(), "/api/property/"+said["mail"])
					return err == nil && status == http.StatusServiceUnavailable
				})
			}
			lines := 0
			for service, p := range all {
				_ = p.Stop()
				out := p.Output()
				lines += strings.Count(out, "\n")
				for what, value := range said {
					if i := strings.Index(strings.ToLower(out), strings.ToLower(value)); i >= 0 {
						t.Errorf("%s has written a %s: …%.300s", service, what, out[max(0, i-200):])
					}
				}
			}
			if lines < 20 {
				t.Errorf("only %d lines were written: this looks at nothing", lines)
			}
			files := 0
			err := filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || !entry.Type().IsRegular() {
					return err
				}
				text, err := os.ReadFile(path)
				files++
				for what, value := range said {
					if what != "mail" && what != "birth date" && strings.Contains(string(text), value) {
						t.Errorf("%s holds a %s", filepath.Base(path), what)
					}
				}
				return err
			})
			if err != nil || files < 8 {
				t.Errorf("%d files, %v", files, err)
			}
		})
	}
}

// personalLife does with an account what can be done, rightly and wrongly, and
// gives the values to look for.
func personalLife(t *testing.T, base string) map[string]string {
	const mail, password, wrong, birth = "quaxi.person@example.org", "Quaxi-7391-horse", "Quaxi-1288-wrong", "1987-06-05"
	v := visitor{base: base}
	person := `{"firstName":"A","lastName":"B","birthDate":"` + birth + `","mail":"` + mail + `","password":"` + password + `"}`
	sent := func(method, path, body, token string, header ...string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if token != "" {
			r.Header.Set("Authorization", token)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode >= http.StatusInternalServerError {
			t.Errorf("%s %s: %d", method, path, resp.StatusCode)
		}
	}
	id := idOf(t, v.ask(t, 201, "POST", "/api/user", person, "Idempotency-Key", "quaxi"), "userId")
	v.ask(t, 201, "POST", "/api/user", person, "Idempotency-Key", "quaxi")
	v.ask(t, 409, "POST", "/api/user", strings.Replace(person, mail, strings.ToUpper(mail), 1))
	v.ask(t, 401, "POST", "/api/user/auth", `{"mail":"`+mail+`","password":"`+wrong+`"}`)
	v.token = field([]byte(v.ask(t, 200, "POST", "/api/user/auth", `{"mail":"`+mail+`","password":"`+password+`"}`)), "access_token")
	head, rest, _ := strings.Cut(v.token, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	bad := head + "." + claims + "." + strings.Repeat("A", len(signature))

	for _, body := range []string{
		`{"mail":"` + mail + `","password":"` + password, `{"mail":{"` + mail + `":1},"password":["` + password + `"],"birthDate":"` + birth + `"}`,
		`{"` + mail + `":1,"` + password + `":2,"` + birth + `":3}`, `"` + password + `"`, `{"birthDate":"` + birth + `x","mail":"` + mail + ` x","password":""}`,
		`{"mail":"` + mail + `","mail":"` + password + `"}`, `{"userId":"` + mail + `","number_of_items":"` + birth + `","total_amount":"` + password + `","user_id":"` + mail + `"}`,
	} {
		for _, call := range []string{"POST /api/user", "POST /api/user/auth", "PUT /api/user/" + id, "POST /api/billing", "POST /api/property", "POST /api/v1/bids", "POST /api/staff", "POST /coupons"} {
			method, path, _ := strings.Cut(call, " ")
			sent(method, path, body, "Bearer "+v.token)
			sent(method, path, body, "")
		}
	}
	for _, token := range []string{"Bearer " + bad, "Bearer " + password, "Basic " + password, password, "Emporium 1." + password} {
		sent("GET", "/api/user/"+id, "", token)
		sent("GET", "/api/property", "", token)
		sent("GET", "/api/personal-data/"+id, "", token)
	}
	for _, path := range []string{
		"/api/user/" + mail, "/api/user/" + mail + "/", "/api/nothing/" + v.token, "/api/recent_purchases/" + mail, "/api/users/" + mail, "/" + mail,
		"/api/user?mail=" + mail + "&birthDate=" + birth, "/api/user/auth?password=" + password + "&access_token=" + v.token, "/coupons?" + mail + "=1",
		"/api/billing/orders?user_id=" + mail, "/api/property/" + v.token, "/api/v1/items/" + mail, "/api/personal-data/" + mail, "/api/v1/bids?cursor=" + v.token,
	} {
		sent("GET", path, "", "Bearer "+v.token)
		sent("DELETE", path, "", "Bearer "+bad)
	}
	sent("GET", "/api/user/"+id, "", "Bearer "+v.token, "X-Forwarded-For", mail, "Referer", "http://"+mail+"/"+v.token, "User-Agent", mail, "Cookie", "t="+v.token, "Traceparent", mail)
	v.ask(t, 200, "POST", "/api/billing", `{"user_id":"`+id+`","number_of_items":1,"total_amount":1}`)
	v.ask(t, 200, "PUT", "/api/user/"+id, `{"firstName":"Quaxi","birthDate":"`+birth+`"}`)
	v.ask(t, 200, "GET", "/api/personal-data/"+id, "")
	v.ask(t, 200, "DELETE", "/api/user/"+id, "")
	return map[string]string{"mail": mail, "password": password, "wrong password": wrong, "birth date": birth, "token": v.token, "token's claims": claims, "bad token": bad}
}
