package database_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
)

// ledger is a table with every way of failing.
var ledger = fstest.MapFS{"sqlite/0001_create_entry.sql": {Data: []byte(`-- +goose Up
CREATE TABLE entry (n INTEGER PRIMARY KEY, of INTEGER REFERENCES entry (n) DEFERRABLE INITIALLY DEFERRED) STRICT;
-- +goose StatementBegin
CREATE TRIGGER entry_unlucky BEFORE INSERT ON entry WHEN NEW.n = 13 BEGIN SELECT RAISE(ROLLBACK, 'unlucky'); END;
-- +goose StatementEnd
`)}}

type book struct {
	*database.DB
	insert, insertOrRollback, refer, all *database.Stmt
}

func openBook(t *testing.T) *book {
	t.Helper()
	db := dbtest.OpenWith(t, database.Options{Path: filepath.Join(t.TempDir(), "book.db"), Name: "book", Migrations: ledger})
	b := &book{
		DB:               db,
		insert:           db.Prepare(`INSERT INTO entry (n) VALUES ($1)`),
		insertOrRollback: db.Prepare(`INSERT OR ROLLBACK INTO entry (n) VALUES ($1)`),
		refer:            db.Prepare(`INSERT INTO entry (n, of) VALUES ($1, $2)`),
		all:              db.Prepare(`SELECT n FROM entry ORDER BY n`),
	}
	if err := db.PrepareErr(); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *book) add(n int) func(*database.Tx) error {
	return func(tx *database.Tx) error {
		_, err := tx.Exec(b.insert, n)
		return err
	}
}

func (b *book) entries(t *testing.T) string {
	t.Helper()
	rows, err := b.all.Query(t.Context())
	all, err := database.All(rows, err, func(r database.Row) (n int, err error) { return n, r.Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(fmt.Sprint(all), "[]")
}

// change is one caller's, with the context that it comes with.
type change struct {
	ctx context.Context
	fn  func(*database.Tx) error
}

// together runs changes in one group: they wait while another change holds the
// writer. Meanwhile is called when all of them wait.
func (b *book) together(t *testing.T, meanwhile func(), changes ...change) []error {
	t.Helper()
	hold, held := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		var once sync.Once
		if err := b.Update(t.Context(), func(*database.Tx) error {
			once.Do(func() { close(held) })
			<-hold
			return nil
		}); err != nil {
			t.Errorf("the change that held the writer: %v", err)
		}
	})
	<-held
	errs := make([]error, len(changes))
	for i, c := range changes {
		if c.ctx == nil {
			c.ctx = t.Context()
		}
		all.Go(func() { errs[i] = b.Update(c.ctx, c.fn) })
		for b.Waiting() <= i { // so that they come in order
			runtime.Gosched()
		}
	}
	if meanwhile != nil {
		meanwhile()
	}
	close(hold)
	all.Wait()
	return errs
}

func TestGroup(t *testing.T) {
	t.Run("a caller cancelled in the middle", func(t *testing.T) {
		b := openBook(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		errs := b.together(t, nil, change{fn: b.add(1)},
			change{ctx: ctx, fn: func(tx *database.Tx) error {
				if err := b.add(2)(tx); err != nil {
					return err
				}
				cancel()
				time.Sleep(5 * time.Millisecond) // for whoever watches the context
				return b.add(3)(tx)
			}},
			change{fn: b.add(4)})
		if errs[0] != nil || errs[1] != nil || errs[2] != nil {
			t.Errorf("one that had begun is answered like the others: %v", errs)
		}
		if got := b.entries(t); got != "1 2 3 4" {
			t.Errorf("entries %s", got)
		}
	})

	t.Run("a caller cancelled before its turn", func(t *testing.T) {
		b := openBook(t)
		ctx, cancel := context.WithCancel(t.Context())
		errs := b.together(t, func() { cancel(); time.Sleep(5 * time.Millisecond) },
			change{fn: b.add(1)}, change{ctx: ctx, fn: b.add(2)}, change{fn: b.add(3)})
		if errs[0] != nil || !errors.Is(errs[1], context.Canceled) || errs[2] != nil {
			t.Errorf("errors %v", errs)
		}
		if got := b.entries(t); got != "1 3" {
			t.Errorf("entries %s", got)
		}
	})

	insertTwice := func(b *book) func(tx *database.Tx) error {
		return func(tx *database.Tx) error {
			return errors.Join(b.add(7)(tx), b.add(1)(tx))
		}
	}
	for name, fail := range map[string]func(b *book) func(tx *database.Tx) error{
		"a statement that breaks a constraint": insertTwice,
		"a refusal after a write": func(b *book) func(tx *database.Tx) error {
			return func(tx *database.Tx) error { return errors.Join(b.add(7)(tx), errors.New("refused")) }
		},
		"a panic": func(b *book) func(tx *database.Tx) error {
			return func(tx *database.Tx) error { panic(errors.Join(b.add(7)(tx))) }
		},
		"the end of the goroutine": func(b *book) func(tx *database.Tx) error {
			return func(tx *database.Tx) error { runtime.Goexit(); return nil }
		},
		"INSERT OR ROLLBACK": func(b *book) func(tx *database.Tx) error {
			return func(tx *database.Tx) error {
				_, err := tx.Exec(b.insertOrRollback, 1)
				return err
			}
		},
		"INSERT OR ROLLBACK unnoticed": func(b *book) func(tx *database.Tx) error {
			return func(tx *database.Tx) error {
				_, _ = tx.Exec(b.insertOrRollback, 1)
				_, _ = tx.Exec(b.insert, 7) // would be committed by itself
				return nil
			}
		},
		"RAISE(ROLLBACK)": func(b *book) func(tx *database.Tx) error { return b.add(13) },
		"a deferred foreign key": func(b *book) func(tx *database.Tx) error {
			return func(tx *database.Tx) error {
				_, err := tx.Exec(b.refer, 7, 999)
				return err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := openBook(t)
			if err := b.Update(t.Context(), b.add(1)); err != nil {
				t.Fatal(err)
			}
			errs := b.together(t, nil, change{fn: b.add(2)}, change{fn: fail(b)}, change{fn: b.add(3)}, change{fn: fail(b)}, change{fn: b.add(4)})
			if name == "the end of the goroutine" { // who shares its group is told, and nothing is left
				if errs[1] == nil || b.Update(t.Context(), b.add(5)) != nil {
					t.Errorf("errors %v", errs)
				}
				return
			}
			if errs[0] != nil || errs[1] == nil || errs[2] != nil || errs[3] == nil || errs[4] != nil {
				t.Errorf("errors %v", errs)
			}
			if got := b.entries(t); got != "1 2 3 4" {
				t.Errorf("entries %s", got)
			}
			if err := b.Update(t.Context(), fail(b)); err == nil {
				t.Error("alone it does not fail")
			}
			if err := b.Update(t.Context(), b.add(5)); err != nil {
				t.Errorf("the writer is not well afterwards: %v", err)
			}
			if got := b.entries(t); got != "1 2 3 4 5" {
				t.Errorf("entries %s", got)
			}
		})
	}

	t.Run("rows left open", func(t *testing.T) {
		b := openBook(t)
		errs := b.together(t, nil, change{fn: b.add(1)}, change{fn: b.add(2)}, change{fn: func(tx *database.Tx) error {
			rows, err := tx.Query(b.all)
			if err != nil || !rows.Next() {
				return fmt.Errorf("no rows: %w", err)
			}
			if _, err := tx.Query(b.all); err == nil {
				return errors.New("a statement was used while its rows were read")
			}
			return b.add(3)(tx)
		}}, change{fn: b.add(4)})
		if errors.Join(errs...) != nil {
			t.Error(errs)
		}
		if got := b.entries(t); got != "1 2 3 4" {
			t.Errorf("entries %s", got)
		}
	})

	t.Run("many that break it", func(t *testing.T) {
		b := openBook(t)
		var changes []change
		for i := range 100 {
			changes = append(changes, change{fn: b.add(100 + i)}, change{fn: b.add(13)})
		}
		for i, err := range b.together(t, nil, changes[:120]...) {
			if (err != nil) != (i%2 == 1) {
				t.Errorf("change %d: %v", i, err)
			}
		}
	})
}

// TestClose sends changes until the database is closed: each is either
// committed or told that it was not.
func TestClose(t *testing.T) {
	o := database.Options{Path: t.TempDir() + "/book.db", Name: "book", Migrations: ledger}
	db, err := database.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	insert := db.Prepare(`INSERT INTO entry (n) VALUES ($1)`)
	var all sync.WaitGroup
	var mu sync.Mutex
	committed := 0
	for caller := range 8 {
		all.Go(func() {
			for i := 0; ; i++ {
				err := db.Update(context.Background(), func(tx *database.Tx) error {
					_, err := tx.Exec(insert, 1000*(1+caller)+1000000*i)
					return err
				})
				if errors.Is(err, database.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				committed++
				mu.Unlock()
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	if err := db.Ready(t.Context()); !errors.Is(err, database.ErrClosed) {
		t.Errorf("a closed database is ready: %v", err)
	}
	var stored int
	again := dbtest.OpenWith(t, o)
	if err := again.Prepare(`SELECT COUNT(*) FROM entry`).QueryRow(t.Context()).Scan(&stored); err != nil || stored != committed || stored == 0 {
		t.Errorf("%d entries stored, %d answered, %v", stored, committed, err)
	}
}
