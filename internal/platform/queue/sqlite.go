package queue

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

//go:embed sqlite
var tables embed.FS

// SQLiteOptions say where the queue's file is.
type SQLiteOptions struct {
	Path  string           // the file; its folder must exist
	Now   func() time.Time // the wall clock, which all processes that share the file must agree on; the system's when nil
	Log   *slog.Logger     // nil logs nothing
	Lease time.Duration    // how long after a consumer was killed its messages come again; 5 s when 0
	Poll  time.Duration    // how often to look for what other processes published; 50 ms when 0
}

// SQLite is a queue in a file. Publishers share commits; consumers in the same
// process are woken at once, and those in others look every [SQLiteOptions.Poll].
type SQLite struct {
	o     SQLiteOptions
	db    *database.DB
	store *store
	users users
	ctx   context.Context // ends with Close
	end   context.CancelFunc

	names sync.Map // Name to queueID

	mu       sync.RWMutex
	waiting  map[chan struct{}]queueID // consumers to wake
	watching sync.Once
	watchers sync.WaitGroup
}

var _ Queue = (*SQLite)(nil)

// OpenSQLite opens the queue's file, or makes it. Several processes may.
func OpenSQLite(ctx context.Context, o SQLiteOptions) (*SQLite, error) {
	o.Lease = cmp.Or(o.Lease, 5*time.Second)
	o.Poll = cmp.Or(o.Poll, 50*time.Millisecond)
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the one default; everything else is given a clock
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	users, alone, err := countUsers(o.Path + ".users")
	if err != nil {
		return nil, err
	}
	q := &SQLite{o: o, users: users, waiting: map[chan struct{}]queueID{}}
	q.ctx, q.end = context.WithCancel(context.WithoutCancel(ctx))
	if err := q.open(ctx, alone); err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return q, nil
}

func (q *SQLite) open(ctx context.Context, alone bool) (err error) {
	q.db, err = database.Open(ctx, database.Options{
		Path: q.o.Path, Name: "queue", Migrations: tables, Now: q.o.Now, Log: q.o.Log, Shared: true,
	})
	if err != nil {
		return err
	}
	if q.store, err = newStore(q.db); err != nil {
		return fmt.Errorf("prepare the queue: %w", err)
	}
	if alone {
		err = q.db.Update(ctx, func(tx *database.Tx) error {
			_, err := tx.Exec(q.store.expire, market.At(q.o.Now()))
			return err
		})
		if err != nil {
			return fmt.Errorf("take back what consumers held that are gone: %w", err)
		}
	}
	return q.users.settle()
}

// Close ends every Consume; see [Queue].
func (q *SQLite) Close() error {
	q.mu.Lock() // no watcher begins from here on
	q.end()
	q.mu.Unlock()
	q.watchers.Wait()
	var err error
	if q.db != nil {
		err = q.db.Close()
	}
	if again := q.users.close(); !errors.Is(again, os.ErrClosed) {
		err = errors.Join(err, again)
	}
	return err
}

// Ready says whether the file answers.
func (q *SQLite) Ready(ctx context.Context) error { return q.db.Ready(ctx) }

// Publish stores messages in one change, all or none. Callers share commits.
func (q *SQLite) Publish(ctx context.Context, name Name, messages ...Message) error {
	if len(messages) == 0 {
		return nil
	}
	records := make([]record, len(messages))
	for i, m := range messages {
		var err error
		if records[i], err = recordOf(m); err != nil {
			return err
		}
	}
	queue, err := q.id(ctx, name)
	if err != nil {
		return unavailable(ctx, err)
	}
	at := market.At(q.o.Now()).String()
	err = q.db.Update(ctx, func(tx *database.Tx) error {
		for _, r := range records {
			if err := q.store.insert(tx, queue, r, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return unavailable(ctx, fmt.Errorf("publish to %s: %w", name, err))
	}
	q.wake(queue)
	return nil
}

// unavailable tells the caller that the queue is down, unless the caller itself
// gave up.
func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	refusal := market.Refuse(market.Unavailable, "queue_unavailable", "the message queue cannot take messages for now")
	refusal.Cause = err
	return refusal
}

// Stats counts a queue.
func (q *SQLite) Stats(ctx context.Context, name Name) (stats Stats, err error) {
	var oldest *market.Time
	if stats.Depth, oldest, err = q.depth(ctx, name); err != nil {
		return stats, err
	}
	if oldest != nil {
		stats.Oldest = max(q.o.Now().Sub(oldest.Time), 0)
	}
	stats.Dead, _, err = q.depth(ctx, name.Dead())
	return stats, err
}

func (q *SQLite) depth(ctx context.Context, name Name) (n int, oldest *market.Time, err error) {
	var id int64
	err = q.store.findQueue.QueryRow(ctx, string(name)).Scan(&id)
	if errors.Is(err, database.ErrNoRows) {
		return 0, nil, nil
	}
	if err == nil {
		err = q.store.depth.QueryRow(ctx, id).Scan(&n, &oldest)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("count %s: %w", name, err)
	}
	return n, oldest, nil
}

// id gives a queue's number, making the queue when it is new.
func (q *SQLite) id(ctx context.Context, name Name) (queueID, error) {
	if id, known := q.names.Load(name); known {
		return id.(queueID), nil
	}
	if name == "" {
		return 0, errors.New("a queue needs a name")
	}
	var id int64
	err := q.db.Update(ctx, func(tx *database.Tx) error {
		return tx.QueryRow(q.store.addQueue, string(name)).Scan(&id)
	})
	if err != nil {
		return 0, fmt.Errorf("find the queue %s: %w", name, err)
	}
	q.names.Store(name, queueID(id))
	return queueID(id), nil
}

// wake tells the consumers of a queue, or of all for 0, to look.
func (q *SQLite) wake(queue queueID) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	for waiting, of := range q.waiting {
		if of == queue || queue == 0 {
			select {
			case waiting <- struct{}{}:
			default: // it is told already
			}
		}
	}
}

// watch looks for what other processes published: one small read serves all
// consumers of this one.
func (q *SQLite) watch() {
	tick := time.NewTicker(q.o.Poll)
	defer tick.Stop()
	var seen int64
	for {
		select {
		case <-q.ctx.Done():
			return
		case <-tick.C:
		}
		var last int64
		if err := q.store.published.QueryRow(q.ctx).Scan(&last); err == nil && last != seen {
			seen = last
			q.wake(0)
		}
	}
}
