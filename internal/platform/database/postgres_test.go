package database_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/testenv"
)

// counts is a table of counters, and one where each entry refers to another at
// the end of its transaction.
var counts = fstest.MapFS{"postgres/0001_create_count.sql": {Data: []byte(`-- +goose Up
CREATE TABLE entry (n bigint PRIMARY KEY, of bigint REFERENCES entry (n) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE count (name text PRIMARY KEY, n bigint NOT NULL);
INSERT INTO count VALUES ('a', 0), ('b', 0);
`)}}

// server gives where the tests' server is.
func server(t *testing.T) (at string, ok bool) {
	t.Helper()
	return testenv.Require(t, "postgres")
}

func serverOptions(t *testing.T, at string) database.Options {
	t.Helper()
	return database.Options{URL: at, Database: dbtest.NewName(t, at, "own"), Name: "own", Migrations: counts}
}

// TestServerSharedStart has ten processes and ten goroutines start at once where
// there is no database, and write to it.
func TestServerSharedStart(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	o := serverOptions(t, at)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), "EMPORIUM_DATABASE_TEST_URL="+o.URL, "EMPORIUM_DATABASE_TEST_DATABASE="+o.Database)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
		all.Go(func() {
			if err := increment(t.Context(), o); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	db := dbtest.OpenWith(t, o)
	var n int
	if err := db.Prepare(`SELECT n FROM count WHERE name = 'a'`).QueryRow(t.Context()).Scan(&n); err != nil || n != 20*20 {
		t.Errorf("counted to %d, %v", n, err)
	}
}

// increment counts to twenty: it reads, holds and writes in two statements.
func increment(ctx context.Context, o database.Options) error {
	db, err := database.Open(ctx, o)
	if err != nil {
		return err
	}
	if err := dbtest.AwaitReady(ctx, db); err != nil {
		return errors.Join(err, db.Close())
	}
	read := db.PrepareForUpdate(`SELECT n FROM count WHERE name = $1`)
	write := db.Prepare(`UPDATE count SET n = $2 WHERE name = $1`)
	for range 20 {
		err = errors.Join(err, db.Update(ctx, func(tx *database.Tx) error {
			var n int
			if err := tx.QueryRow(read, "a").Scan(&n); err != nil {
				return err
			}
			_, err := tx.Exec(write, "a", n+1)
			return err
		}))
	}
	return errors.Join(err, db.Close())
}

func TestServerNewerSchema(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	o := serverOptions(t, at)
	newer := fstest.MapFS{"postgres/0007_more.sql": {Data: []byte("-- +goose Up\nCREATE TABLE more (id bigint PRIMARY KEY);")}}
	maps.Copy(newer, counts)
	open := func(migrations fstest.MapFS) error {
		o.Migrations = migrations
		db, err := database.Open(t.Context(), o)
		if err != nil {
			return err
		}
		return db.Close()
	}
	if err := errors.Join(open(counts), open(newer), open(newer)); err != nil {
		t.Fatal(err)
	}
	err := open(counts)
	if !errors.Is(err, database.ErrNewer) || !strings.Contains(err.Error(), "version 7") || !strings.Contains(err.Error(), o.Database) {
		t.Errorf("a newer schema: %v", err)
	}
}

// TestServerOtherSecret starts a second process with a secret of its own.
func TestServerOtherSecret(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	o := serverOptions(t, at)
	o.Secret = []byte("the first")
	first := dbtest.OpenWith(t, o)
	dbtest.OpenWith(t, o) // another process with the same
	o.Secret = []byte("the second")
	if _, err := database.Open(t.Context(), o); !errors.Is(err, database.ErrOtherSecret) || !strings.Contains(err.Error(), "EMPORIUM_SECRET") || !strings.Contains(err.Error(), o.Database) {
		t.Errorf("another secret: %v", err)
	}
	if err := first.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	own := parseURL(t, at)
	own.Path = "/" + o.Database
	dbtest.Run(t, own.String(), "DELETE FROM secret_mark") // as the message says
	dbtest.OpenWith(t, o)
}

// TestServerRefuses starts with what will not pass by itself.
func TestServerRefuses(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	o := serverOptions(t, at)
	role := dbtest.NewName(t, at, "role") // no database of that name will be
	dbtest.Run(t, at, "CREATE ROLE "+role+" LOGIN PASSWORD 'x'")
	defer dbtest.Run(t, at, "DROP ROLE "+role)
	limited := parseURL(t, at)
	limited.User = url.UserPassword(role, "x")
	for name, c := range map[string]struct {
		url  string
		want string
	}{
		"a role that may not make it": {limited.String(), "have somebody who may run: CREATE DATABASE \"" + o.Database + "\""},
		"no role":                     {strings.Replace(limited.String(), role, "nobody_of_that_name", 1), "nobody_of_that_name"},
		"not an address":              {"postgres://own:hunter2@[", "address of the server"},
	} {
		o.URL = c.url
		began := time.Now()
		if _, err := database.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s: told after %s", name, took)
		}
	}
}

// TestServerIsWaitedFor opens a database whose server comes later.
func TestServerIsWaitedFor(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	db, come := awayServer(t, at)
	read := db.Prepare(`SELECT n FROM count WHERE name = $1`)
	if err := db.PrepareErr(); err != nil {
		t.Fatal(err)
	}
	var n int
	for _, err := range []error{
		db.Ready(t.Context()), read.QueryRow(t.Context(), "a").Scan(&n),
		db.Update(t.Context(), func(*database.Tx) error { return nil }),
	} {
		if market.KindOf(err) != market.Unavailable {
			t.Errorf("while it is waited for: %v", err)
		}
	}
	come()
	eventually(t, func() error { return db.Ready(t.Context()) })
	if err := read.QueryRow(t.Context(), "a").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
}

// TestServerIsNotWaitedFor gives up opening a database whose server does not
// answer, as a command does that is told to end.
func TestServerIsNotWaitedFor(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	wire, through := newWire(t, at)
	goOn := wire.Stall()
	defer goOn()
	o := serverOptions(t, at)
	o.URL = through
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := database.Open(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("opened with %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it gave up after %s", took)
	}
}

// TestServerWrongStatement prepares a wrong statement before its server is there.
func TestServerWrongStatement(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	db, come := awayServer(t, at)
	wrong := db.Prepare(`SELECT colour FROM count`)
	come()
	eventually(t, db.PrepareErrIsKnown)
	if err := db.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "colour") {
		t.Errorf("ready with a wrong statement: %v", err)
	}
	var s string
	if err := wrong.QueryRow(t.Context()).Scan(&s); err == nil {
		t.Error("it can be read")
	}
}

func eventually(t *testing.T, ok func() error) {
	t.Helper()
	var err error
	for ended := time.Now().Add(20 * time.Second); time.Now().Before(ended); time.Sleep(10 * time.Millisecond) {
		if err = ok(); err == nil {
			return
		}
	}
	t.Fatalf("never so: %v", err)
}

// TestServerConnectionsEnd ends every connection again and again while callers
// count: what is answered is stored once, and nobody hears of most of it.
func TestServerConnectionsEnd(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	o := serverOptions(t, at)
	db := dbtest.OpenWith(t, o)
	add := db.Prepare(`INSERT INTO entry (n) VALUES ($1)`)
	total := db.Prepare(`SELECT COUNT(*) FROM entry WHERE n BETWEEN $1 AND $1`)
	var unknown, numbers atomic.Int64
	const enough = 100
	atLeast, atMost := time.Now().Add(2*time.Second), time.Now().Add(time.Minute)
	goesOn := func() bool {
		return time.Now().Before(atLeast) || numbers.Load() < enough && time.Now().Before(atMost)
	}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for goesOn() {
				n := numbers.Add(1)
				err := db.Update(t.Context(), func(tx *database.Tx) error {
					_, err := tx.Exec(add, n)
					return err
				})
				var stored int64
				if reading := total.QueryRow(t.Context(), n).Scan(&stored); reading != nil {
					t.Errorf("a read: %v", reading)
				}
				switch {
				case err == nil && stored != 1:
					t.Errorf("%d was answered and is not stored", n)
				case err == nil:
				case market.KindOf(err) == market.Unavailable:
					unknown.Add(1)
				default:
					t.Errorf("%d: %v", n, err)
				}
			}
		})
	}
	for goesOn() {
		time.Sleep(100 * time.Millisecond)
		dbtest.Run(t, at, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+o.Database+"'")
	}
	all.Wait()
	if n := numbers.Load(); n < enough || unknown.Load() > n/4 {
		t.Errorf("%d of %d were told to come again", unknown.Load(), n)
	}
	t.Logf("%d of %d were told to come again", unknown.Load(), numbers.Load())
}

// TestServerDeadlock has two databases change the same rows in opposite order.
// Each holds its first before the other asks for it, so one is ended by the
// server, and tried again.
func TestServerDeadlock(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	o := serverOptions(t, at)
	var all, held sync.WaitGroup
	var tried atomic.Int64
	held.Add(2)
	move := func(names ...string) {
		db := dbtest.OpenWith(t, o)
		add := db.Prepare(`UPDATE count SET n = n + 1 WHERE name = $1`)
		both := sync.OnceFunc(func() {
			held.Done()
			held.Wait()
		})
		all.Go(func() {
			if err := db.Update(t.Context(), func(tx *database.Tx) error {
				tried.Add(1)
				for _, name := range names {
					if _, err := tx.Exec(add, name); err != nil {
						return err
					}
					both()
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	move("a", "b")
	move("b", "a")
	all.Wait()
	if tried.Load() < 3 {
		t.Error("they did not meet")
	}
	var reached int
	db := dbtest.OpenWith(t, o)
	if err := db.Prepare(`SELECT COUNT(*) FROM count WHERE n = 2`).QueryRow(t.Context()).Scan(&reached); err != nil || reached != 2 {
		t.Errorf("%d counters of two reached 2, %v", reached, err)
	}
}

// TestServerGroup runs changes that fail in every way beside others that do not.
func TestServerGroup(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	for name, fail := range map[string]func(tx *database.Tx, add, refer *database.Stmt) error{
		"a constraint": func(tx *database.Tx, add, _ *database.Stmt) error {
			_, err := tx.Exec(add, 1)
			return err
		},
		"a constraint unnoticed": func(tx *database.Tx, add, _ *database.Stmt) error {
			_, _ = tx.Exec(add, 1)
			_, _ = tx.Exec(add, 7)
			return nil
		},
		"a refusal after a write": func(tx *database.Tx, add, _ *database.Stmt) error {
			_, err := tx.Exec(add, 7)
			return errors.Join(err, errors.New("refused"))
		},
		"a refusal before any": func(*database.Tx, *database.Stmt, *database.Stmt) error { return errors.New("refused") },
		"a panic":              func(tx *database.Tx, add, _ *database.Stmt) error { _, _ = tx.Exec(add, 7); panic("by mistake") },
		"a deferred foreign key": func(tx *database.Tx, _, refer *database.Stmt) error {
			_, err := tx.Exec(refer, 7, 999)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := dbtest.OpenWith(t, serverOptions(t, at))
			add, refer := db.Prepare(`INSERT INTO entry (n) VALUES ($1)`), db.Prepare(`INSERT INTO entry (n, of) VALUES ($1, $2)`)
			insert := func(n int) error {
				return db.Update(t.Context(), func(tx *database.Tx) error {
					_, err := tx.Exec(add, n)
					return err
				})
			}
			if err := insert(1); err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			for i := range 60 {
				all.Go(func() {
					if i%3 == 0 {
						if err := db.Update(t.Context(), func(tx *database.Tx) error { return fail(tx, add, refer) }); err == nil {
							t.Error("its error is lost")
						}
					} else if err := insert(100 + i); err != nil {
						t.Errorf("change %d: %v", i, err)
					}
				})
			}
			all.Wait()
			var n int
			if err := db.Prepare(`SELECT COUNT(*) FROM entry`).QueryRow(t.Context()).Scan(&n); err != nil || n != 41 {
				t.Errorf("%d entries, %v", n, err)
			}
		})
	}
}

// TestServerForgetsHosts has the server notice when a host vanishes, and take a
// limit that its address names instead of ours.
func TestServerForgetsHosts(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	u := parseURL(t, at)
	q := u.Query()
	q.Set("tcp_keepalives_count", "7")
	u.RawQuery = q.Encode()
	o := serverOptions(t, at)
	o.URL = u.String()
	db := dbtest.OpenWith(t, o)
	var idle, interval, count string
	err := db.Prepare(`SELECT current_setting('tcp_keepalives_idle'), current_setting('tcp_keepalives_interval'), current_setting('tcp_keepalives_count')`).
		QueryRow(t.Context()).Scan(&idle, &interval, &count)
	if err != nil || idle != "30" || interval != "10" || count != "7" {
		t.Errorf("it asks after %s s, every %s s, %s times; %v", idle, interval, count, err)
	}
}

// TestServerInterrupts gives up a built query whose caller has gone, and says so
// when a statement takes too long; the connections go on.
func TestServerInterrupts(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	o := serverOptions(t, at)
	u := parseURL(t, at)
	u.RawQuery = url.Values{"statement_timeout": {"300"}}.Encode()
	o.URL = u.String()
	db := dbtest.OpenWith(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := db.Query(ctx, `SELECT pg_sleep(20)::text`); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a caller who has gone: %v", err)
	}
	var s string
	if err := db.Prepare(`SELECT pg_sleep(20)::text`).QueryRow(t.Context()).Scan(&s); market.KindOf(err) != market.Unavailable {
		t.Errorf("a statement that takes too long: %v", err)
	}
	if err := db.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestServerStalls has a server that is there and does not answer, after its
// connections have rested: who reads is told so, and not kept.
func TestServerStalls(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	wire, through := newWire(t, at)
	o := serverOptions(t, at)
	u := parseURL(t, through)
	q := u.Query()
	q.Set("connect_timeout", "1")
	u.RawQuery = q.Encode()
	o.URL = u.String()
	db := dbtest.OpenWith(t, o)
	time.Sleep(1100 * time.Millisecond) // the pool asks a connection how it is after a second
	goOn := wire.Stall()
	defer goOn()
	told := make(chan error, 1)
	go func() { told <- db.Ready(t.Context()) }()
	select {
	case err := <-told:
		if market.KindOf(err) != market.Unavailable {
			t.Errorf("told %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("nothing is told for half a minute")
	}
}

// awayServer opens a database whose server comes as soon as come is called.
func awayServer(t *testing.T, at string) (db *database.DB, come func()) {
	t.Helper()
	wire, through := newWire(t, at)
	o := serverOptions(t, at)
	o.URL = through
	wire.Down(true)
	return dbtest.OpenAway(t, o), func() { wire.Down(false) }
}

// newWire leads to a server, whose address through the wire it gives.
func newWire(t *testing.T, at string) (wire *testenv.Wire, through string) {
	t.Helper()
	u := parseURL(t, at)
	wire = testenv.NewWire(t, hostPort(u))
	u.Host = wire.Address()
	return wire, u.String()
}

func parseURL(t *testing.T, at string) *url.URL {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// hostPort is where the server of an address listens.
func hostPort(u *url.URL) string {
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "5432")
	}
	return u.Host
}

// serverMain is the other process of [TestServerSharedStart].
func serverMain(at string) int {
	err := increment(context.Background(), database.Options{
		URL: at, Database: os.Getenv("EMPORIUM_DATABASE_TEST_DATABASE"), Name: "own", Migrations: counts,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
