package events_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/events"
	"emporium/internal/platform/queue"
)

const event = "account_deleted.v1"

// tables of a listener that counts: an event that has effect twice shows.
var tables = fstest.MapFS{
	"sqlite/0001_create_closed.sql":   {Data: []byte("-- +goose Up\nCREATE TABLE closed (user_id INTEGER PRIMARY KEY, times INTEGER NOT NULL) STRICT;\n")},
	"postgres/0001_create_closed.sql": {Data: []byte("-- +goose Up\nCREATE TABLE closed (user_id bigint PRIMARY KEY, times bigint NOT NULL);\n")},
}

// world has one service that tells and two that listen.
type world struct {
	t         *testing.T
	queue     *queue.SQLite
	accounts  *database.DB
	outbox    *events.Outbox
	listeners map[string]*service
}

type service struct {
	db         *database.DB
	close, sum *database.Stmt
	fail       atomic.Pointer[error]
}

func newWorld(t *testing.T) *world {
	t.Helper()
	q, err := queue.OpenSQLite(t.Context(), queue.SQLiteOptions{
		Path:  filepath.Join(t.TempDir(), "queue.db"),
		Lease: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	w := &world{t: t, queue: q, accounts: dbtest.Open(t, "accounts", nil), listeners: map[string]*service{}}
	if w.outbox, err = events.NewOutbox(w.accounts, time.Now); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"property", "auctions"} {
		db := dbtest.Open(t, name, tables)
		w.listeners[name] = &service{
			db:    db,
			close: db.Prepare(`INSERT INTO closed (user_id, times) VALUES ($1, 1) ON CONFLICT (user_id) DO UPDATE SET times = closed.times + 1`),
			sum:   db.Prepare(`SELECT COUNT(*), COALESCE(SUM(times), 0) FROM closed`),
		}
		if err := db.PrepareErr(); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// tell deletes accounts from..to, each in a change of its own.
func (w *world) tell(from, to market.UserID) {
	w.t.Helper()
	for user := from; user <= to; user++ {
		err := w.accounts.Update(w.t.Context(), func(tx *database.Tx) error {
			return w.outbox.Add(tx, market.AccountDeleted{User: user, At: market.At(time.Now())})
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// run starts something that ends with its context; the function it gives stops
// it and waits.
func (w *world) run(what func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if err := what(ctx); err != nil && !errors.Is(err, queue.ErrClosed) {
			w.t.Error(err)
		}
	})
	return func() { cancel(); all.Wait() }
}

func (w *world) relay(q queue.Queue) (stop func()) {
	return w.run(events.NewRelay(events.RelayOptions{
		Service: "accounts", Outbox: w.outbox, Queue: q, Log: w.log(), Poll: time.Minute,
		Listeners: events.Listeners{event: {"property", "auctions"}},
	}).Run)
}

func (w *world) listen(name string, q queue.Queue) (stop func()) {
	w.t.Helper()
	s := w.listeners[name]
	l, err := events.NewListener(events.ListenerOptions{Service: name, DB: s.db, Queue: q, Now: time.Now, Log: w.log()})
	if err != nil {
		w.t.Fatal(err)
	}
	events.On(l, func(tx *database.Tx, e market.AccountDeleted) error {
		if _, err := tx.Exec(s.close, int64(e.User)); err != nil {
			return err
		}
		if failure := s.fail.Load(); failure != nil {
			return *failure
		}
		return nil
	})
	if got := fmt.Sprint(l.Events()); got != "["+event+"]" {
		w.t.Errorf("it listens to %s", got)
	}
	return w.run(l.Run)
}

func (w *world) log() *slog.Logger { return slog.New(slog.NewTextHandler(w.t.Output(), nil)) }

func (w *world) until(what string, so func() bool) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("never so: %s", what)
		}
	}
}

// effect is how many accounts a listener closed, and how often in all.
func (w *world) effect(name string) (accounts, times int) {
	w.t.Helper()
	if err := w.listeners[name].sum.QueryRow(w.t.Context()).Scan(&accounts, &times); err != nil {
		w.t.Fatal(err)
	}
	return accounts, times
}

// settled waits until everybody has heard n events, nothing is left anywhere,
// and each had effect once.
func (w *world) settled(n int) {
	w.t.Helper()
	for name := range w.listeners {
		w.until(name+" heard all", func() bool { accounts, _ := w.effect(name); return accounts == n })
		w.until(name+"'s queue is empty", func() bool {
			s, err := w.queue.Stats(w.t.Context(), queueOf(name))
			return err == nil && s == queue.Stats{}
		})
		if _, times := w.effect(name); times != n {
			w.t.Errorf("%s: %d events had effect %d times", name, n, times)
		}
	}
	w.until("the outbox is empty", func() bool { return w.waiting() == 0 })
}

func (w *world) waiting() (n int) {
	w.t.Helper()
	if err := w.accounts.Prepare(`SELECT COUNT(*) FROM outbox`).QueryRow(w.t.Context()).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func queueOf(listener string) queue.Name { return queue.Name("events." + event + "." + listener) }

// broken is a queue between whose steps something dies.
type broken struct {
	queue.Queue
	afterPublish func() error
	afterHandle  func() error
}

func (b *broken) Publish(ctx context.Context, name queue.Name, messages ...queue.Message) error {
	if err := b.Queue.Publish(ctx, name, messages...); err != nil || b.afterPublish == nil {
		return err
	}
	return b.afterPublish()
}

func (b *broken) Consume(ctx context.Context, o queue.ConsumeOptions, handle queue.Handler) error {
	o.Backoff = time.Millisecond
	return b.Queue.Consume(ctx, o, func(ctx context.Context, batch []*queue.Delivery) error {
		if err := handle(ctx, batch); err != nil || b.afterHandle == nil {
			return err
		}
		return b.afterHandle()
	})
}

func TestDelivered(t *testing.T) {
	w := newWorld(t)
	defer w.relay(w.queue)()
	defer w.listen("property", w.queue)()
	defer w.listen("auctions", w.queue)()
	w.tell(1, 10)
	var all sync.WaitGroup
	for i := range market.UserID(10) {
		all.Go(func() { w.tell(100+10*i, 109+10*i) })
	}
	all.Wait()
	w.settled(110)
}

// TestWoken: the relay polls once a minute here, so what arrives was announced.
func TestWoken(t *testing.T) {
	w := newWorld(t)
	defer w.relay(w.queue)()
	defer w.listen("property", w.queue)()
	defer w.listen("auctions", w.queue)()
	for i := range 5 {
		w.tell(market.UserID(i+1), market.UserID(i+1))
		w.settled(i + 1)
	}
}

func TestTakenBack(t *testing.T) {
	w := newWorld(t)
	defer w.relay(w.queue)()
	refused := errors.New("refused")
	err := w.accounts.Update(t.Context(), func(tx *database.Tx) error {
		return errors.Join(w.outbox.Add(tx, market.AccountDeleted{User: 1}), refused)
	})
	if !errors.Is(err, refused) {
		t.Fatal(err)
	}
	defer w.listen("property", w.queue)()
	defer w.listen("auctions", w.queue)()
	w.tell(2, 3)
	w.settled(2)
}

// TestKilled stops between any two steps.
func TestKilled(t *testing.T) {
	t.Run("after the change, before the publish", func(t *testing.T) {
		w := newWorld(t)
		w.tell(1, 250) // more than the relay moves at a time
		if n := w.waiting(); n != 250 {
			t.Fatalf("%d wait", n)
		}
		defer w.relay(w.queue)()
		defer w.listen("property", w.queue)()
		defer w.listen("auctions", w.queue)()
		w.settled(250)
	})

	t.Run("after the publish, before it leaves the outbox", func(t *testing.T) {
		w := newWorld(t)
		w.tell(1, 5)
		published := make(chan struct{}, 100)
		stop := w.relay(&broken{Queue: w.queue, afterPublish: func() error {
			published <- struct{}{}
			return errors.New("killed")
		}})
		<-published
		<-published // it tried again
		stop()
		if n := w.waiting(); n != 5 {
			t.Fatalf("%d wait", n)
		}
		defer w.relay(w.queue)()
		defer w.listen("property", w.queue)()
		defer w.listen("auctions", w.queue)()
		w.settled(5)
	})

	t.Run("after the handler's commit, before the acknowledgement", func(t *testing.T) {
		w := newWorld(t)
		defer w.relay(w.queue)()
		w.tell(1, 5)
		for _, name := range []string{"property", "auctions"} {
			var handled atomic.Int64
			stop := w.listen(name, &broken{Queue: w.queue, afterHandle: func() error {
				handled.Add(1)
				return market.Refuse(market.Unavailable, "killed", "killed")
			}})
			w.until("handled twice", func() bool { return handled.Load() >= 2 })
			stop()
			defer w.listen(name, w.queue)()
		}
		w.settled(5)
	})

	t.Run("before the handler's commit", func(t *testing.T) {
		w := newWorld(t)
		defer w.relay(w.queue)()
		killed := error(market.Refuse(market.Unavailable, "killed", "killed"))
		w.listeners["property"].fail.Store(&killed)
		stop := w.listen("property", w.queue)
		w.tell(1, 5)
		defer w.listen("auctions", w.queue)()
		w.until("the other heard", func() bool { n, _ := w.effect("auctions"); return n == 5 })
		stop()
		if n, _ := w.effect("property"); n != 0 {
			t.Fatalf("%d had effect without a commit", n)
		}
		w.listeners["property"].fail.Store(nil)
		defer w.listen("property", w.queue)()
		w.settled(5)
	})
}

func TestPoisoned(t *testing.T) {
	w := newWorld(t)
	defer w.relay(w.queue)()
	for _, m := range []queue.Message{{ID: "bad", Body: []byte("no JSON")}, {Body: []byte(`{"user_id": 9}`)}} {
		if err := w.queue.Publish(t.Context(), queueOf("property"), m); err != nil {
			t.Fatal(err)
		}
	}
	defer w.listen("property", w.queue)()
	w.tell(1, 2)
	w.until("the others are heard", func() bool { n, _ := w.effect("property"); return n == 2 })
	w.until("two dead letters", func() bool {
		s, err := w.queue.Stats(t.Context(), queueOf("property"))
		return err == nil && s.Dead == 2 && s.Depth == 0
	})
}

func TestNobodyListens(t *testing.T) {
	w := newWorld(t)
	w.tell(1, 3)
	defer w.run(events.NewRelay(events.RelayOptions{Service: "accounts", Outbox: w.outbox, Queue: w.queue}).Run)()
	w.until("dropped", func() bool { return w.waiting() == 0 })
}

func TestInboxIsTidied(t *testing.T) {
	w := newWorld(t)
	db := w.listeners["property"].db
	note := db.Prepare(`INSERT INTO inbox (message_id, received_at) VALUES ($1, $2)`)
	count := db.Prepare(`SELECT COUNT(*) FROM inbox`)
	err := db.Update(t.Context(), func(tx *database.Tx) error {
		for i := range 1500 {
			if _, err := tx.Exec(note, fmt.Sprint("old ", i), market.At(time.Now().AddDate(0, 0, -31))); err != nil {
				return err
			}
		}
		_, err := tx.Exec(note, "fresh", market.At(time.Now().AddDate(0, 0, -29)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.listen("property", w.queue)()
	w.until("one is left", func() bool {
		var n int
		return count.QueryRow(t.Context()).Scan(&n) == nil && n == 1
	})
}
