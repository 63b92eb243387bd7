package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// reviewed is how many messages a review reads at a time.
const reviewed = 200

// Review looks through a queue; see [Queue].
func (q *SQLite) Review(ctx context.Context, name Name, judge func(*Delivery) Fate) error {
	var id, last int64
	err := q.store.findQueue.QueryRow(ctx, string(name)).Scan(&id)
	if errors.Is(err, database.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = q.store.published.QueryRow(ctx).Scan(&last) // and not what comes in the meantime
	}
	if err != nil {
		return fmt.Errorf("look at %s: %w", name, err)
	}
	type shown struct {
		id int64
		Delivery
	}
	for after := int64(0); ; {
		rows, err := q.store.review.Query(ctx, id, after, last, market.At(q.o.Now()), reviewed)
		page, err := database.All(rows, err, func(row database.Row) (s shown, err error) {
			s.id, err = scanDelivery(row, &s.Delivery)
			return s, err
		})
		if err != nil {
			return fmt.Errorf("look at messages of %s: %w", name, err)
		}
		for i := range page {
			after = page[i].id
			switch fate := judge(&page[i].Delivery); fate {
			case Keep:
			case Leave:
				return nil
			case Drop, Requeue:
				if err := q.takeOut(ctx, name, queueID(id), page[i].id, page[i].Message, fate == Requeue); err != nil {
					return err
				}
			}
		}
		if len(page) < reviewed {
			return nil
		}
	}
}

// takeOut deletes a message, unless a consumer has it by now, and puts it back
// into its queue in the same change where that is asked for.
func (q *SQLite) takeOut(ctx context.Context, name Name, from queueID, id int64, m Message, requeue bool) (err error) {
	var to queueID
	if requeue {
		origin, dead := name.Origin()
		if !dead {
			return errNotDead
		}
		if to, err = q.id(ctx, origin); err != nil {
			return err
		}
	}
	m.Headers = maps.Clone(m.Headers)
	maps.DeleteFunc(m.Headers, func(k string, _ string) bool { return strings.HasPrefix(k, deadPrefix) })
	again, err := recordOf(m)
	if err != nil {
		return err
	}
	now := market.At(q.o.Now())
	err = q.db.Update(ctx, func(tx *database.Tx) error {
		if n, err := tx.Exec(q.store.takeOut, int64(from), id, now); err != nil || n == 0 || !requeue {
			return err
		}
		return q.store.insert(tx, to, again, now.String())
	})
	if err != nil {
		return fmt.Errorf("take a message out of %s: %w", name, err)
	}
	if requeue {
		q.wake(to)
	}
	return nil
}
