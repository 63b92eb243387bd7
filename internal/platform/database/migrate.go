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

// A dialect is what differs between the engines where tables are made.
type dialect struct {
	name   goose.Dialect
	folder string // of the migrations
	where  string // what is migrated, for messages
	exists string // gives a row when there is a table of that name
	shared bool   // several processes may write to it
}

// allSeries are the platform's tables and the service's.
func allSeries(on dialect, o Options) ([]series, error) {
	own, err := newSeries("schema_platform", platform, "migrations/"+on.folder)
	if err != nil || o.Migrations == nil {
		return []series{own}, err
	}
	service, err := newSeries("schema_service", o.Migrations, on.folder)
	return []series{own, service}, err
}

// isCurrent says whether there is nothing to migrate.
func isCurrent(ctx context.Context, db *sql.DB, on dialect, o Options) (bool, error) {
	all, err := allSeries(on, o)
	if err != nil {
		return false, err
	}
	for _, s := range all {
		if stored, err := s.stored(ctx, db, on); err != nil || stored != s.known {
			return false, err
		}
	}
	return true, nil
}

// migrate brings the platform's tables and then the service's up to date. A
// database that already is costs one or two queries.
func migrate(ctx context.Context, db *sql.DB, on dialect, o Options) error {
	all, err := allSeries(on, o)
	if err != nil {
		return err
	}
	for _, s := range all {
		stored, err := s.stored(ctx, db, on)
		switch {
		case err != nil:
			return err
		case stored > s.known:
			return fmt.Errorf("%w: %s is at version %d of %s, and this program knows up to %d; "+
				"run the newer program again, or put back a copy of the data from before the upgrade",
				ErrNewer, on.where, stored, s.table, s.known)
		case stored == s.known:
			continue
		}
		provider, err := goose.NewProvider(on.name, db, s.files,
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

// stored gives the version that the database is at; 0 when it is new.
func (s series) stored(ctx context.Context, db *sql.DB, on dialect) (version int64, err error) {
	var there int
	err = db.QueryRowContext(ctx, on.exists, s.table).Scan(&there)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	err = db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM `+s.table).Scan(&version)
	return version, err
}
