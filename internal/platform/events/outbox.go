// Package events carries what services tell each other. A service adds an event
// to its outbox in the transaction of the change that it tells of ([Outbox]); a
// relay moves it to the queue, one queue for each listener ([Relay]); and each
// listener acts on it in one transaction with a note that it did ([Listener]).
// So an event is delivered whatever is killed in between, and has effect once.
package events

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/queue"
)

// Listeners are the services that listen to each event, by its name, wherever
// they run: {"account_deleted.v1": {"property", "auctions"}}.
type Listeners map[string][]string

// queueOf is where one listener finds one kind of event.
func queueOf(event, listener string) queue.Name {
	return queue.Name("events." + event + "." + listener)
}

// Queues are all queues that events travel by, in order of name.
func (l Listeners) Queues() (queues []queue.Name) {
	for event, listeners := range l {
		for _, listener := range listeners {
			queues = append(queues, queueOf(event, listener))
		}
	}
	slices.Sort(queues)
	return queues
}

// Outbox is where a service puts its events. They stand in the service's own
// database until a [Relay] has moved them to the queue.
type Outbox struct {
	db              *database.DB
	now             func() time.Time
	add, list, drop *database.Stmt
	added           chan struct{}
}

// NewOutbox prepares a database's outbox; there is one for each database.
func NewOutbox(db *database.DB, now func() time.Time) (*Outbox, error) {
	o := &Outbox{
		db:    db,
		now:   now,
		add:   db.Prepare(`INSERT INTO outbox (name, payload, created_at) VALUES ($1, $2, $3)`),
		list:  db.Prepare(`SELECT id, name, payload, created_at FROM outbox ORDER BY id LIMIT $1`),
		drop:  db.Prepare(`DELETE FROM outbox WHERE id = $1`),
		added: make(chan struct{}, 1),
	}
	if err := db.PrepareErr(); err != nil {
		return nil, fmt.Errorf("prepare the outbox: %w", err)
	}
	return o, nil
}

// Add tells e to its listeners if, and only if, the transaction commits. It
// encodes inside the transaction, since an event may hold what was decided
// there; so events are small.
func (o *Outbox) Add(tx *database.Tx, e market.Event) error {
	payload, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write the event %s: %w", e.EventName(), err)
	}
	if err := tx.Send(o.add, e.EventName(), string(payload), market.At(o.now())); err != nil {
		return fmt.Errorf("add the event %s: %w", e.EventName(), err)
	}
	select {
	case o.added <- struct{}{}:
	default: // the relay is told already
	}
	return nil
}

// entry is an event in the outbox.
type entry struct {
	id      int64
	name    string
	payload string
	at      market.Time
}

// message is the same however often the entry is published. The time in the id
// keeps apart what a database that was made anew numbers again.
func (e entry) message(service string) queue.Message {
	return queue.Message{ID: fmt.Sprintf("%s:%d:%s", service, e.id, e.at), Body: []byte(e.payload)}
}

// oldest reads entries inside a change: it comes after all changes that have
// called Add, so once it is answered what it read is committed.
func (o *Outbox) oldest(tx *database.Tx, limit int) ([]entry, error) {
	rows, err := tx.Query(o.list, limit)
	return database.All(rows, err, func(row database.Row) (e entry, err error) {
		return e, row.Scan(&e.id, &e.name, &e.payload, &e.at)
	})
}
