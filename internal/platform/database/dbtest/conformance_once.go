package dbtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// receipt is what a request answers, with everything that JSON might lose.
type receipt struct {
	ID    int64
	Title *string
	Price market.Money
	At    market.Time
}

func conformanceOnce(t *testing.T, open func(tb testing.TB, migrations fs.FS, now func() time.Time) *database.DB) {
	t.Helper()
	var clock atomic.Pointer[time.Time]
	clock.Store(&noon.Time)
	db := open(t, Migrations(), func() time.Time { return *clock.Load() })
	s := newShop(t, db)
	shelf := s.newShelf(t, "upper", 100)

	with := func(caller, key, body string) context.Context {
		return market.WithOnceKey(t.Context(), market.OnceKey{Key: key, Caller: caller, Operation: "add-item", Body: []byte(body)})
	}
	add := func(ctx context.Context, title string) (receipt, error) {
		return database.Once(ctx, db, func(tx *database.Tx) (receipt, error) {
			id, err := s.newItem(tx, shelf, title, noon)
			return receipt{ID: id, Title: &title, Price: 180_05, At: noon}, err
		})
	}
	must := func(ctx context.Context, title string) string {
		t.Helper()
		r, err := add(ctx, title)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(r.ID, *r.Title, r.Price, r.At)
	}

	first := must(with("user:1", "k", "{1}"), "one")
	if again := must(with("user:1", "k", "{1}"), "one"); again != first || s.count(t) != 1 {
		t.Errorf("a repeat gave %s with %d items, and the first %s", again, s.count(t), first)
	}
	if _, err := add(with("user:1", "k", "{2}"), "two"); market.KindOf(err) != market.Conflict {
		t.Errorf("another body: %v", err)
	}
	if other := must(with("user:2", "k", "{1}"), "one"); other == first {
		t.Error("another caller got the first one's answer")
	}
	if plain := must(t.Context(), "one"); plain == first || s.count(t) != 3 {
		t.Errorf("without a key: %s, %d items", plain, s.count(t))
	}

	refused := errors.New("refused")
	_, err := database.Once(with("user:1", "failed", "{1}"), db, func(tx *database.Tx) (receipt, error) {
		_, err := s.newItem(tx, shelf, "one", noon)
		return receipt{}, errors.Join(err, refused)
	})
	if !errors.Is(err, refused) || s.count(t) != 3 {
		t.Errorf("a refusal: %v, %d items", err, s.count(t))
	}
	must(with("user:1", "failed", "{1}"), "now it can be") // the refusal was not kept

	before := s.count(t)
	var answers sync.Map
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			r, err := add(with("user:1", "race", "{}"), "raced")
			if err != nil {
				t.Error(err)
			}
			answers.Store(r.ID, true)
		})
	}
	all.Wait()
	kinds := 0
	answers.Range(func(any, any) bool { kinds++; return true })
	if kinds != 1 || s.count(t) != before+1 {
		t.Errorf("32 repeats at once made %d items and gave %d answers", s.count(t)-before, kinds)
	}

	later := noon.Add(24*time.Hour - time.Millisecond)
	clock.Store(&later)
	if again := must(with("user:1", "k", "{1}"), "one"); again != first {
		t.Error("forgotten before 24 hours")
	}
	later = later.Add(time.Millisecond)
	clock.Store(&later)
	if fresh := must(with("user:1", "k", "{other}"), "one"); fresh == first {
		t.Error("kept after 24 hours")
	}
	for i := range 64 {
		must(with("user:1", fmt.Sprint("sweep", i), "{}"), "one")
	}
	var old int
	if err := db.Prepare(`SELECT COUNT(*) FROM idempotency WHERE created_at <= $1`).QueryRow(t.Context(), noon).Scan(&old); err != nil || old != 0 {
		t.Errorf("%d records are kept for longer than 24 hours, %v", old, err)
	}

	// None comes any more, and yet they go.
	count := db.Prepare(`SELECT COUNT(*) FROM idempotency`)
	if err := count.QueryRow(t.Context()).Scan(&old); err != nil || old == 0 {
		t.Fatalf("%d records, %v", old, err)
	}
	next := later.Add(24 * time.Hour)
	clock.Store(&next)
	if err := db.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := count.QueryRow(t.Context()).Scan(&old); err != nil || old != 0 {
		t.Errorf("%d records stay where none come any more, %v", old, err)
	}
}
