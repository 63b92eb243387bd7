package database_test

import (
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/testenv"
)

func TestSQLite(t *testing.T) {
	dbtest.Conformance(t, func(tb testing.TB, migrations fs.FS, now func() time.Time) *database.DB {
		tb.Helper()
		return dbtest.OpenWith(tb, database.Options{
			Path: filepath.Join(tb.TempDir(), "shop.db"), Name: "shop", Migrations: migrations, Now: now,
		})
	})
}

func TestPostgres(t *testing.T) {
	url, ok := testenv.Require(t, "postgres")
	if !ok {
		return
	}
	dbtest.Conformance(t, func(tb testing.TB, migrations fs.FS, now func() time.Time) *database.DB {
		tb.Helper()
		return dbtest.OpenPostgres(tb, url, "shop", migrations, now)
	})
}
