package app_test

import (
	"strings"
	"testing"

	"emporium/internal/app/programtest"
)

// A gateway and a service of different modes do not work together, whichever of
// them is the wrong one, and do once they are started in the same.
func TestOneModeForAll(t *testing.T) {
	for ours, theirs := range map[string]string{"open": "protected", "protected": "open"} {
		accounts := programtest.Start(t, "--data="+t.TempDir(), "--access="+theirs, "accounts")
		movies := programtest.Start(t, "--data="+t.TempDir(), "--access="+theirs, "--accounts-url="+accounts.URL, "inventory")
		front := programtest.Start(t, "--data="+t.TempDir(), "--access="+ours, "--inventory-url="+movies.URL, "gateway", "accounts", "coupons")
		v := visitor{base: front.URL}
		for _, method := range []string{"GET", "POST"} {
			if got := v.ask(t, 503, method, "/api/movies", `{"title":"x"}`); !strings.Contains(got, "'inventory' runs in "+theirs+" mode") || !strings.Contains(got, "--access") {
				t.Errorf("%s", got)
			}
		}
		v.ask(t, 200, "GET", "/coupons", "")
		v.shows(t, "/readyz", `{"parts":{"accounts":"ready","coupons":"ready","inventory":"not ready","queue":"ready"},"status":"ready"}`)
		until(t, "both say so in their logs", func() bool {
			return strings.Contains(front.Output(), "not asked: it runs in another mode") && strings.Contains(movies.Output(), "asked by a process of another mode")
		})
		movies.Kill()
		accounts.Kill()
		movies = programtest.Start(t, "--data="+t.TempDir(), "--access="+ours, "--accounts-url="+front.URL, "--listen="+movies.Address(), "inventory")
		v.shows(t, "/readyz", `{"parts":{"accounts":"ready","coupons":"ready","inventory":"ready","queue":"ready"},"status":"ready"}`)
		if got := v.ask(t, 200, "GET", "/api/movies", ""); got != "[]" {
			t.Errorf("%s", got)
		}
	}
}

// In protected mode no process starts that could not tell who asks.
func TestProtectedNeedsAccounts(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, service := range []string{"coupons", "gateway", "popular"} {
		status, _, errs := command(t, "", "serve", "--access=protected", "--listen=127.0.0.1:0", "--data="+t.TempDir(), "--popular-data-url=http://127.0.0.1:1", service)
		if status != 1 || !strings.Contains(errs, "--accounts-url") {
			t.Errorf("%s: %d %s", service, status, errs)
		}
	}
}
