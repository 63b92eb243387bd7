package database_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
)

// TestServerCutAtCommit cuts the connection off when a COMMIT is sent, before it
// arrives and after. Both times the caller is told that nobody knows; repeated
// with its key, it is done once.
func TestServerCutAtCommit(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	for name, arrives := range map[string]bool{"before it arrives": false, "after it arrived": true} {
		t.Run(name, func(t *testing.T) {
			door := newCommitDoor(t, at, arrives)
			o := serverOptions(t, at)
			o.URL = door.url
			db := dbtest.OpenWith(t, o)
			add := db.Prepare(`INSERT INTO entry (n) VALUES ($1)`)
			insert := func(key string, n int) (int, error) {
				ctx := market.WithOnceKey(t.Context(), market.OnceKey{Key: key, Operation: "add", Body: []byte(key)})
				return database.Once(ctx, db, func(tx *database.Tx) (int, error) {
					_, err := tx.Exec(add, n)
					return n, err
				})
			}
			if _, err := insert("first", 1); err != nil { // its connection knows all statements
				t.Fatal(err)
			}
			door.armed.Store(true)
			_, err := insert("second", 2)
			refusal, ok := errors.AsType[*market.Error](err)
			if !ok || refusal.Kind != market.Unavailable || refusal.Code != "outcome_unknown" {
				t.Errorf("the caller is told %v", err)
			}
			if door.armed.Load() {
				t.Error("no COMMIT was seen")
			}
			for range 2 {
				if n, err := insert("second", 2); n != 2 || err != nil {
					t.Errorf("repeated: %d, %v", n, err)
				}
			}
			var n int
			if err := db.Prepare(`SELECT COUNT(*) FROM entry`).QueryRow(t.Context()).Scan(&n); err != nil || n != 2 {
				t.Errorf("%d entries, %v", n, err)
			}
		})
	}
}

// commitDoor stands in front of a server, and ends one connection at a COMMIT.
type commitDoor struct {
	url     string
	arrives bool
	armed   atomic.Bool
}

func newCommitDoor(t *testing.T, at string, arrives bool) *commitDoor {
	t.Helper()
	u := parseURL(t, at)
	behind := hostPort(u)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	u.Host = l.Addr().String()
	q := u.Query()
	q.Set("pool_max_conns", "1")
	u.RawQuery = q.Encode()
	d := &commitDoor{url: u.String(), arrives: arrives}
	go func() {
		for near, err := l.Accept(); err == nil; near, err = l.Accept() {
			if far, err := net.Dial("tcp", behind); err == nil {
				go func() { _, _ = copyAll(near, far) }()
				go d.pass(near, far)
			}
		}
	}()
	return d
}

// prepared finds the name under which COMMIT is prepared.
var prepared = regexp.MustCompile(`(stmt_[0-9a-f]+)\x00COMMIT\x00`)

func (d *commitDoor) pass(near, far net.Conn) {
	defer near.Close()
	buffer := make([]byte, 64<<10)
	name := []byte("COMMIT")
	for {
		n, err := near.Read(buffer)
		if err != nil {
			_ = far.Close()
			return
		}
		if found := prepared.FindSubmatch(buffer[:n]); found != nil {
			name = bytes.Clone(found[1])
		}
		cut := bytes.Contains(buffer[:n], name) && d.armed.CompareAndSwap(true, false)
		if cut && !d.arrives {
			_ = far.Close()
			return
		}
		if cut {
			_ = near.Close()
		}
		_, _ = far.Write(buffer[:n])
		if cut {
			time.Sleep(100 * time.Millisecond) // it is carried out
			_ = far.Close()
			return
		}
	}
}

func copyAll(to, from net.Conn) (int64, error) {
	defer to.Close()
	defer from.Close()
	return io.Copy(to, from)
}

// TestServerLostGroup loses its server in the middle of a group of which one
// change was refused for what another had done: that one was not done, either,
// and nobody is told that it was.
func TestServerLostGroup(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	wire, through := newWire(t, at)
	o := serverOptions(t, at)
	o.URL = through
	db := dbtest.OpenWith(t, o)
	add := db.Prepare(`INSERT INTO entry (n) VALUES ($1)`)
	exec := func(n int, before func()) error {
		return db.Update(t.Context(), func(tx *database.Tx) error {
			before()
			_, err := tx.Exec(add, n)
			return err
		})
	}
	type result struct {
		n   int
		err error
	}
	hold, began, results := make(chan struct{}), make(chan struct{}), make(chan result, 4)
	for _, change := range []struct {
		n      int
		before func()
	}{
		{1, sync.OnceFunc(func() { close(began); <-hold })},
		{2, func() {}},
		{2, func() {}},
		{3, func() { wire.Down(true) }},
	} {
		go func() { results <- result{change.n, exec(change.n, change.before)} }()
		<-began
		time.Sleep(50 * time.Millisecond) // the others come in this order, and together
	}
	close(hold)
	var all []result
	for range 4 {
		all = append(all, <-results)
	}
	wire.Down(false)
	count := db.Prepare(`SELECT COUNT(*) FROM entry WHERE n = $1`)
	eventually(t, func() error { return db.Ready(t.Context()) })
	for _, r := range all {
		var n int
		if err := count.QueryRow(t.Context(), r.n).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 0 && market.KindOf(r.err) != market.Unavailable {
			t.Errorf("there is no %d, and who wrote it was told %v", r.n, r.err)
		}
	}
}

// TestServerHeldElsewhere has one change of a group want a row that another
// process holds: its neighbours are answered meanwhile, and it is once the row is
// free.
func TestServerHeldElsewhere(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	o := serverOptions(t, at)
	u := parseURL(t, at)
	q := u.Query()
	q.Set("lock_timeout", "25000") // longer than it is waited for below
	u.RawQuery = q.Encode()
	o.URL = u.String()
	here, there := dbtest.OpenWith(t, o), dbtest.OpenWith(t, o)
	change := func(db *database.DB, statement string, then func()) chan error {
		told := make(chan error, 1)
		stmt := db.Prepare(statement)
		go func() {
			told <- db.Update(t.Context(), func(tx *database.Tx) error {
				_, err := tx.Exec(stmt)
				then()
				return err
			})
		}()
		return told
	}
	// until gives what tells that a change is under way, and then waits.
	until := func(done chan struct{}) (began chan struct{}, then func()) {
		began = make(chan struct{})
		return began, sync.OnceFunc(func() { close(began); <-done })
	}
	const count = `UPDATE count SET n = n + 1 WHERE name = 'a'`
	free, together := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(free) })
	defer release()
	held, then := until(free)
	elsewhere := change(there, count, then)
	<-held
	first, then := until(together)
	neighbours := []chan error{change(here, `INSERT INTO entry (n) VALUES (0)`, then)}
	<-first
	wants := change(here, count, func() {})
	for _, n := range []string{"1", "2", "3"} {
		neighbours = append(neighbours, change(here, `INSERT INTO entry (n) VALUES (`+n+`)`, func() {}))
	}
	time.Sleep(50 * time.Millisecond) // they come together
	close(together)
	for n, told := range neighbours {
		select {
		case err := <-told:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("change %d waits for what it does not want", n)
		}
	}
	release()
	if err := errors.Join(<-elsewhere, <-wants); err != nil {
		t.Error(err)
	}
	var n int
	if err := here.Prepare(`SELECT n FROM count WHERE name = 'a'`).QueryRow(t.Context()).Scan(&n); err != nil || n != 2 {
		t.Errorf("counted to %d, %v", n, err)
	}
}

// TestServerWrongValue runs a change with a value that its column cannot hold, and
// one with a row that its place cannot: the change is told so, at once, and its
// neighbours go on.
func TestServerWrongValue(t *testing.T) {
	at, ok := server(t)
	if !ok {
		return
	}
	for name, c := range map[string]struct {
		add string
		run func(tx *database.Tx, add *database.Stmt, n int) error
	}{
		"a column": {`INSERT INTO entry (n) VALUES ($1::integer)`, func(tx *database.Tx, add *database.Stmt, n int) error {
			if n == 2 {
				n = 1 << 40
			}
			_, err := tx.Exec(add, n)
			return err
		}},
		"a place": {`INSERT INTO entry (n, of) VALUES ($1::bigint, NULLIF($1::bigint, 2)) RETURNING of`, func(tx *database.Tx, add *database.Stmt, n int) error {
			return tx.QueryRowLater(add, n).Scan(new(int)) // NULL is none
		}},
	} {
		t.Run(name, func(t *testing.T) {
			db := dbtest.OpenWith(t, serverOptions(t, at))
			add := db.Prepare(c.add)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			hold, errs := make(chan struct{}), make(chan error, 5)
			for i := range 5 {
				go func() {
					errs <- db.Update(ctx, func(tx *database.Tx) error {
						if i == 0 {
							<-hold // the others come together
						}
						return c.run(tx, add, i)
					})
				}()
			}
			time.Sleep(50 * time.Millisecond)
			close(hold)
			wrong := 0
			for range 5 {
				if err := <-errs; err != nil {
					if wrong++; market.KindOf(err) == market.Unavailable {
						t.Errorf("told %v", err)
					}
				}
			}
			if wrong != 1 {
				t.Errorf("%d changes failed for one wrong value", wrong)
			}
		})
	}
}
