package database_test

import (
	"io/fs"
	"testing"
	"time"

	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
)

func TestSQLite(t *testing.T) {
	dbtest.Conformance(t, func(tb testing.TB, migrations fs.FS, now func() time.Time) *database.DB {
		tb.Helper()
		return dbtest.Open(tb, "shop", migrations, now)
	})
}
