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
func Open(t testing.TB, name string, migrations fs.FS, now ...func() time.Time) *database.DB {
	t.Helper()
	o := database.Options{
		Path:       filepath.Join(t.TempDir(), name+".db"),
		Name:       name,
		Migrations: migrations,
		Secret:     []byte("a secret of the tests"),
		Log:        slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if len(now) > 0 {
		o.Now = now[0]
	}
	return OpenWith(t, o)
}

// OpenWith opens a database as the options say and closes it with the test.
func OpenWith(t testing.TB, o database.Options) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the database of %s: %v", o.Name, err)
		}
	})
	return db
}
