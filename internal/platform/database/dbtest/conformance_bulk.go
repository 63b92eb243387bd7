package dbtest

import (
	"fmt"
	"testing"

	"emporium/internal/platform/database"
)

// bulkConformance checks that rows which are inserted together are all there, in
// their order, however many they are.
func bulkConformance(t *testing.T, s *shop) {
	t.Helper()
	insert := s.db.PrepareBulk(`INSERT INTO shelf (name, space) VALUES`, 2, `ON CONFLICT (name) DO NOTHING RETURNING name`)
	all := s.db.Prepare(`SELECT name FROM shelf ORDER BY id`)
	if err := s.db.PrepareErr(); err != nil {
		t.Fatal(err)
	}
	name := func(row database.Row) (name string, err error) { return name, row.Scan(&name) }
	var want, fresh []string
	for _, count := range []int{0, 1, 4, 5, 49, 556, 1111} {
		// Each begins with a row that was there before, and has its last one twice.
		values := []any{"first", 1}
		if len(want) == 0 {
			want = append(want, "first")
		}
		for n := range count {
			values = append(values, fmt.Sprintf("%d of %d", n, count), n)
			want = append(want, fmt.Sprintf("%d of %d", n, count))
		}
		values = append(values, values[len(values)-2], 7)
		err := s.db.Update(t.Context(), func(tx *database.Tx) error {
			for stmt, part := range insert.Parts(values) {
				rows, err := tx.Query(stmt, part...)
				some, err := database.All(rows, err, name)
				if err != nil {
					return err
				}
				fresh = append(fresh, some...)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("insert %d rows: %v", count, err)
		}
	}
	rows, err := all.Query(t.Context())
	stored, err := database.All(rows, err, name)
	if fmt.Sprint(stored) != fmt.Sprint(want) || err != nil {
		t.Errorf("%d rows are there, not the %d that were inserted, in their order (%v)", len(stored), len(want), err)
	}
	if fmt.Sprint(fresh) != fmt.Sprint(want) {
		t.Errorf("%d rows are said to be new, of %d", len(fresh), len(want))
	}
}
