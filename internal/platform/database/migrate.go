package database

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var platform embed.FS

// A series is a list of migrations with the table that says how far it got.
// The platform's and the service's are counted apart, so that either may grow
// without the other.
type series struct {
	table string
	files fs.FS
	known int64 // the last version that this program has
}

// migrate brings the platform's tables and then the service's up to date. A
// database that already is costs one or two queries.
func migrate(ctx context.Context, db *sql.DB, path string, o Options) error {
	own, err := newSeries("schema_platform", platform, "migrations/sqlite")
	if err != nil {
		return err
	}
	all := []series{own}
	if o.Migrations != nil {
		service, err := newSeries("schema_service", o.Migrations, "sqlite")
		if err != nil {
			return err
		}
		all = append(all, service)
	}
	for _, s := range all {
		stored, err := s.stored(ctx, db)
		switch {
		case err != nil:
			return err
		case stored > s.known:
			return fmt.Errorf("%w: %s is at version %d of %s, and this program knows up to %d; "+
				"run the newer program again, or put back a copy of the data from before the upgrade",
				ErrNewer, path, stored, s.table, s.known)
		case stored == s.known:
			continue
		}
		provider, err := goose.NewProvider(goose.DialectSQLite3, db, s.files,
			goose.WithTableName(s.table), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
		if err != nil {
			return err
		}
		done, err := provider.Up(ctx)
		if partial, ok := errors.AsType[*goose.PartialError](err); ok {
			return fmt.Errorf("migration %s: %w", partial.Failed.Source.Path, partial.Err)
		}
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		level := slog.LevelInfo
		if stored == 0 {
			level = slog.LevelDebug // a new one: nobody wonders
		}
		o.Log.Log(ctx, level, "migrated the database", "name", o.Name, "table", s.table, "from", stored, "to", s.known, "steps", len(done))
	}
	return nil
}

func newSeries(table string, all fs.FS, folder string) (s series, err error) {
	s.table = table
	if s.files, err = fs.Sub(all, folder); err != nil {
		return s, err
	}
	names, err := fs.Glob(s.files, "*.sql")
	if err != nil {
		return s, err
	}
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return s, fmt.Errorf("migration %s: %w", name, err)
		}
		s.known = max(s.known, version)
	}
	if s.known == 0 {
		return s, fmt.Errorf("%s holds no migrations", folder)
	}
	return s, nil
}

// stored gives the version that the file is at; 0 when it is new.
func (s series) stored(ctx context.Context, db *sql.DB) (version int64, err error) {
	var there int
	err = db.QueryRowContext(ctx, `SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1`, s.table).Scan(&there)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	err = db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM `+s.table).Scan(&version)
	return version, err
}
