package dbtest

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

//go:embed migrations
var migrations embed.FS

// Migrations are the tables that the suite works on: shelves with space for
// some items, and items that stand on them.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// shop is a small store on the suite's tables, written as services write
// theirs.
type shop struct {
	db                                                   *database.DB
	addShelf, takeSpace, addItem, shelf, items, find, of *database.Stmt
}

func newShop(tb testing.TB, db *database.DB) *shop {
	tb.Helper()
	s := &shop{
		db:        db,
		addShelf:  db.Prepare(`INSERT INTO shelf (name, space) VALUES ($1, $2) RETURNING id`),
		takeSpace: db.Prepare(`UPDATE shelf SET space = space - 1 WHERE id = $1 AND space > 0 RETURNING space`),
		addItem: db.Prepare(`INSERT INTO item (shelf_id, title, title_key, added_at)
			VALUES ($1, $2, $3, $4) RETURNING id`),
		shelf: db.Prepare(`SELECT space FROM shelf WHERE name = $1`),
		items: db.Prepare(`SELECT COUNT(*) FROM item`),
		find:  db.Prepare(`SELECT title FROM item WHERE title_key LIKE $1 ESCAPE '\' ORDER BY id`),
		of:    db.Prepare(`SELECT shelf_id, added_at FROM item WHERE id = $1`),
	}
	if err := db.PrepareErr(); err != nil {
		tb.Fatal(err)
	}
	return s
}

func (s *shop) newShelf(tb testing.TB, name string, space int) (id int64) {
	tb.Helper()
	err := s.db.Update(tb.Context(), func(tx *database.Tx) error {
		return tx.QueryRow(s.addShelf, name, space).Scan(&id)
	})
	if err != nil {
		tb.Fatalf("add shelf %s: %v", name, err)
	}
	return id
}

func (s *shop) newItem(tx *database.Tx, shelf int64, title string, at market.Time) (id int64, err error) {
	err = tx.QueryRow(s.addItem, shelf, title, database.Fold(title), at).Scan(&id)
	return id, err
}

func (s *shop) count(tb testing.TB) (n int) {
	tb.Helper()
	if err := s.items.QueryRow(tb.Context()).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

var noon = market.At(time.Date(2026, 11, 2, 12, 0, 0, 987_654_321, time.UTC))

// Conformance checks what every engine promises. Open gives an empty database
// with the suite's migrations and clock, closed when the test ends.
func Conformance(t *testing.T, open func(tb testing.TB, migrations fs.FS, now func() time.Time) *database.DB) {
	t.Helper()
	clock := func() time.Time { return noon.Time }
	start := func(t *testing.T) *shop {
		t.Helper()
		t.Parallel()
		return newShop(t, open(t, Migrations(), clock))
	}

	t.Run("what is committed is read", func(t *testing.T) {
		s := start(t)
		shelf := s.newShelf(t, "upper", 3)
		var id int64
		err := s.db.Update(t.Context(), func(tx *database.Tx) (err error) {
			if id, err = s.newItem(tx, shelf, "Évry", noon); err != nil {
				return err
			}
			var in int
			if err := tx.QueryRow(s.items).Scan(&in); err != nil || in != 1 {
				return fmt.Errorf("the transaction does not see its own item: %d, %w", in, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var at market.Time
		var on int64
		if err := s.of.QueryRow(t.Context(), id).Scan(&on, &at); err != nil || on != shelf || at != noon {
			t.Fatalf("read back shelf %d at %v, %v; want %d at %v", on, at, err, shelf, noon)
		}
		if err := s.of.QueryRow(t.Context(), id+1).Scan(&on, &at); !errors.Is(err, database.ErrNoRows) {
			t.Fatalf("an item that is not there: %v", err)
		}
		if err := s.db.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("what fails leaves nothing", func(t *testing.T) {
		s := start(t)
		shelf := s.newShelf(t, "upper", 3)
		refused := errors.New("refused")
		for _, end := range []func() error{
			func() error { return refused },
			func() error { panic("by mistake") },
		} {
			err := s.db.Update(t.Context(), func(tx *database.Tx) error {
				if _, err := s.newItem(tx, shelf, "one", noon); err != nil {
					return err
				}
				return end()
			})
			if err == nil {
				t.Error("the error is lost")
			}
		}
		if n := s.count(t); n != 0 {
			t.Errorf("%d items stayed", n)
		}
	})

	t.Run("rows that are inserted together are all there", func(t *testing.T) { bulkConformance(t, start(t)) })

	t.Run("rows that are read after the change are each caller's own", func(t *testing.T) { laterConformance(t, start(t)) })

	t.Run("what is only sent is kept, too", func(t *testing.T) {
		s := start(t)
		shelf := s.newShelf(t, "films", 3)
		send := func(title string, shelf int64, then error) error {
			return s.db.Update(t.Context(), func(tx *database.Tx) error {
				return errors.Join(tx.Send(s.addItem, shelf, title, database.Fold(title), noon), then)
			})
		}
		refused := errors.New("refused")
		if err := send("Alien", shelf, nil); err != nil || s.count(t) != 1 {
			t.Errorf("sent: %v, there are %d", err, s.count(t))
		}
		if err := send("Brazil", shelf, refused); !errors.Is(err, refused) || s.count(t) != 1 {
			t.Errorf("refused after it was sent: %v, there are %d", err, s.count(t))
		}
		if err := send("Cube", shelf+1, nil); !database.IsForeignKey(err) || s.count(t) != 1 {
			t.Errorf("wrong: %v, there are %d", err, s.count(t))
		}
	})

	t.Run("constraints are told apart", func(t *testing.T) {
		s := start(t)
		s.newShelf(t, "upper", 3)
		var id int64
		try := func(stmt *database.Stmt, args ...any) error {
			return s.db.Update(t.Context(), func(tx *database.Tx) error {
				return tx.QueryRow(stmt, args...).Scan(&id)
			})
		}
		if err := try(s.addShelf, "upper", 3); !database.IsUnique(err) || database.IsForeignKey(err) {
			t.Errorf("a second shelf of that name: %v", err)
		}
		if err := try(s.addItem, 999, "lost", "lost", noon); !database.IsForeignKey(err) || database.IsUnique(err) {
			t.Errorf("an item on no shelf: %v", err)
		}
		if err := try(s.addShelf, "lower", -1); err == nil || database.IsUnique(err) || database.IsForeignKey(err) {
			t.Errorf("a shelf with space for -1: %v", err)
		}
		if n := s.count(t); n != 0 {
			t.Errorf("%d items stayed", n)
		}
	})

	t.Run("a change goes on after a failed statement", func(t *testing.T) {
		s := start(t)
		s.newShelf(t, "upper", 3)
		err := s.db.Update(t.Context(), func(tx *database.Tx) error {
			var id int64
			if err := tx.QueryRow(s.shelf, "none").Scan(&id); !errors.Is(err, database.ErrNoRows) {
				return err
			}
			return tx.QueryRow(s.addShelf, "lower", 1).Scan(&id)
		})
		if err != nil {
			t.Fatal(err)
		}
	})

	t.Run("the last place is given once", func(t *testing.T) {
		s := start(t)
		const space, callers = 10, 64
		shelf := s.newShelf(t, "upper", space)
		full := errors.New("full")
		var got, refusals int
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				err := s.db.Update(t.Context(), func(tx *database.Tx) error {
					var left int
					if err := tx.QueryRow(s.takeSpace, shelf).Scan(&left); errors.Is(err, database.ErrNoRows) {
						return full
					} else if err != nil {
						return err
					}
					_, err := s.newItem(tx, shelf, fmt.Sprint("item ", i), noon)
					return err
				})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					got++
				case errors.Is(err, full):
					refusals++
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := s.count(t); got != space || refusals != callers-space || n != space {
			t.Errorf("%d got a place, %d were refused, %d items stand on a shelf for %d", got, refusals, n, space)
		}
	})

	t.Run("text is found whatever its case", func(t *testing.T) {
		s := start(t)
		shelf := s.newShelf(t, "upper", 9)
		err := s.db.Update(t.Context(), func(tx *database.Tx) error {
			for _, title := range []string{"Évry", "100 %", "a_b", `back\slash`, "ΣΊΣΥΦΟΣ", "straße"} {
				if _, err := s.newItem(tx, shelf, title, noon); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for q, want := range map[string]string{
			"évry": "[Évry]", "E\u0301VRY": "[Évry]", "%": "[100 %]", "_": "[a_b]", `\`: `[back\slash]`,
			"σίσυφος": "[ΣΊΣΥΦΟΣ]", "STRASSE": "[straße]", "nothing": "[]",
		} {
			rows, err := s.find.Query(t.Context(), database.Contains(database.Fold(q)))
			titles, err := database.All(rows, err, func(r database.Row) (title string, err error) {
				return title, r.Scan(&title)
			})
			if got := fmt.Sprint(titles); err != nil || got != want {
				t.Errorf("%q finds %s, %v; want %s", q, got, err, want)
			}
		}
		var f database.Filter
		f.And("title_key LIKE ? ESCAPE '\\' OR title = ?", database.Contains("vr"), "a_b")
		f.And("id > ?", 0)
		query := `SELECT title FROM item` + f.Where() + ` ORDER BY id LIMIT ` + f.Arg(5)
		for range 2 {
			rows, err := s.db.Query(t.Context(), query, f.Args()...)
			titles, err := database.All(rows, err, func(r database.Row) (title string, err error) {
				return title, r.Scan(&title)
			})
			if got := fmt.Sprint(titles); err != nil || got != "[Évry a_b]" {
				t.Errorf("the built query finds %s, %v", got, err)
			}
		}
	})

	t.Run("a cancelled caller leaves the others alone", func(t *testing.T) {
		s := start(t)
		shelf := s.newShelf(t, "upper", 3)
		const callers = 40
		var all sync.WaitGroup
		for i := range callers {
			ctx, cancel := context.WithCancel(t.Context())
			all.Go(func() {
				defer cancel()
				err := s.db.Update(ctx, func(tx *database.Tx) error {
					if i%4 == 0 {
						cancel()
					}
					_, err := s.newItem(tx, shelf, "one", noon)
					return err
				})
				if err != nil && (i%4 != 0 || !errors.Is(err, context.Canceled)) {
					t.Errorf("caller %d: %v", i, err)
				}
			})
		}
		all.Wait()
		if n := s.count(t); n < callers*3/4 {
			t.Errorf("%d items of at least %d", n, callers*3/4)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.db.Update(ended, func(*database.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("a change whose context had ended: %v", err)
		}
		var n int
		if err := s.items.QueryRow(ended).Scan(&n); !errors.Is(err, context.Canceled) {
			t.Errorf("a read whose context had ended: %v", err)
		}
	})

	t.Run("a wrong statement is told at once", func(t *testing.T) {
		s := start(t)
		wrong := s.db.Prepare(`SELECT colour FROM item`)
		if s.db.PrepareErr() == nil {
			t.Error("PrepareErr says nothing")
		}
		var colour string
		if err := wrong.QueryRow(t.Context()).Scan(&colour); err == nil {
			t.Error("it can be read")
		}
		if err := s.db.Update(t.Context(), func(tx *database.Tx) error {
			_, err := tx.Exec(wrong)
			return err
		}); err == nil {
			t.Error("it can be run")
		}
	})

	t.Run("once", func(t *testing.T) { conformanceOnce(t, open) })
}
