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

// BenchmarkOpen opens and closes a database that is up to date, as ten times at
// every start.
func BenchmarkOpen(b *testing.B) {
	o := database.Options{Path: b.TempDir() + "/bench.db", Name: "bench", Migrations: benchTable()}
	for b.Loop() {
		db, err := database.Open(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkList reads 20 rows with a context that can be cancelled: with a fixed
// statement, and with a built query.
func BenchmarkList(b *testing.B) {
	db := dbtest.Open(b, "bench", benchTable())
	const text = `SELECT id, title, description, version FROM film WHERE id > $1 ORDER BY id LIMIT 20`
	insert, list := db.Prepare(`INSERT INTO film (title, description) VALUES ($1, $2)`), db.Prepare(text)
	if err := db.Update(b.Context(), func(tx *database.Tx) error {
		for i := range 20 {
			if _, err := tx.Exec(insert, fmt.Sprint("film ", i), "somewhat longer than its title"); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	type film struct {
		id, version int64
		title       string
		description *string
	}
	for name, query := range map[string]func(ctx context.Context) (database.Rows, error){
		"fixed": func(ctx context.Context) (database.Rows, error) { return list.Query(ctx, 0) },
		"built": func(ctx context.Context) (database.Rows, error) { return db.Query(ctx, text, 0) },
	} {
		b.Run(name, func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				rows, err := query(ctx)
				films, err := database.All(rows, err, func(r database.Row) (f film, err error) {
					return f, r.Scan(&f.id, &f.title, &f.description, &f.version)
				})
				if err != nil || len(films) != 20 {
					b.Fatal(len(films), err)
				}
			}
		})
	}
}
