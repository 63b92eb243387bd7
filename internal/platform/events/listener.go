package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/queue"
)

// An event that comes again later than inboxKept after it was handled is handled
// again. It comes again only when a process died between two steps and was not
// started for that long.
const inboxKept = 30 * 24 * time.Hour

// ListenerOptions say who listens and where its handlers' changes go.
type ListenerOptions struct {
	Service string       // the listening service: "property"
	DB      *database.DB // its database
	Queue   queue.Queue
	Now     func() time.Time
	Log     *slog.Logger // nil logs nothing
}

// Listener acts on the events that a service listens to. [On] says how.
type Listener struct {
	o           ListenerOptions
	handlers    map[string]decode
	note, purge *database.Stmt
}

// decode reads an event and gives the change that it calls for.
type decode func(body []byte) (func(tx *database.Tx) error, error)

// NewListener prepares a service's listener; Run starts it.
func NewListener(o ListenerOptions) (*Listener, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &Listener{
		o:        o,
		handlers: map[string]decode{},
		note:     o.DB.Prepare(`INSERT INTO inbox (message_id, received_at) VALUES ($1, $2) ON CONFLICT (message_id) DO NOTHING`),
		purge: o.DB.Prepare(`DELETE FROM inbox WHERE message_id IN
			(SELECT message_id FROM inbox WHERE received_at < $1 LIMIT $2)`),
	}
	if err := o.DB.PrepareErr(); err != nil {
		return nil, fmt.Errorf("prepare the inbox: %w", err)
	}
	return l, nil
}

// On has handle act on every event of type T. It runs in the transaction that
// notes the event as handled, under the rules of [database.DB.Update]. After an
// error the event comes again; after ten, or one marked with [queue.Never], it
// becomes a dead letter. An outage of the database counts for nothing.
func On[T market.Event](l *Listener, handle func(tx *database.Tx, e T) error) {
	var none T
	l.handlers[none.EventName()] = func(body []byte) (func(*database.Tx) error, error) {
		var e T
		if err := json.Unmarshal(body, &e); err != nil {
			return nil, err
		}
		return func(tx *database.Tx) error { return handle(tx, e) }, nil
	}
}

// Events are the names of those that have a handler.
func (l *Listener) Events() []string { return slices.Sorted(maps.Keys(l.handlers)) }

// Run acts on events until ctx ends.
func (l *Listener) Run(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	for name, read := range l.handlers {
		all.Go(func() error {
			return l.o.Queue.Consume(ctx, queue.ConsumeOptions{Queue: queueOf(name, l.o.Service), Ready: l.o.DB.Ready},
				func(ctx context.Context, batch []*queue.Delivery) error { return l.handle(ctx, read, batch) })
		})
	}
	all.Go(func() error {
		l.tidy(ctx)
		return nil
	})
	return all.Wait()
}

func (l *Listener) handle(ctx context.Context, read decode, batch []*queue.Delivery) error {
	type change struct {
		id    string
		apply func(*database.Tx) error
	}
	var changes []change
	for _, d := range batch {
		apply, err := read(d.Body)
		switch {
		case err != nil:
			d.Reject(fmt.Errorf("read the event: %w", err))
		case d.ID == "":
			d.Reject(errors.New("an event needs a message id, to have effect once"))
		default:
			changes = append(changes, change{d.ID, apply})
		}
	}
	at := market.At(l.o.Now())
	return l.o.DB.Update(ctx, func(tx *database.Tx) error {
		for _, c := range changes {
			switch fresh, err := tx.Exec(l.note, c.id, at); {
			case err != nil:
				return fmt.Errorf("note the event %s: %w", c.id, err)
			case fresh == 0:
				continue
			}
			if err := c.apply(tx); err != nil {
				return fmt.Errorf("act on the event %s: %w", c.id, err)
			}
		}
		return nil
	})
}

// tidy forgets what was handled long ago.
func (l *Listener) tidy(ctx context.Context) {
	const slice = 1000
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for ctx.Err() == nil {
		var gone int64
		err := l.o.DB.Update(ctx, func(tx *database.Tx) (err error) {
			gone, err = tx.Exec(l.purge, market.At(l.o.Now().Add(-inboxKept)), slice)
			return err
		})
		if err != nil && ctx.Err() == nil {
			l.o.Log.WarnContext(ctx, "cannot tidy the inbox", "service", l.o.Service, "error", err)
		}
		if err == nil && gone == slice {
			continue
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}
