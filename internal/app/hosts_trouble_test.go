package app_test

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/testenv"
)

// TestTroubles makes happen what docs/howto/many-hosts.md says may go wrong, and
// compares the words.
func TestTroubles(t *testing.T) {
	server, ok := testenv.Require(t, "postgres")
	if !ok {
		return
	}
	text, err := os.ReadFile(manyHostsPage)
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| what you see | what it is |\n| --- | --- |\n")
	happened := troubles(t, server)
	known := 0
	for _, row := range regexp.MustCompile("(?m)^\\| [^|`]*`([^`]*)`[^|]*\\|").FindAllStringSubmatch(table, -1) {
		shown := row[1]
		switch {
		case strings.HasPrefix(shown, "POST "): // what one does
			continue
		case strings.HasPrefix(shown, "FATAL: "): // the server's own words
			continue
		}
		known++
		pieces := strings.Split(shown, "…")
		found := false
		for _, text := range happened {
			all := true
			for _, piece := range pieces {
				all = all && strings.Contains(text, piece)
			}
			found = found || all
		}
		if !found {
			t.Errorf("nothing said %q; there were\n%s", shown, strings.Join(happened, "\n"))
		}
	}
	if known != len(happened) {
		t.Errorf("the page names %d troubles, and %d were made", known, len(happened))
	}
}

// troubles are what the program says, with the page's names in the place of the
// test's.
func troubles(t *testing.T, server string) []string {
	t.Helper()
	refused := func(args ...string) string {
		t.Helper()
		status, _, errs := command(t, "", append([]string{"serve", "--listen=127.0.0.1:0"}, args...)...)
		if status != 1 {
			t.Errorf("%q: %d %s", args, status, errs)
		}
		return errs
	}
	asked := func(p *programtest.Program, path string, header ...string) string {
		t.Helper()
		return visitor{base: p.URL}.refusal(t, path, header...)
	}
	role := dbtest.NewName(t, server, "role")
	dbtest.Run(t, server, "CREATE ROLE "+role+" LOGIN")
	t.Cleanup(func() { dbtest.Run(t, server, "DROP ROLE "+role) })
	as, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	as.User = url.User(role)
	name := dbtest.NewName(t, server, "inventory")
	mayNot := refused("--data="+t.TempDir(), "--database-url="+as.String(), "--inventory-database="+name, "inventory")

	onServer := []string{"--database-url=" + server, "--inventory-database=" + name, "inventory"}
	programtest.Start(t, append(onServer, "--data="+t.TempDir(), "--secret="+strings.Repeat("a", 32))...)
	otherSecret := refused(append(onServer, "--data="+t.TempDir(), "--secret="+strings.Repeat("b", 32))...)

	nobody := freeAddress(t)
	waiting := programtest.Start(t, "--data="+t.TempDir(), "--database-url=postgres://emporium:secret@"+nobody+"/postgres", "coupons")
	// It says so before it listens, and its log is written a moment later.
	soon(t, "the log", func() string { return strconv.FormatBool(strings.Contains(waiting.Output(), "yet")) }, "true")

	data := "--data=" + t.TempDir()
	billing := programtest.Start(t, data, "billing")
	inUse := regexp.MustCompile(`process \d+ has`).ReplaceAllString(refused(data, "billing"), "process 4711 has")

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := refused("--data="+t.TempDir(), "--listen="+l.Addr().String(), "coupons")

	gateway := programtest.Start(t, "--data="+t.TempDir(), "--inventory-url=http://"+nobody, "gateway")
	inventory := programtest.Start(t, "--data="+t.TempDir(), "--access=protected", "accounts", "inventory")
	open := programtest.Start(t, "--data="+t.TempDir(), "--access=open", "--inventory-url="+inventory.URL, "gateway")
	all := []string{
		asked(open, "/api/movies"),
		mayNot, otherSecret, waiting.Output(), inUse, refused("--data="+t.TempDir(), "property"), taken,
		strings.ReplaceAll(asked(gateway, "/coupons"), "coupons", "inventory"),
		asked(gateway, "/api/movies"), asked(billing, "/api/billing/orders", "X-Forwarded-For", "192.0.2.1"),
	}
	for i := range all {
		all[i] = strings.NewReplacer(name, "movies_db", role, "emporium").Replace(all[i])
	}
	return all
}

// refusal is the body of a GET that is not answered well.
func (v visitor) refusal(t *testing.T, path string, header ...string) string {
	t.Helper()
	status := http.StatusServiceUnavailable
	if len(header) > 0 {
		status = http.StatusForbidden
	}
	return v.ask(t, status, "GET", path, "", header...)
}
