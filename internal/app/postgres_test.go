package app_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/testenv"
)

// onServer gives the flags that put every service's data on a server, each in a
// database of a name that is not there, and the names.
func onServer(t *testing.T, at string) (flags []string, names map[string]string) {
	t.Helper()
	names = map[string]string{}
	flags = []string{"--data=" + t.TempDir(), "--database-url=" + at}
	for _, service := range []string{"accounts", "auctions", "billing", "coupons", "inventory", "property", "purchases"} {
		names[service] = dbtest.NewName(t, at, service)
		flags = append(flags, "--"+service+"-database="+names[service])
	}
	return flags, names
}

// look asks a database for one text, past the program.
func look(t *testing.T, server, database, query string) (text string) {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + database
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), query).Scan(&text); err != nil {
		return err.Error()
	}
	return text
}

// TestOnPostgres takes movies and orders, and looks at them as one does with
// psql.
func TestOnPostgres(t *testing.T) {
	at, ok := testenv.Require(t, "postgres")
	if !ok {
		return
	}
	flags, names := onServer(t, at)
	p := programtest.Start(t, flags...)
	if status, answer := post(t, p.URL+"/api/movies", `{"title":"Évry","description":null}`); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	if status, answer := post(t, p.URL+"/api/billing", `{"user_id":"3","number_of_items":"5","total_amount":"250"}`); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	if got := look(t, at, names["inventory"], `SELECT id || ' ' || title FROM movies`); got != "1 Évry" {
		t.Errorf("the table movies holds %s", got)
	}
	const want, query = "1|3|5|250.00", `SELECT id || '|' || user_id || '|' || number_of_items || '|' || total_amount FROM orders`
	got := ""
	for ended := time.Now().Add(20 * time.Second); got != want && time.Now().Before(ended); time.Sleep(20 * time.Millisecond) {
		got = look(t, at, names["billing"], query)
	}
	if got != want {
		t.Errorf("the table orders holds %s; want %s", got, want)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	again := programtest.Start(t, flags...)
	if status, body, err := again.Get(t.Context(), "/api/movies/1"); err != nil || status != 200 || !strings.Contains(body, "Évry") {
		t.Errorf("started again: %d %s, %v", status, body, err)
	}
}

// TestPostgresIsAway starts where no server answers: the program runs, says that
// it is not ready, and loses nothing by it.
func TestPostgresIsAway(t *testing.T) {
	nobody := freeAddress(t)
	p := programtest.Start(t, "--data="+t.TempDir(), fmt.Sprintf("--database-url=postgres://emporium:secret@%s/postgres", nobody))
	for path, want := range map[string]int{
		"/healthz": 200, "/readyz": 503, "/api/movies": 503, "/coupons/1": 503, "/api/v1/items": 503,
		"/.well-known/jwks.json": 503, "/api/users": 503, "/api/billing/orders": 503,
	} {
		if status, body, err := p.Get(context.Background(), path); err != nil || status != want {
			t.Errorf("%s: %d %s, %v", path, status, body, err)
		}
	}
	if status, answer := post(t, p.URL+"/api/movies", `{"title":"Alien"}`); status != 503 || strings.Contains(answer, nobody) {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer := post(t, p.URL+"/api/billing", order); status != 200 {
		t.Errorf("an order: %d %s", status, answer)
	}
	if strings.Contains(p.Output(), "secret@") {
		t.Error("the password is logged")
	}
}
