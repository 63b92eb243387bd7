package database_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
)

// TestMain lets this program be the other process: it opens a shared database,
// makes some changes and goes.
func TestMain(m *testing.M) {
	if at := os.Getenv("EMPORIUM_DATABASE_TEST_URL"); at != "" {
		os.Exit(serverMain(at))
	}
	path := os.Getenv("EMPORIUM_DATABASE_TEST_PATH")
	if path == "" {
		os.Exit(m.Run())
	}
	db, err := database.Open(context.Background(), database.Options{
		Path: path, Name: "book", Migrations: ledger, Shared: os.Getenv("EMPORIUM_DATABASE_TEST_ALONE") == "",
	})
	if err == nil {
		insert := db.Prepare(`INSERT INTO entry (n) SELECT 1 + COALESCE(MAX(n), 100) FROM entry`)
		for range 50 {
			if err = db.Update(context.Background(), func(tx *database.Tx) error {
				_, err := tx.Exec(insert)
				return err
			}); err != nil {
				break
			}
		}
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func otherProcess(t *testing.T, path string, env ...string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), append(env, "EMPORIUM_DATABASE_TEST_PATH="+path)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestSharedStart has eight processes and eight goroutines start at once on a
// file that does not exist, and write to it.
func TestSharedStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shared ?#%.db")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if out, err := otherProcess(t, path); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
		all.Go(func() {
			db, err := database.Open(t.Context(), database.Options{Path: path, Name: "book", Migrations: ledger, Shared: true})
			if err != nil {
				t.Error(err)
				return
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	db := dbtest.OpenWith(t, database.Options{Path: path, Name: "book", Migrations: ledger, Shared: true})
	var n int
	if err := db.Prepare(`SELECT COUNT(*) FROM entry`).QueryRow(t.Context()).Scan(&n); err != nil || n != 8*50 {
		t.Errorf("%d entries, %v", n, err)
	}
}

// TestSharedReads sees what another process wrote a moment ago.
func TestSharedReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shared.db")
	db := dbtest.OpenWith(t, database.Options{Path: path, Name: "book", Migrations: ledger, Shared: true})
	count := db.Prepare(`SELECT COUNT(*) FROM entry`)
	for round := range 3 {
		var n int
		for range 5 {
			if err := count.QueryRow(t.Context()).Scan(&n); err != nil || n != 50*round {
				t.Fatalf("%d entries in round %d, %v", n, round, err)
			}
		}
		if out, err := otherProcess(t, path); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

func TestInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "book.db")
	o := database.Options{Path: path, Name: "book", Migrations: ledger}
	db, err := database.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	out, err := otherProcess(t, path, "EMPORIUM_DATABASE_TEST_ALONE=1")
	if want := fmt.Sprintf("process %d has %s", os.Getpid(), path); err == nil || !strings.Contains(out, want) {
		t.Errorf("another process was told %q, want %q", out, want)
	}
	if out, err := otherProcess(t, path); err == nil {
		t.Errorf("another process shares what is held alone: %s", out)
	}
	if _, err := database.Open(t.Context(), o); !errors.Is(err, database.ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	dbtest.OpenWith(t, o)
}

// TestSecretOfFile changes the secret of a file, which has one owner.
func TestSecretOfFile(t *testing.T) {
	var log bytes.Buffer
	o := database.Options{Path: filepath.Join(t.TempDir(), "own.db"), Name: "own", Secret: []byte("one"), Log: slog.New(slog.NewTextHandler(&log, nil))}
	for _, c := range []struct {
		secret string
		warned bool
	}{{"one", false}, {"one", false}, {"two", true}, {"two", false}} {
		log.Reset()
		o.Secret = []byte(c.secret)
		db, err := database.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if warned := strings.Contains(log.String(), "the secret is another"); warned != c.warned {
			t.Errorf("%s: warned %v: %s", c.secret, warned, &log)
		}
	}
}

func TestNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "book.db")
	newer := fstest.MapFS{"sqlite/0007_more.sql": {Data: []byte("-- +goose Up\nCREATE TABLE more (id INTEGER PRIMARY KEY) STRICT;")}}
	maps.Copy(newer, ledger)
	open := func(migrations fs.FS) error {
		db, err := database.Open(t.Context(), database.Options{Path: path, Name: "book", Migrations: migrations})
		if err != nil {
			return err
		}
		return db.Close()
	}
	if err := errors.Join(open(ledger), open(newer), open(newer)); err != nil {
		t.Fatal(err)
	}
	err := open(ledger)
	if !errors.Is(err, database.ErrNewer) {
		t.Fatalf("a newer schema: %v", err)
	}
	for _, want := range []string{"version 7", "up to 1", "run the newer program", path} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if err := open(newer); err != nil {
		t.Errorf("the refusal left the lock: %v", err)
	}
}

func TestFailedMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "book.db")
	wrong := fstest.MapFS{"sqlite/0001_wrong.sql": {Data: []byte("-- +goose Up\nCREATE TABLE entry (n INTEGER) STRICT;\nCREATE TABEL typo;")}}
	o := database.Options{Path: path, Name: "book", Migrations: wrong}
	if _, err := database.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "0001_wrong.sql") {
		t.Errorf("it does not name the migration: %v", err)
	}
	o.Migrations = ledger // makes the same table: nothing of the failed one may be left
	dbtest.OpenWith(t, o)
}

// TestSnapshots reads while others write: each reader sees all that was
// answered before it asked, however its connection came by its snapshot.
func TestSnapshots(t *testing.T) {
	b := openBook(t)
	last := b.Prepare(`SELECT COALESCE(MAX(n), 0) FROM entry`)
	ended := time.Now().Add(300 * time.Millisecond)
	var all sync.WaitGroup
	for caller := range 8 {
		all.Go(func() {
			for i := 1; time.Now().Before(ended); i++ {
				n := i*8 + caller + 100
				if err := b.Update(t.Context(), b.add(n)); err != nil {
					t.Error(err)
					return
				}
				for range 1 + i%4 {
					var max int
					if err := last.QueryRow(t.Context()).Scan(&max); err != nil || max < n {
						t.Errorf("read %d after %d was answered, %v", max, n, err)
						return
					}
				}
				if i%16 == 0 {
					time.Sleep(time.Millisecond) // so that snapshots are kept in between
				}
			}
		})
	}
	all.Wait()
}

// TestLogIsWorkedOff reads between all writes, which keeps a snapshot each time;
// the log beside the file stays small all the same.
func TestLogIsWorkedOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "book.db")
	db := dbtest.OpenWith(t, database.Options{Path: path, Name: "book", Migrations: fstest.MapFS{
		"sqlite/0001_create_page.sql": {Data: []byte("-- +goose Up\nCREATE TABLE page (id INTEGER PRIMARY KEY, body BLOB) STRICT;")},
	}})
	insert, count := db.Prepare(`INSERT INTO page (body) VALUES ($1)`), db.Prepare(`SELECT COUNT(*) FROM page`)
	body := make([]byte, 64<<10)
	for range 600 {
		if err := db.Update(t.Context(), func(tx *database.Tx) error {
			_, err := tx.Exec(insert, body)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			var n int
			if err := count.QueryRow(t.Context()).Scan(&n); err != nil {
				t.Fatal(err)
			}
		}
	}
	log, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if log.Size() > 20<<20 {
		t.Errorf("the log holds %d MB after 38 MB were written", log.Size()>>20)
	}
}

// TestRest closes readers that nobody uses, and opens them again.
func TestRest(t *testing.T) {
	b := openBook(t)
	if err := b.Update(t.Context(), b.add(1)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := b.entries(t); got != "1" {
			t.Errorf("entries %s", got)
		}
		if used, rested := b.Rest(), b.Rest(); used != 1 || rested != 0 {
			t.Errorf("%d open after use, %d after a rest", used, rested)
		}
	}
}
