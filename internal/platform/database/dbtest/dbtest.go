// Package dbtest opens real databases for tests, and holds the suite that every
// engine of the database package must pass.
package dbtest

import (
	"io/fs"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"emporium/internal/platform/database"
)

// Open opens a database in the test's temporary folder and closes it with the
// test. Now is the clock; without one it is the system's.
func Open(tb testing.TB, name string, migrations fs.FS, now ...func() time.Time) *database.DB {
	tb.Helper()
	o := database.Options{
		Path:       filepath.Join(tb.TempDir(), name+".db"),
		Name:       name,
		Migrations: migrations,
		Secret:     []byte("a secret of the tests"),
		Log:        slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if len(now) > 0 {
		o.Now = now[0]
	}
	return OpenWith(tb, o)
}

// OpenWith opens a database as the options say and closes it with the test.
func OpenWith(tb testing.TB, o database.Options) *database.DB {
	tb.Helper()
	db, err := database.Open(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("close the database of %s: %v", o.Name, err)
		}
	})
	return db
}
