package billing

import (
	"context"
	"fmt"
	"iter"
	"strconv"
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

// Options are what the service needs from around it.
type Options struct {
	DB        *database.DB
	Queue     queue.Queue
	Protected bool // a user_id is the number of an account, and goes when that is deleted
}

// Service works orders off and shows them.
type Service struct {
	options Options
	store   *store
}

// New makes the service on its database. It works nothing off before [Service.Work].
func New(o Options) (*Service, error) {
	store, err := newStore(o.DB, o.Protected)
	if err != nil {
		return nil, fmt.Errorf("prepare billing: %w", err)
	}
	return &Service{options: o, store: store}, nil
}

// Work makes rows of messages until ctx ends: first of all that wait, then of
// each as it comes. A message is acknowledged after the commit of its row.
func (s *Service) Work(ctx context.Context) error {
	return s.options.Queue.Consume(ctx, queue.ConsumeOptions{Queue: QueueName, Batch: batch, Linger: linger, Ready: s.options.DB.Ready}, s.storeBatch)
}

// storeBatch stores a batch in one transaction. What can never be stored goes to
// the dead letters and blocks nothing.
func (s *Service) storeBatch(ctx context.Context, deliveries []*queue.Delivery) error {
	var rows batchRows
	bad := make([]error, len(deliveries))
	for i, d := range deliveries {
		var o Order
		if o, bad[i] = ParseMessage(d.Body); bad[i] == nil {
			rows.add(d.ID, o)
		}
	}
	err := s.options.DB.Update(ctx, func(tx *database.Tx) error { return s.store.insertOrders(tx, &rows) })
	if err != nil {
		return fmt.Errorf("store %d orders: %w", len(rows.ids), err)
	}
	for i, d := range deliveries {
		if bad[i] != nil {
			d.Reject(bad[i])
		}
	}
	return nil
}

// Order gives one order to whom may read it; NotFound when there is none of that
// id.
func (s *Service) Order(ctx context.Context, id int64) (Order, error) {
	o, err := s.store.selectOrder(ctx, id)
	if err == nil && !market.IdentityOf(ctx).MayRead(userOf(o.UserID)) {
		return Order{}, market.Refuse(market.Denied, "not_your_order", "the order %d is somebody else's", id)
	}
	return o, err
}

// Orders walks the orders in id order, of one user or (with "") of all that one
// may read. Those of somebody else are Denied.
func (s *Service) Orders(ctx context.Context, userID string, page market.Page) (iter.Seq2[Order, error], error) {
	if self, only := market.IdentityOf(ctx).ReadsOnly(); only {
		own := strconv.FormatInt(int64(self), 10)
		if userID != "" && userID != own {
			return nil, market.Refuse(market.Denied, "not_your_order", "user_id must be your own, '%s', or left out", own)
		}
		userID = own
	}
	return market.Chunks(page, func(o Order) int64 { return o.ID }, func(after int64, limit int) ([]Order, error) {
		return s.store.selectOrders(ctx, userID, after, limit)
	}), nil
}
