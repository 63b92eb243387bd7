package database_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
)

// What staff changes is written down with the change, once, and stays.
func TestStaffLog(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	notes := func(key string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE notes (name " + key + ");\n")}
	}
	db := dbtest.Open(t, "log", fstest.MapFS{"sqlite/1_notes.sql": notes("TEXT"), "postgres/1_notes.sql": notes("text")}, func() time.Time { return now })
	insert := db.Prepare(`INSERT INTO notes (name) VALUES ($1)`)
	count := db.Prepare(`SELECT COUNT(*) FROM notes`)
	add := func(ctx context.Context, fail error) error {
		_, err := database.Once(ctx, db, func(tx *database.Tx) (string, error) {
			if a := market.ActionOf(ctx); a != nil {
				a.Note = "one more"
			}
			return "x", errors.Join(tx.Send(insert, "x"), fail)
		})
		return err
	}
	as := func(user market.UserID, call string) context.Context {
		return market.WithAction(t.Context(), &market.Action{User: user, Operation: "add", Call: call, From: "203.0.113.5"})
	}
	repeated := market.WithOnceKey(as(3, "POST /c"), market.OnceKey{Key: "k", Caller: "user:3", Operation: "add", Body: []byte("{}")})
	for _, c := range []struct {
		ctx  context.Context
		fail error
	}{
		{as(3, "POST /a"), nil},
		{t.Context(), nil}, // not staff
		{as(3, "POST /b"), errors.New("refused")},
		{as(0, "POST /operator"), nil},
		{repeated, nil},
		{repeated, nil}, // changes nothing
	} {
		if err := add(c.ctx, c.fail); !errors.Is(err, c.fail) {
			t.Fatal(err)
		}
	}
	if err := db.Update(as(4, "DELETE /d"), func(tx *database.Tx) error { return tx.Send(insert, "y") }); err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := count.QueryRow(t.Context()).Scan(&rows); err != nil || rows != 5 {
		t.Errorf("%d rows, %v", rows, err)
	}
	log := func() (calls string) {
		entries, err := db.StaffLog(t.Context(), 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !e.At.Equal(now) || e.From != "203.0.113.5" || e.Operation != "add" || (e.Note != "one more") != (e.User == 4) {
				t.Errorf("%+v", e)
			}
			calls += e.Call + " "
		}
		return calls
	}
	const want = "POST /a POST /operator POST /c DELETE /d "
	if got := log(); got != want {
		t.Errorf("the log has %s", got)
	}
	if later, err := db.StaffLog(t.Context(), 2, 1); err != nil || len(later) != 1 || later[0].Call != "POST /c" {
		t.Errorf("a page of it: %v %v", later, err)
	}
	for _, sql := range []string{
		`UPDATE staff_log SET note = 'nothing' WHERE id = 1`,
		`DELETE FROM staff_log WHERE id = 1`,
		`DELETE FROM staff_log`,
		`INSERT INTO staff_log (id, at, operation, call, address, note) VALUES (1, (SELECT MAX(at) FROM staff_log), 'a', 'b', 'c', 'd')
			ON CONFLICT (id) DO UPDATE SET note = excluded.note`,
	} {
		stmt := db.Prepare(sql)
		err := db.Update(t.Context(), func(tx *database.Tx) error {
			_, err := tx.Exec(stmt)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	only := `TRUNCATE staff_log`
	if dbtest.Server(t) == "" {
		only = `INSERT OR REPLACE INTO staff_log (id, at, operation, call, address, note) VALUES (1, 'x', 'a', 'b', 'c', 'd')`
	}
	stmt := db.Prepare(only)
	err := db.Update(t.Context(), func(tx *database.Tx) error {
		_, err := tx.Exec(stmt)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "append-only") {
		t.Errorf("%s: %v", only, err)
	}
	if got := log(); got != want {
		t.Errorf("the log has %s", got)
	}
}
