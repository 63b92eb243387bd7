package faulttest_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	_ "emporium/internal/platform/database/dbtest" // brings the driver
)

// Where each kind of write is stored: its name and its id, of one run.
var stored = map[string]struct{ database, query string }{
	"coupon":   {"coupons_db", `SELECT title, id::text FROM coupons WHERE title LIKE $1 || ' %'`},
	"movie":    {"movies_db", `SELECT title, id::text FROM movies WHERE title LIKE $1 || ' %'`},
	"home":     {"property_db", `SELECT name, id::text FROM properties WHERE name LIKE $1 || ' %'`},
	"order":    {"billing_db", `SELECT user_id, 'Message posted' FROM orders WHERE user_id LIKE $1 || ' %' AND number_of_items = 5 AND total_amount = 180.5`},
	"purchase": {"purchases_db", `SELECT id::text, id::text FROM purchases WHERE username = $1`},
	"account":  {"accounts_db", `SELECT mail, id::text FROM accounts WHERE mail LIKE $1 || '.%' AND mail NOT LIKE $1 || '.owner@%'`},
	"bid": {"auctions_db", `SELECT trim_scale(value_cents / 100.0)::text, 'bid' || bids.id FROM bids
		JOIN items ON items.id = item_id WHERE items.name LIKE $1 || ' %'`},
}

// losers are items whose winner is not their highest and earliest bid.
const losers = `SELECT count(*) FROM items WHERE name LIKE $1 || ' %' AND winning_bid_id IS DISTINCT FROM
	(SELECT id FROM bids WHERE item_id = items.id ORDER BY value_cents DESC, seq LIMIT 1)`

// count is what became of the writes of a run.
type count struct{ answered, stored, lost, doubled int }

// look asks a database, past the shop.
func (r *rig) look(t *testing.T, database, query string, args ...any) (rows [][2]string) {
	t.Helper()
	db, err := sql.Open("pgx", strings.Replace(r.postgres.URL(r.postgres.Address()), "/postgres?", "/"+database+"?", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer found.Close()
	for found.Next() {
		var row [2]string
		if err := found.Scan(&row[0], &row[1]); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// settle waits until what travels by queue has arrived.
func settle(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%s did not settle", what)
			return
		}
	}
}

// check counts what is stored against what was answered, in the databases and
// through the API.
func (r *rig) check(t *testing.T, l *load) (sum count) {
	t.Helper()
	l.repeat()
	settle(t, "orders", func() bool {
		return len(r.look(t, "billing_db", stored["order"].query, l.run)) >= len(l.answered["order"])
	})
	settle(t, "the homes of deleted accounts", func() bool {
		return len(r.look(t, "property_db", `SELECT name, '' FROM properties WHERE name LIKE $1 || ' of %'`, l.run)) == 0
	})
	for _, kind := range kinds {
		rows := r.look(t, stored[kind].database, stored[kind].query, l.run)
		if kind == "account" {
			rows = slices.DeleteFunc(rows, func(row [2]string) bool { return l.gone[row[1]] })
		}
		answered, seen := l.answered[kind], map[string]bool{}
		for _, row := range rows {
			name, id := row[0], row[1]
			want, ok := answered[name]
			switch {
			case seen[name]:
				t.Errorf("%s %q is stored twice", kind, name)
				sum.doubled++
			case !ok:
				t.Errorf("%s %q is stored as %s, and nobody was told so", kind, name, id)
				sum.doubled++
			case want != id:
				t.Errorf("%s %q was answered with id %s and is stored as %s", kind, name, want, id)
				sum.doubled++
			}
			seen[name] = true
		}
		for name := range answered {
			if !seen[name] {
				t.Errorf("%s %q was answered and is lost", kind, name)
				sum.lost++
			}
		}
		sum.answered, sum.stored = sum.answered+len(answered), sum.stored+len(rows)
		if shown := l.shown(t, kind); !maps.Equal(shown, answered) {
			t.Errorf("%d of kind %s were answered, and the API shows %d or others", len(answered), kind, len(shown))
		}
	}
	if rows := r.look(t, "auctions_db", `SELECT (`+losers+`)::text, ''`, l.run); rows[0][0] != "0" {
		t.Errorf("%s items are won by another than their highest bid", rows[0][0])
	}
	for _, row := range r.look(t, "accounts_db", `SELECT mail, id::text FROM accounts WHERE mail LIKE $1 || '.%'`, l.run) {
		if l.gone[row[1]] {
			t.Errorf("account %s was deleted and is there", row[0])
		}
	}
	return sum
}

// repeat sends some of the answered writes once more: they are answered as they
// were.
func (l *load) repeat() {
	for _, kind := range kinds {
		for _, s := range l.samples[kind] {
			status, answer := l.ask(http.MethodPost, s.path, s.body, s.key, s.token)
			if status != s.status || string(answer) != string(s.answer) {
				l.problem("a repeat of POST %s %s: %d %s; it was %d %s", s.path, s.body, status, answer, s.status, s.answer)
			}
		}
	}
}

// shown is what the API shows of a kind: names and ids.
func (l *load) shown(t *testing.T, kind string) map[string]string {
	t.Helper()
	switch kind {
	case "coupon":
		return l.list(t, "/coupons", "title", "id")
	case "movie":
		return l.list(t, "/api/movies", "title", "id")
	case "home":
		return l.list(t, "/api/property/", "name", "propertyId")
	case "account":
		all := l.list(t, "/api/user/", "mail", "userId")
		delete(all, l.mail("owner"))
		return all
	case "order":
		all := l.list(t, "/api/billing/orders", "user_id", "id")
		for name := range all {
			all[name] = "Message posted"
		}
		return all
	case "purchase":
		return l.purchases(t)
	}
	return l.bids(t)
}

func (l *load) get(t *testing.T, path string, into any) {
	t.Helper()
	status, _, answer, err := l.once(http.MethodGet, path, "", "", l.token)
	if err != nil || status != http.StatusOK {
		t.Fatalf("GET %s: %d %v %s", path, status, err, answer)
	}
	d := json.NewDecoder(strings.NewReader(string(answer)))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
}

// list reads a collection, and gives what is of this run.
func (l *load) list(t *testing.T, path, name, id string) map[string]string {
	t.Helper()
	var rows []map[string]any
	l.get(t, path, &rows)
	found := map[string]string{}
	for _, row := range rows {
		if text := fmt.Sprint(row[name]); strings.HasPrefix(text, l.run+" ") || strings.HasPrefix(text, l.run+".") {
			found[text] = fmt.Sprint(row[id])
		}
	}
	return found
}

func (l *load) purchases(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for skip := 0; ; skip += 1000 {
		var page struct {
			Purchases []struct{ ID json.Number }
		}
		l.get(t, fmt.Sprintf("/api/purchases/by_user/%s?limit=1000&skip=%d", l.run, skip), &page)
		for _, p := range page.Purchases {
			found[p.ID.String()] = p.ID.String()
		}
		if len(page.Purchases) < 1000 {
			return found
		}
	}
}

// bids looks at each item's bids, and at its winner: the highest of them.
func (l *load) bids(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, item := range l.items {
		var page struct {
			Item struct {
				Winning string
				Bids    []struct {
					ID  string `json:"bid_id"`
					Bid struct{ Value json.Number }
				}
			}
		}
		l.get(t, "/api/v1/items/"+item+"?complete=1", &page)
		highest, of := 0.0, ""
		for _, b := range page.Item.Bids {
			found[b.Bid.Value.String()] = b.ID
			if value, _ := b.Bid.Value.Float64(); value > highest {
				highest, of = value, b.ID
			}
		}
		if page.Item.Winning != of {
			t.Errorf("%s is won by %s; its highest bid is %s", item, page.Item.Winning, of)
		}
	}
	return found
}
