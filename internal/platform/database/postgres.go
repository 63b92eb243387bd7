package database

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"emporium/internal/platform/dial"
)

// Limits of what is done on a server. A URL that names them itself wins.
const (
	poolSize         = 8 // connections: many services share a server
	connectTimeout   = 5 * time.Second
	statementTimeout = 10 * time.Second
	lockTimeout      = 5 * time.Second
	idleTimeout      = 30 * time.Second // of a transaction that says nothing
	answerTimeout    = 20 * time.Second // for a server that is there and does not answer
	cancelTimeout    = 2 * time.Second  // for one that was asked to give up a query
)

// tries is how often a statement or a change is tried that was cut off, or met
// with another, before its caller is told to come again: for about a second, or
// for tryFor and one more try where nothing comes back from a server and each try
// waits.
const (
	tries  = 12
	tryFor = 5 * time.Second
)

// postgresEngine is a database on a server.
type postgresEngine struct {
	db     *DB
	config *pgxpool.Config
	*intake

	begin, commit, rollback     *Stmt
	savepoint, release, restore *Stmt
	hold, patience, impatience  *Stmt
	careful                     int // so many groups to come have savepoints

	connecting sync.WaitGroup
	stop       context.CancelFunc // ends the waiting for the server

	mu        sync.Mutex
	pool      *pgxpool.Pool // nil until the server was there
	cause     error         // why it is nil
	unchecked []*Stmt       // statements to check when it comes
}

// openPostgres finds the server, or goes on waiting for it.
func openPostgres(ctx context.Context, db *DB) error {
	config, err := pgxpool.ParseConfig(db.options.URL)
	if err != nil {
		return fmt.Errorf("read the address of the server: %w", err) // it holds no password
	}
	if !strings.Contains(db.options.URL, "pool_max_conns=") {
		config.MaxConns = poolSize
	}
	config.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: cancelTimeout}
	}
	config.ConnConfig.DialFunc = dial.New(0).DialContext
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	config.PingTimeout = config.ConnConfig.ConnectTimeout // of one that rested, when it is wanted again
	for name, value := range map[string]string{
		"application_name":                    "emporium-" + db.options.Name,
		"statement_timeout":                   inMillis(statementTimeout),
		"lock_timeout":                        inMillis(lockTimeout),
		"idle_in_transaction_session_timeout": inMillis(idleTimeout),
		// A host that vanished leaves its connections to the server, which by
		// itself keeps them for two hours: a second one might find no room.
		"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3", // in seconds
	} {
		if _, given := config.ConnConfig.RuntimeParams[name]; !given {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	e := &postgresEngine{db: db, config: config, cause: errors.New("the server has not answered yet")}
	e.intake = newIntake(pgGroupSize, db.options.Log)
	e.intake.settle = e.settle
	db.engine = e
	for _, s := range []struct {
		to   **Stmt
		text string
	}{
		{&e.begin, "BEGIN ISOLATION LEVEL READ COMMITTED"},
		{&e.commit, "COMMIT"},
		{&e.rollback, "ROLLBACK"},
		{&e.savepoint, "SAVEPOINT change"},
		{&e.release, "RELEASE change"},
		{&e.restore, "ROLLBACK TO change"},
		{&e.hold, "SELECT pg_advisory_xact_lock($1)"},
		{&e.patience, "SET LOCAL lock_timeout = " + inMillis(groupPatience)},
		{&e.impatience, "SET LOCAL lock_timeout = " + inMillis(lostPatience)},
	} {
		*s.to = db.Prepare(s.text)
	}
	if err := e.connect(ctx); err != nil {
		return err
	}
	e.start()
	return nil
}

func inMillis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// reach gives the pool, or says that the server was not there yet.
func (e *postgresEngine) reach() (*pgxpool.Pool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pool == nil {
		return nil, unavailable(e.cause)
	}
	return e.pool, nil
}

// acquire gives a connection for one caller.
func (e *postgresEngine) acquire(ctx context.Context) (*session, error) {
	pool, err := e.reach()
	if err != nil {
		return nil, err
	}
	c, err := pool.Acquire(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if e.db.closed.Load() {
			return nil, ErrClosed
		}
		return nil, cutOff(err)
	}
	return newSession(c), nil
}

// prepare checks a statement, now or when the server is there.
func (e *postgresEngine) prepare(s *Stmt) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pool == nil {
		e.unchecked = append(e.unchecked, s)
		return nil
	}
	err := again(func() error {
		ctx, cancel := context.WithTimeout(background, connectTimeout)
		defer cancel()
		c, err := e.pool.Acquire(ctx)
		if err != nil {
			return cutOff(err)
		}
		session := newSession(c)
		defer session.release()
		_, err = session.statement(s)
		return err
	})
	if isLost(err) {
		return nil // it is wrong or right as soon as it runs
	}
	return err
}

func (e *postgresEngine) queryRow(ctx context.Context, s *Stmt, args, dest []any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return pgRefusal(again(func() error {
		session, err := e.acquire(ctx)
		if err != nil {
			return err
		}
		defer session.release()
		return session.queryRow(s, args, dest)
	}))
}

func (e *postgresEngine) query(ctx, watched context.Context, s *Stmt, args []any) (rows Rows, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = again(func() error {
		session, err := e.acquire(ctx)
		if err != nil {
			return err
		}
		if rows, err = session.query(ctx, watched, s, args); err != nil {
			session.release()
		}
		return err
	})
	if err != nil {
		if watched.Err() != nil {
			err = watched.Err()
		}
		return nil, pgRefusal(err)
	}
	return rows, nil
}

func (e *postgresEngine) update(ctx context.Context, fn func(*Tx) error) error {
	if _, err := e.reach(); err != nil {
		return err
	}
	return pgRefusal(e.do(ctx, fn))
}

func (e *postgresEngine) forUpdate() string { return " FOR UPDATE" }

func (e *postgresEngine) forShare() string { return " FOR SHARE" }

// close answers what is under way and gives up the connections.
func (e *postgresEngine) close() error {
	e.stop()
	e.connecting.Wait()
	e.intake.close()
	e.mu.Lock()
	pool := e.pool
	e.pool, e.cause = nil, ErrClosed
	e.mu.Unlock()
	if pool != nil {
		pool.Close()
	}
	return nil
}

// again repeats what reads while its connection is cut off.
func again(try func() error) (err error) {
	enough, cancel := context.WithTimeout(background, tryFor)
	defer cancel()
	for n := range tries {
		if err = try(); !isLost(err) || enough.Err() != nil {
			return err
		}
		pause(n)
	}
	return err
}

// pause waits longer each time, up to 200 ms, and not as long as others who
// wait for the same reason.
func pause(n int) {
	longest := min(time.Millisecond<<n, 200*time.Millisecond)
	time.Sleep(longest/2 + rand.N(longest/2))
}

// The states (SQLSTATE) that say what happened: PostgreSQL's documentation,
// appendix A.
const (
	stateUnique        = "23505"
	stateForeignKey    = "23503"
	stateSerialization = "40001"
	stateDeadlock      = "40P01"
	stateLockTimeout   = "55P03"
	stateCancelled     = "57014" // also by the statement timeout
	stateNoDatabase    = "3D000"
	stateNotAllowed    = "42501"
	stateDatabaseThere = "42P04"
	stateReadOnly      = "25006" // a standby, after a failover
)

// state gives PostgreSQL's code of what happened, or "" when err is none of its.
func state(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// A lostError says that the connection is gone, or was never made: what was
// asked on it may be asked again on another.
type lostError struct{ error }

func (e lostError) Unwrap() error { return e.error }

// cutOff marks an error of a connection that is gone.
func cutOff(err error) error { return lostError{err} }

func isLost(err error) bool {
	_, ok := errors.AsType[lostError](err)
	return ok
}

// A valueError is a value that cannot be sent or read: the statement is wrong, or
// who runs it, and not the connection.
type valueError struct{ error }

func (e valueError) Unwrap() error { return e.error }

// classify tells apart what the server refused and what is wrong with the
// connection.
func classify(err error) error {
	if err == nil || errors.Is(err, ErrNoRows) || isLost(err) {
		return err
	}
	if _, ok := errors.AsType[valueError](err); ok {
		return err
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case e.Code == stateCancelled:
		case strings.HasPrefix(e.Code, "57"), strings.HasPrefix(e.Code, "08"), e.Severity == "FATAL":
			return cutOff(err) // the server ends, or ends this connection
		}
		return err
	}
	return cutOff(err)
}

// isContention says that a change met with another and may be tried again.
func isContention(err error) bool {
	code := state(err)
	return code == stateSerialization || code == stateDeadlock
}

// pgRefusal makes what will pass by itself an Unavailable.
func pgRefusal(err error) error {
	if err == nil || errors.Is(err, errUnknown) { // which says so itself
		return err
	}
	code := state(err)
	switch {
	case isLost(err), errors.Is(err, ErrClosed), isContention(err), strings.HasPrefix(code, "53"), // no room, no connections
		code == stateLockTimeout, code == stateCancelled, code == stateReadOnly:
		return unavailable(err)
	}
	return err
}
