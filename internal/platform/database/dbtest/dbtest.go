// Package dbtest opens real databases for tests, and holds the suite that every
// engine of the database package must pass.
package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // drops the databases of tests

	"emporium/internal/platform/database"
	"emporium/internal/platform/testenv"
)

// Open opens a database and closes it with the test: on SQLite in the test's
// temporary folder, or, where EMPORIUM_TEST_ENGINE is "postgres", on the server
// of EMPORIUM_TEST_POSTGRES_URL. So the tests of all services run on either
// engine as they are, and run on both by being run twice. Now is the clock;
// without one it is the system's.
func Open(tb testing.TB, name string, migrations fs.FS, now ...func() time.Time) *database.DB {
	tb.Helper()
	switch engine := os.Getenv("EMPORIUM_TEST_ENGINE"); engine {
	case "", "sqlite":
		o := options(tb, name, migrations, now)
		o.Path = filepath.Join(tb.TempDir(), name+".db")
		return OpenWith(tb, o)
	case "postgres":
		url, ok := testenv.Require(tb, "postgres")
		if !ok {
			tb.Fatal("EMPORIUM_TEST_ENGINE asks for PostgreSQL, and EMPORIUM_TEST_POSTGRES_URL does not say where it is")
		}
		return OpenPostgres(tb, url, name, migrations, now...)
	default:
		tb.Fatalf("EMPORIUM_TEST_ENGINE is %q, and not sqlite or postgres", engine)
		return nil
	}
}

// OpenPostgres opens a database of the test's own on a server.
func OpenPostgres(tb testing.TB, url, name string, migrations fs.FS, now ...func() time.Time) *database.DB {
	tb.Helper()
	o := options(tb, name, migrations, now)
	o.URL, o.Database = url, Database(tb, url, name)
	return OpenWith(tb, o)
}

// Database gives the name of a database that is not there, and drops it with the
// test. The test makes it by opening it, which takes 50 ms.
func Database(tb testing.TB, url, name string) string {
	tb.Helper()
	unique := fmt.Sprintf("test_%s_%d_%x", name, os.Getpid(), rand.Uint64())
	tb.Cleanup(func() {
		db, err := sql.Open("pgx", url)
		if err == nil {
			_, err = db.ExecContext(context.WithoutCancel(tb.Context()), "DROP DATABASE IF EXISTS "+unique+" WITH (FORCE)")
			err = errors.Join(err, db.Close())
		}
		if err != nil {
			tb.Errorf("drop the database %s: %v", unique, err)
		}
	})
	return unique
}

func options(tb testing.TB, name string, migrations fs.FS, now []func() time.Time) database.Options {
	o := database.Options{
		Name:       name,
		Migrations: migrations,
		Secret:     []byte("a secret of the tests"),
		Log:        slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if len(now) > 0 {
		o.Now = now[0]
	}
	return o
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
