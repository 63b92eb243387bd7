package billing

import (
	"context"
	"fmt"
	"iter"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/queue"
)

// QueueName is the durable queue that carries orders. Any producer may put a
// message there.
const QueueName queue.Name = "billing_queue"

// batch is how many messages become rows in one transaction.
const batch = 500

// linger lets orders gather while they pour in: a commit for each few of them
// would take from those who post what they need.
const linger = 20 * time.Millisecond

// Service works orders off and shows them.
type Service struct {
	db    *database.DB
	store *store
	queue queue.Queue
}

// New makes the service on its database. It works nothing off before [Service.Work].
func New(db *database.DB, q queue.Queue) (*Service, error) {
	store, err := newStore(db)
	if err != nil {
		return nil, fmt.Errorf("prepare billing: %w", err)
	}
	return &Service{db: db, store: store, queue: q}, nil
}

// Work makes rows of messages until ctx ends: first of all that wait, then of
// each as it comes. A message is acknowledged after the commit of its row.
func (s *Service) Work(ctx context.Context) error {
	return s.queue.Consume(ctx, queue.ConsumeOptions{Queue: QueueName, Batch: batch, Linger: linger, Ready: s.db.Ready}, s.storeBatch)
}

// storeBatch stores a batch in one transaction. What can never be stored goes to
// the dead letters and blocks nothing.
func (s *Service) storeBatch(ctx context.Context, deliveries []*queue.Delivery) error {
	orders := make([]Order, len(deliveries))
	bad := make([]error, len(deliveries))
	for i, d := range deliveries {
		orders[i], bad[i] = ParseMessage(d.Body)
	}
	err := s.db.Update(ctx, func(tx *database.Tx) error {
		for i, d := range deliveries {
			if bad[i] != nil {
				continue
			}
			if err := s.store.insertOrder(tx, d.ID, orders[i]); err != nil {
				return fmt.Errorf("store order of message %q: %w", d.ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, d := range deliveries {
		if bad[i] != nil {
			d.Reject(bad[i])
		}
	}
	return nil
}

// Order gives one order; NotFound when there is none of that id.
func (s *Service) Order(ctx context.Context, id int64) (Order, error) {
	return s.store.selectOrder(ctx, id)
}

// Orders walks the orders in id order, of one user or (with "") of all.
func (s *Service) Orders(ctx context.Context, userID string, page market.Page) iter.Seq2[Order, error] {
	return market.Chunks(page, func(o Order) int64 { return o.ID }, func(after int64, limit int) ([]Order, error) {
		return s.store.selectOrders(ctx, userID, after, limit)
	})
}
