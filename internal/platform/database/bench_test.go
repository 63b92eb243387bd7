package database_test

import (
	"context"
	"fmt"
	"testing"
	"testing/fstest"

	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
)

func benchTable() fstest.MapFS {
	return fstest.MapFS{"sqlite/0001_t.sql": {Data: []byte(`-- +goose Up
CREATE TABLE film (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, description TEXT, version INTEGER NOT NULL DEFAULT 1) STRICT;`)}}
}

// BenchmarkUpdate measures single INSERTs from many callers, each answered
// after its COMMIT.
func BenchmarkUpdate(b *testing.B) {
	for _, callers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			db := dbtest.Open(b, "bench", benchTable())
			insert := db.Prepare(`INSERT INTO film (title, description) VALUES ($1, $2) RETURNING id`)
			b.SetParallelism((callers + 1) / 2)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					var id int64
					if err := db.Update(b.Context(), func(tx *database.Tx) error {
						return tx.QueryRow(insert, "The Cat from Outer Space", nil).Scan(&id)
					}); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
		})
	}
}

// BenchmarkRead measures a point read with a context that can be cancelled, as
// a request's can.
func BenchmarkRead(b *testing.B) {
	db := dbtest.Open(b, "bench", benchTable())
	insert := db.Prepare(`INSERT INTO film (title, description) VALUES ($1, $2)`)
	read := db.Prepare(`SELECT id, title, description, version FROM film WHERE id = $1`)
	if err := db.Update(b.Context(), func(tx *database.Tx) error {
		for i := range 3000 {
			if _, err := tx.Exec(insert, fmt.Sprint("film ", i), "somewhat longer than its title"); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			b.ReportAllocs()
			b.SetParallelism((callers + 1) / 2)
			one := func(i int64) {
				var id, version int64
				var title string
				var description *string
				if err := read.QueryRow(ctx, i%3000+1).Scan(&id, &title, &description, &version); err != nil {
					b.Fatal(err)
				}
			}
			if callers == 1 {
				for i := 0; b.Loop(); i++ {
					one(int64(i))
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for i := int64(0); pb.Next(); i++ {
					one(i * 7919)
				}
			})
		})
	}
}
