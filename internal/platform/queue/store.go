package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// batchBytes bounds what one batch holds in memory. A batch has at least one
// message, however large.
const batchBytes = 8 << 20

// queueID is the number of a queue in the file.
type queueID int64

// store is the SQL of the queue's file.
type store struct {
	addQueue, findQueue, add, read, peek, published, depth            *database.Stmt
	takenTo, ready, take, overdue, drop, lease, extend, expire, clear *database.Stmt
	review, takeOut                                                   *database.Stmt
}

func newStore(db *database.DB) (*store, error) {
	s := &store{
		addQueue:  db.Prepare(`INSERT INTO queue (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = name RETURNING id`),
		findQueue: db.Prepare(`SELECT id FROM queue WHERE name = $1`),
		add: db.Prepare(`INSERT INTO message (queue_id, message_id, headers, body, published_at)
			VALUES ($1, $2, $3, $4, $5)`),
		read: db.Prepare(`SELECT id, message_id, headers, body, published_at FROM message INDEXED BY message_queue
			WHERE queue_id = $1 AND id BETWEEN $2 AND $3 ORDER BY id`),
		peek: db.Prepare(`SELECT EXISTS (SELECT 1 FROM message INDEXED BY message_queue WHERE queue_id = q.id AND id > q.taken_to),
			(SELECT MIN(due) FROM lease WHERE queue_id = q.id) FROM queue q WHERE id = $1`),
		published: db.Prepare(`SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'message'), 0)`),
		depth: db.Prepare(`SELECT COUNT(*), (SELECT published_at FROM message INDEXED BY message_queue
			WHERE queue_id = $1 ORDER BY id LIMIT 1) FROM message INDEXED BY message_queue WHERE queue_id = $1`),

		takenTo: db.Prepare(`SELECT taken_to FROM queue WHERE id = $1`),
		ready: db.Prepare(`SELECT COUNT(*), COALESCE(MIN(id), 0), COALESCE(MAX(id), 0) FROM
			(SELECT id FROM message INDEXED BY message_queue WHERE queue_id = $1 AND id > $2 ORDER BY id LIMIT $3)`),
		take: db.Prepare(`UPDATE queue SET taken_to = $2 WHERE id = $1`),
		overdue: db.Prepare(`DELETE FROM lease WHERE id = (SELECT id FROM lease WHERE queue_id = $1 AND due <= $2 ORDER BY due, id LIMIT 1)
			RETURNING first, last, tries, first_error`),
		drop: db.Prepare(`DELETE FROM lease WHERE id = $1`),
		lease: db.Prepare(`INSERT INTO lease (queue_id, first, last, due, tries, first_error)
			VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`),
		extend: db.Prepare(`UPDATE lease SET due = $2 WHERE id = $1`),
		expire: db.Prepare(`UPDATE lease SET due = $1 WHERE due > $1`),
		review: db.Prepare(`SELECT id, message_id, headers, body, published_at FROM message AS m INDEXED BY message_queue
			WHERE queue_id = $1 AND id > $2 AND id <= $3
			AND NOT EXISTS (SELECT 1 FROM lease WHERE queue_id = $1 AND due > $4 AND m.id BETWEEN first AND last)
			ORDER BY id LIMIT $5`),
		takeOut: db.Prepare(`DELETE FROM message AS m WHERE queue_id = $1 AND id = $2
			AND NOT EXISTS (SELECT 1 FROM lease WHERE queue_id = $1 AND due > $3 AND $2 BETWEEN first AND last)`),
		clear: db.Prepare(`DELETE FROM message INDEXED BY message_queue WHERE queue_id = $1 AND id BETWEEN $2 AND $3`),
	}
	return s, db.PrepareErr()
}

// record is a message as it is stored; it is made before the change begins.
type record struct {
	id      string
	headers *string
	body    []byte
}

func recordOf(m Message) (record, error) {
	r := record{id: m.ID, body: m.Body}
	if r.body == nil {
		r.body = []byte{} // nil would be NULL
	}
	if len(m.Headers) > 0 {
		text, err := json.Marshal(m.Headers)
		if err != nil {
			return r, fmt.Errorf("write the headers of message %q: %w", m.ID, err)
		}
		headers := string(text)
		r.headers = &headers
	}
	return r, nil
}

func (s *store) insert(tx *database.Tx, queue queueID, r record, at string) error {
	_, err := tx.Exec(s.add, int64(queue), r.id, r.headers, r.body, at)
	return err
}

// holding is a range of messages that a consumer holds.
type holding struct {
	id          int64
	first, last int64
	tries       int
	firstError  string

	deliveries []*Delivery
	ids        []int64 // of the deliveries
	readTo     int64   // deliveries are all messages from first to here
}

// claim takes what is due again, and else what is next. It gives nil when there
// is nothing.
func (s *store) claim(tx *database.Tx, queue queueID, limit int, now, until time.Time) (*holding, error) {
	h := &holding{}
	err := tx.QueryRow(s.overdue, int64(queue), market.At(now)).Scan(&h.first, &h.last, &h.tries, &h.firstError)
	if errors.Is(err, database.ErrNoRows) {
		var from int64
		if err := tx.QueryRow(s.takenTo, int64(queue)).Scan(&from); err != nil {
			return nil, err
		}
		var n int
		if err := tx.QueryRow(s.ready, int64(queue), from, limit).Scan(&n, &h.first, &h.last); err != nil || n == 0 {
			return nil, err
		}
		_, err = tx.Exec(s.take, int64(queue), h.last)
	}
	if err != nil {
		return nil, err
	}
	h.id, err = s.hold(tx, queue, h.first, h.last, until, h.tries, h.firstError)
	return h, err
}

func (s *store) hold(tx *database.Tx, queue queueID, first, last int64, due time.Time, tries int, firstError string) (id int64, err error) {
	err = tx.QueryRow(s.lease, int64(queue), first, last, market.At(due), tries, firstError).Scan(&id)
	return id, err
}

// settlement is what becomes of a holding, made before the change begins.
type settlement struct {
	holding *holding
	keep    []kept   // what comes again, in order
	letters []record // what goes to the dead letters
	dead    Name
	at      time.Time
}

type kept struct {
	first, last int64
	due         time.Time
	tries       int
	firstError  string
}

// settle gives a holding up. It says false, and does nothing, when it was not
// held any longer.
func (s *store) settle(tx *database.Tx, queue queueID, o *settlement) (bool, error) {
	h := o.holding
	if n, err := tx.Exec(s.drop, h.id); err != nil || n == 0 {
		return false, err
	}
	from := h.first
	for _, k := range o.keep {
		if err := s.remove(tx, queue, from, k.first-1); err != nil {
			return false, err
		}
		if _, err := s.hold(tx, queue, k.first, k.last, k.due, k.tries, k.firstError); err != nil {
			return false, err
		}
		from = k.last + 1
	}
	if err := s.remove(tx, queue, from, h.last); err != nil || len(o.letters) == 0 {
		return err == nil, err
	}
	var letters int64
	if err := tx.QueryRow(s.addQueue, string(o.dead)).Scan(&letters); err != nil {
		return false, err
	}
	for _, letter := range o.letters {
		if err := s.insert(tx, queueID(letters), letter, market.At(o.at).String()); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (s *store) remove(tx *database.Tx, queue queueID, first, last int64) error {
	if first > last {
		return nil
	}
	_, err := tx.Exec(s.clear, int64(queue), first, last)
	return err
}

// scanDelivery reads a row of the statement read.
func scanDelivery(row database.Row, d *Delivery) (id int64, err error) {
	var headers *string
	var at market.Time
	if err := row.Scan(&id, &d.ID, &headers, &d.Body, &at); err != nil {
		return 0, err
	}
	d.PublishedAt = at.Time
	if headers != nil && json.Unmarshal([]byte(*headers), &d.Headers) != nil {
		d.Headers = nil // written by someone else; they must not keep the message from being handled
	}
	return id, nil
}
