package app_test

import (
	"strings"
	"testing"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/testenv"
)

// TestCopy takes a shop in files to PostgreSQL: it looks as before, people sign
// in as before, and numbers go on where they were.
func TestCopy(t *testing.T) {
	at, ok := testenv.Require(t, "postgres")
	if !ok {
		return
	}
	data := t.TempDir() + "/data"
	p := programtest.Start(t, "--data="+data, "--demo")
	look := func(p *programtest.Program) string {
		t.Helper()
		v := visitor{base: p.URL}
		auth := v.ask(t, 200, "POST", "/api/user/auth", `{"mail":"clemence.moreau@example.org","password":"timber-jasper-harbor-42"}`)
		v.token = strings.Split(auth, `"`)[3]
		var all strings.Builder
		for _, path := range []string{
			"/coupons?limit=1000", "/api/v1/items?limit=1000", "/api/v1/bids?limit=1000", "/api/v1/users?limit=1000", "/api/movies?limit=1000", "/api/movies/3000",
			"/api/billing/orders?limit=1000", "/api/property/?limit=1000", "/api/property/1/rooms", "/api/type/", "/api/user/", "/api/users", "/api/products?limit=1000",
			"/api/purchases/by_product/1", "/.well-known/jwks.json",
		} {
			all.WriteString(path + " " + v.ask(t, 200, "GET", path, "") + "\n")
		}
		return all.String()
	}
	v := visitor{base: p.URL}
	gone := v.ask(t, 201, "POST", "/coupons", `{"title":"gone"}`)
	v.ask(t, 204, "DELETE", "/coupons/"+strings.Trim(strings.Split(gone, ":")[1], "}"), "")
	before := look(p)
	settings, _ := onServer(t, at)
	settings[0] = "--data=" + data
	if status, _, errs := command(t, "", append([]string{"copy"}, settings...)...); status != 1 || !strings.Contains(errs, "stop the server first") {
		t.Errorf("while the server runs: %d %s", status, errs)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	status, out, errs := command(t, "", append([]string{"copy"}, settings...)...)
	if status != 0 || strings.Count(out, " rows\n") != 7 {
		t.Fatalf("%d %s %s", status, out, errs)
	}
	on := programtest.Start(t, settings...)
	if after := look(on); after != before {
		t.Errorf("it does not look as before:\n%s", firstDifference(before, after))
	}
	v = visitor{base: on.URL}
	if next := v.ask(t, 201, "POST", "/coupons", `{"title":"next"}`); next <= gone {
		t.Errorf("after the deleted %s comes %s", gone, next)
	}
	if status, _, errs := command(t, "", append([]string{"copy"}, settings...)...); status != 1 || !strings.Contains(errs, "is not empty") || !strings.Contains(errs, "--accounts-database") {
		t.Errorf("a second time: %d %s", status, errs)
	}
	if status, _, errs := command(t, "", "copy", "popular", "--data="+data); status != 1 || !strings.Contains(errs, "'popular'") || !strings.Contains(errs, "--database-url") {
		t.Errorf("what cannot be copied: %d %s", status, errs)
	}
}
