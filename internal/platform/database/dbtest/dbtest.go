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
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // makes and drops the databases of tests

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
	return OpenWith(tb, where(tb, options(tb, name, migrations, now)))
}

// OpenTwice is Open for two processes that share a database. A file has one
// owner, so there both are the same.
func OpenTwice(tb testing.TB, name string, migrations fs.FS) (here, there *database.DB) {
	tb.Helper()
	o := where(tb, options(tb, name, migrations, nil))
	here = OpenWith(tb, o)
	if o.URL == "" {
		return here, here
	}
	return here, OpenWith(tb, o)
}

// where says where the tests of services have their rows.
func where(tb testing.TB, o database.Options) database.Options {
	tb.Helper()
	if server := Server(tb); server != "" {
		o.URL = newSchema(tb, server, o.Name)
	} else {
		o.Path = filepath.Join(tb.TempDir(), o.Name+".db")
	}
	return o
}

// Server gives the address of the server where EMPORIUM_TEST_ENGINE is
// "postgres", and "" where tests keep their rows in files.
func Server(tb testing.TB) string {
	tb.Helper()
	switch engine := os.Getenv("EMPORIUM_TEST_ENGINE"); engine {
	case "", "sqlite":
		return ""
	case "postgres":
		server, ok := testenv.Require(tb, "postgres")
		if !ok {
			tb.Fatal("EMPORIUM_TEST_ENGINE asks for PostgreSQL, and EMPORIUM_TEST_POSTGRES_URL does not say where it is")
		}
		return server
	default:
		tb.Fatalf("EMPORIUM_TEST_ENGINE is %q, and not sqlite or postgres", engine)
		return ""
	}
}

// OpenPostgres opens a database of the test's own on a server.
func OpenPostgres(tb testing.TB, url, name string, migrations fs.FS, now ...func() time.Time) *database.DB {
	tb.Helper()
	o := options(tb, name, migrations, now)
	o.URL, o.Database = url, NewName(tb, url, name)
	return OpenWith(tb, o)
}

// NewName gives the name of a database that is not there, and drops it with the
// test. The test makes it by opening it.
func NewName(tb testing.TB, url, name string) string {
	tb.Helper()
	unique := unique(name)
	tb.Cleanup(func() { Run(tb, url, "DROP DATABASE IF EXISTS "+unique+" WITH (FORCE)") })
	return unique
}

// shared is a database that the tests make and leave empty. To make one for each
// test, and above all to drop it, takes ten times as long as a schema.
const shared = "emporium_test"

var makeShared sync.Once

// newSchema makes a schema of the test's own, which to the package is a database
// like any other, and gives its address. Commits do not wait for the disk: no test
// of this kind outlives the server.
func newSchema(tb testing.TB, server, name string) string {
	tb.Helper()
	makeShared.Do(func() {
		err := exec(tb, server, "CREATE DATABASE "+shared+" ENCODING 'UTF8' TEMPLATE template0")
		there, ok := errors.AsType[*pgconn.PgError](err)
		if err != nil && (!ok || there.Code != "42P04" && there.Code != "23505") {
			tb.Fatalf("make the database %s: %v", shared, err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatal(err)
	}
	u.Path = "/" + shared
	schema := unique(name)
	Run(tb, u.String(), "CREATE SCHEMA "+schema)
	tb.Cleanup(func() { Run(tb, u.String(), "DROP SCHEMA "+schema+" CASCADE") })
	own := u.Query()
	own.Set("search_path", schema)
	own.Set("synchronous_commit", "off")
	u.RawQuery = own.Encode()
	return u.String()
}

// Run runs a statement on a server, past the package that is tested.
func Run(tb testing.TB, url, statement string) {
	tb.Helper()
	if err := exec(tb, url, statement); err != nil {
		tb.Errorf("%s: %v", statement, err)
	}
}

func exec(tb testing.TB, url, statement string) error {
	tb.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(context.WithoutCancel(tb.Context()), statement)
	return errors.Join(err, db.Close())
}

func unique(name string) string {
	return fmt.Sprintf("test_%s_%d_%x", name, os.Getpid(), rand.Uint32())
}

func options(tb testing.TB, name string, migrations fs.FS, now []func() time.Time) database.Options {
	tb.Helper()
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

// OpenWith opens a database as the options say, waits until it is ready, and
// closes it with the test.
func OpenWith(tb testing.TB, o database.Options) *database.DB {
	tb.Helper()
	db := OpenAway(tb, o)
	if err := AwaitReady(tb.Context(), db); err != nil {
		tb.Fatal(err)
	}
	return db
}

// AwaitReady waits for a database: a busy server makes one in more time than
// Open waits.
func AwaitReady(ctx context.Context, db *database.DB) (err error) {
	for ended := time.Now().Add(time.Minute); time.Now().Before(ended); time.Sleep(10 * time.Millisecond) {
		if err = db.Ready(ctx); err == nil || ctx.Err() != nil || db.PrepareErr() != nil {
			return err
		}
	}
	return err
}

// OpenAway is OpenWith where the server may not be there.
func OpenAway(tb testing.TB, o database.Options) *database.DB {
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
