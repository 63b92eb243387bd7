package dbtest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"emporium/internal/platform/database"
)

// laterConformance checks that rows which are read after the change are each
// their own caller's, and that what is wrong with one is its caller's alone.
func laterConformance(t *testing.T, s *shop) {
	t.Helper()
	shelf := s.newShelf(t, "films", 1000)
	take := s.db.Prepare(`UPDATE shelf SET space = space - 1 WHERE id = $1 AND space > 0 RETURNING space`)
	title := s.db.Prepare(`SELECT title FROM item WHERE id = $1`)
	if err := s.db.PrepareErr(); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	// Every tenth is for a shelf that is not there: it is told so within its change,
	// or by a foreign key; every tenth changes its mind.
	add := func(n int) (id int64, err error) {
		on := shelf
		if n%10 == 3 || n%10 == 6 {
			on = shelf + 1000
		}
		err = s.db.Update(t.Context(), func(tx *database.Tx) error {
			id = 0
			var space int64
			if n%10 != 6 {
				if err := tx.QueryRowLater(take, on).Scan(&space); err != nil {
					return fmt.Errorf("take a space: %w", err)
				}
			}
			if err := tx.QueryRowLater(s.addItem, on, fmt.Sprint("film ", n), "", noon).Scan(&id); err != nil {
				return err
			}
			if n%10 == 9 {
				return refused
			}
			return nil
		})
		return id, err
	}
	const callers, each = 40, 10
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for i := range each {
				n := c*each + i
				id, err := add(n)
				var want bool
				switch n % 10 {
				case 3:
					want = errors.Is(err, database.ErrNoRows)
				case 6:
					want = database.IsForeignKey(err)
				case 9:
					want = errors.Is(err, refused)
				default:
					var stored string
					want = err == nil && title.QueryRow(t.Context(), id).Scan(&stored) == nil && stored == fmt.Sprint("film ", n)
				}
				if !want {
					t.Errorf("film %d was given the id %d, %v", n, id, err)
				}
			}
		})
	}
	all.Wait()
	if n := s.count(t); n != callers*each*7/10 {
		t.Errorf("%d items are there, want %d", n, callers*each*7/10)
	}
	var space int
	if err := s.shelf.QueryRow(t.Context(), "films").Scan(&space); err != nil || space != 1000-callers*each*7/10 {
		t.Errorf("%d spaces are left, want %d (%v)", space, 1000-callers*each*7/10, err)
	}
}
