package events

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"emporium/internal/platform/database"
	"emporium/internal/platform/queue"
)

// relayBatch is how many events move at a time.
const relayBatch = 100

// RelayOptions say from where to where events move.
type RelayOptions struct {
	Service   string // whose outbox it is, for the messages' ids: "accounts"
	Outbox    *Outbox
	Queue     queue.Queue
	Listeners Listeners     // an event that nobody listens to is dropped
	Poll      time.Duration // how often to look for what nobody said was added; 1 s when 0
	Log       *slog.Logger  // nil logs nothing
}

// Relay moves a service's events to the queue.
type Relay struct{ o RelayOptions }

// NewRelay makes a relay; Run starts it.
func NewRelay(o RelayOptions) *Relay {
	o.Poll = cmp.Or(o.Poll, time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Relay{o}
}

// Run moves events until ctx ends: as soon as they are committed, and at its
// start what an earlier process left. It outlives outages of the queue.
func (r *Relay) Run(ctx context.Context) error {
	const shortest, longest = 50 * time.Millisecond, 5 * time.Second
	pause := shortest
	for {
		moved, err := r.move(ctx)
		wait := r.o.Poll
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was told to end
		}
		switch {
		case err != nil:
			r.o.Log.WarnContext(ctx, "cannot move events for now", "service", r.o.Service, "error", err)
			wait, pause = pause, min(2*pause, longest)
		case moved == relayBatch:
			wait, pause = 0, shortest
		default:
			pause = shortest
		}
		added := r.o.Outbox.added
		if err != nil {
			added = nil // more events do not mend an outage
		}
		timer := time.NewTimer(wait)
		select {
		case <-added:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// move publishes the oldest events and then deletes them. What is killed in
// between publishes them again, with the same ids.
func (r *Relay) move(ctx context.Context) (int, error) {
	outbox := r.o.Outbox
	var entries []entry
	err := outbox.db.Update(ctx, func(tx *database.Tx) (err error) {
		entries, err = outbox.oldest(tx, relayBatch)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read the outbox: %w", err)
	}
	if len(entries) == 0 {
		return 0, nil
	}
	messages := map[queue.Name][]queue.Message{}
	for _, e := range entries {
		for _, listener := range r.o.Listeners[e.name] {
			to := queueOf(e.name, listener)
			messages[to] = append(messages[to], e.message(r.o.Service))
		}
	}
	for to, these := range messages {
		if err := r.o.Queue.Publish(ctx, to, these...); err != nil {
			return 0, fmt.Errorf("publish events to %s: %w", to, err)
		}
	}
	err = outbox.db.Update(ctx, func(tx *database.Tx) error {
		for _, e := range entries {
			if _, err := tx.Exec(outbox.drop, e.id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("delete events that were published: %w", err)
	}
	return len(entries), nil
}
