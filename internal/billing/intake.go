package billing

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync/atomic"

	"emporium/internal/market"
	"emporium/internal/platform/queue"
)

// Intake takes orders in: it puts each into the queue as a message, whether or
// not anyone works them off.
type Intake struct {
	queue queue.Queue
	run   string // begins the ids of this process's messages
	count atomic.Uint64
}

// NewIntake makes an intake that publishes to a queue.
func NewIntake(q queue.Queue) *Intake { return &Intake{queue: q, run: rand.Text()} }

// Draft is an order as it was sent, with the values that were found in it.
type Draft struct {
	UserID, NumberOfItems, TotalAmount string

	Body []byte // the message: compact, otherwise as it was sent
}

// PostOrder returns when the order is durably in the queue. It refuses as
// Denied an order in somebody else's name, as Invalid what billing could never
// store, and as Unavailable when the queue cannot take it; then nothing was sent.
func (i *Intake) PostOrder(ctx context.Context, d Draft) error {
	if by := market.IdentityOf(ctx); !by.MayActAs(userOf(d.UserID)) {
		return market.Refuse(market.Denied, "not_oneself", "user_id must be your own, '%d': an order can be posted in one's own name only", by.User)
	}
	if _, err := check(d.UserID, d.NumberOfItems, d.TotalAmount); err != nil {
		return err
	}
	return i.queue.Publish(ctx, QueueName, queue.Message{ID: i.messageID(ctx), Body: d.Body})
}

// messageID is the same for a repeat with the same key by the same caller, so
// that billing stores it once, and otherwise new. New ones follow each other in
// the order of their text: billing notes them side by side, where random ones
// would each touch another page of its database.
func (i *Intake) messageID(ctx context.Context) string {
	k := market.OnceKeyOf(ctx)
	if k == nil {
		return fmt.Sprintf("%s-%012x", i.run, i.count.Add(1))
	}
	sum := sha256.Sum256([]byte(k.Operation + "\x00" + strconv.Itoa(len(k.Caller)) + "\x00" + k.Caller + k.Key))
	return hex.EncodeToString(sum[:])
}
