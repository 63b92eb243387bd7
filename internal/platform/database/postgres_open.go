package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// startTimeout is how long Open waits for a server before it goes on without.
const startTimeout = 3 * time.Second

// connect makes the database ready to use, and goes on trying in the background
// when the server does not answer. The error is what will not pass by itself.
func (e *postgresEngine) connect(opening context.Context) error {
	ctx, stop := context.WithCancel(context.WithoutCancel(opening))
	e.stop = stop
	first := make(chan error, 1)
	e.connecting.Go(func() {
		err := e.setUp(ctx)
		first <- err
		for n := 0; err != nil && ctx.Err() == nil; n++ {
			e.mu.Lock()
			e.cause = err
			e.mu.Unlock()
			e.db.options.Log.WarnContext(ctx, "the database cannot be used yet", "name", e.db.options.Name, "error", err)
			wait := min(250*time.Millisecond<<min(n, 10), 5*time.Second)
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
			if err = e.setUp(ctx); err == nil {
				e.db.options.Log.InfoContext(ctx, "the database is ready", "name", e.db.options.Name)
			}
		}
	})
	select {
	case err := <-first:
		if err == nil || passes(err) {
			return nil
		}
		return errors.Join(err, e.close())
	case <-time.After(startTimeout):
		return nil
	case <-opening.Done():
		return errors.Join(opening.Err(), e.close())
	}
}

// passes says of an error at the start whether it will pass by itself: the
// server is not there, starts or stops, or has no room.
func passes(err error) bool {
	if code := state(err); code != "" {
		return code == stateReadOnly || slices.Contains([]string{"08", "53", "57"}, code[:2])
	}
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	return connecting || network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// own is how to reach the database itself, where the URL may name another.
func (e *postgresEngine) own() *pgxpool.Config {
	config := e.config.Copy()
	if name := e.db.options.Database; name != "" {
		config.ConnConfig.Database = name
	}
	return config
}

// patient is for what may take long, or wait for another process that does.
func patient(config *pgx.ConnConfig) *pgx.ConnConfig {
	config = config.Copy()
	for _, limit := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		config.RuntimeParams[limit] = "0"
	}
	return config
}

// setUp makes the database when it is not there, brings its tables up to date
// and lets everybody use it.
func (e *postgresEngine) setUp(ctx context.Context) error {
	config := e.own()
	c, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if state(err) == stateNoDatabase {
		if err := e.create(ctx, config.ConnConfig.Database); err != nil {
			return err
		}
	} else if err != nil {
		return err
	} else if err := c.Close(ctx); err != nil {
		return err
	}
	if err := e.migrate(ctx, config.ConnConfig); err != nil {
		return err
	}
	pool, err := pgxpool.NewWithConfig(background, config)
	if err != nil {
		return err
	}
	if err := e.check(ctx, pool); err != nil {
		pool.Close()
		return err
	}
	return nil
}

// check looks at the statements that were prepared while there was no server,
// and puts the pool up.
func (e *postgresEngine) check(ctx context.Context, pool *pgxpool.Pool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	session := newSession(c)
	defer session.release()
	for i, s := range e.unchecked {
		if _, err := session.statement(s); isLost(err) {
			e.unchecked = e.unchecked[i:]
			return err
		} else if err != nil {
			e.db.options.Log.ErrorContext(ctx, "a statement is wrong", "error", e.db.notePrepareErr(s, err))
		}
	}
	e.pool, e.cause, e.unchecked = pool, nil, nil
	return nil
}

// create makes the database, from one that exists.
func (e *postgresEngine) create(ctx context.Context, name string) error {
	config := e.config.ConnConfig.Copy()
	if config.Database == name {
		config.Database = "postgres"
	}
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("there is no database %s, and none to make it from: %w", name, err)
	}
	defer func() { _ = c.Close(ctx) }()
	statement := "CREATE DATABASE " + pgx.Identifier{name}.Sanitize() + " ENCODING 'UTF8' TEMPLATE template0"
	if _, err = c.Exec(ctx, "SET statement_timeout = 0"); err == nil {
		_, err = c.Exec(ctx, statement)
	}
	switch state(err) {
	case stateDatabaseThere, stateUnique: // another process was faster
		return nil
	case stateNotAllowed:
		return fmt.Errorf("there is no database %s, and the role %s may not make it; have somebody who may run: %s OWNER %s; (%w)",
			name, config.User, statement, pgx.Identifier{config.User}.Sanitize(), err)
	}
	if err == nil {
		e.db.options.Log.InfoContext(ctx, "made the database", "name", name)
	}
	return err
}

// migrationLock keeps processes that start at once apart. The two numbers are of
// a space of their own: others lock with one.
const migrationLock = `SELECT pg_advisory_lock(1163084882, 1)`

// migrate brings the tables up to date, while other processes that start wait,
// and compares secrets with them.
func (e *postgresEngine) migrate(ctx context.Context, config *pgx.ConnConfig) (err error) {
	config = patient(config)
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	on := dialect{
		name: goose.DialectPostgres, folder: "postgres", where: "the database " + config.Database, shared: true,
		exists: `SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = $1`,
	}
	switch current, err := isCurrent(ctx, db, on, e.db.options); {
	case err != nil:
		return err
	case current:
		return checkSecret(ctx, db, on, e.db.options)
	}
	locked, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end(locked)) }()
	if _, err := locked.ExecContext(ctx, migrationLock); err != nil {
		return err
	}
	if err := migrate(ctx, db, on, e.db.options); err != nil {
		return err
	}
	return checkSecret(ctx, db, on, e.db.options)
}

// end closes the connection for good, and with it gives up its lock.
func end(c *sql.Conn) error {
	err := c.Raw(func(driver any) error {
		return driver.(*stdlib.Conn).Conn().Close(background)
	})
	return errors.Join(err, ignoreClosed(c.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}
