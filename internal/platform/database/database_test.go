package database_test

import (
	"io/fs"
	"testing"
	"time"

	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
)

func TestSQLite(t *testing.T) {
	dbtest.Conformance(t, func(t testing.TB, migrations fs.FS, now func() time.Time) *database.DB {
		return dbtest.Open(t, "shop", migrations, now)
	})
}
