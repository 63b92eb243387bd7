// Package queue carries messages from those who publish to those who consume,
// durably and at least once: a message whose Publish returned nil is handled, in
// whatever order things are killed. It may be handled twice, so whoever consumes
// tells a repeat by the message's id.
//
// [OpenSQLite] keeps queues in a file that several processes share. The suite in
// queuetest says what every engine promises.
package queue

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Queue is what an engine does. Its methods may be called from many goroutines.
type Queue interface {
	// Publish returns nil only when all messages are stored durably. After an
	// error each may or may not be; publishing them again is safe, since
	// consumers tell repeats by their ids. An engine that cannot take messages
	// refuses as market.Unavailable. Nobody needs to consume yet.
	Publish(ctx context.Context, queue Name, messages ...Message) error

	// Consume gives batches to the handler, one at a time, until ctx ends; then it
	// finishes the batch under way, gives back what is untouched and returns nil.
	// It outlives any outage of the engine. Several may consume one queue: none is
	// given what another holds. Order is that of publishing, but for what is
	// tried again.
	Consume(ctx context.Context, o ConsumeOptions, handle Handler) error

	// Stats counts a queue; one that was never used is empty.
	Stats(ctx context.Context, queue Name) (Stats, error)

	// Review goes once through the messages that wait in a queue, oldest first, and
	// does with each what judge says. What consumers hold, or hold back for its next
	// try, is not seen. An engine may keep consumers from what it has shown until
	// Review ends.
	Review(ctx context.Context, queue Name, judge func(*Delivery) Fate) error

	// Ready says whether the engine takes messages.
	Ready(ctx context.Context) error

	// Close ends every Consume with [ErrClosed], without waiting for handlers: what
	// they hold comes again. For an orderly end, end the contexts of all Consume
	// calls first and wait for them.
	Close() error
}

// Name is what a queue is called: "billing_queue". A queue exists once it is
// used.
type Name string

// Dead is the queue that takes what can never be handled: an ordinary one,
// whose messages carry the Header… headers and otherwise what they had.
func (n Name) Dead() Name { return n + ".dead" }

// Origin is the queue whose dead letters a queue takes; false when it is not
// one of dead letters.
func (n Name) Origin() (Name, bool) {
	origin, dead := strings.CutSuffix(string(n), ".dead")
	return Name(origin), dead
}

// deadPrefix begins the headers of a dead letter.
const deadPrefix = "dead-"

// The headers of a dead letter.
const (
	HeaderReason     = "dead-reason"      // why it is there, for a person
	HeaderFirstError = "dead-first-error" // the error of the first try; it may differ from the reason
	HeaderTries      = "dead-tries"       // how often it was tried
	HeaderDiedAt     = "dead-at"          // when it was given up, RFC 3339 UTC
)

// Message is what is carried.
type Message struct {
	ID      string            // tells a repeat; "" when its publisher gave none
	Body    []byte            // any bytes
	Headers map[string]string // mostly nil
}

// Delivery is a message in the hands of a handler.
type Delivery struct {
	Message
	PublishedAt time.Time // UTC; zero when the engine does not know
	Tries       int       // how often it was tried before and failed; an outage is no try

	verdict    verdict
	reason     string // with dead: why
	firstError string // of the first try that failed
}

// Reject gives the message up: it goes to the dead letters with the reason, and
// the rest of its batch goes on. It counts only when the handler returns nil.
func (d *Delivery) Reject(reason error) {
	d.verdict, d.reason = dead, reason.Error()
}

// Handler works a batch off. It returns nil after its own commit: then the
// batch is acknowledged, but for what it rejected. After an error nothing is:
//
//   - in an outage (an error of kind market.Unavailable, or any while
//     ConsumeOptions.Ready fails) the batch is tried again with growing pauses,
//     however long that takes, and uses up no tries;
//   - otherwise each message is tried alone, to find the bad one; that one is tried
//     again later, MaxTries times in all, or given up at once on [Never].
//
// The context ends when the batch is no longer the handler's to finish.
type Handler func(ctx context.Context, batch []*Delivery) error

// ConsumeOptions say what to consume and how.
type ConsumeOptions struct {
	Queue    Name
	Batch    int                         // most messages in one batch; 100 when 0
	MaxTries int                         // failures of a message alone until it is given up; 10 when 0
	Backoff  time.Duration               // the first pause after a failure, doubled by each further one; 100 ms when 0
	Linger   time.Duration               // how long to let messages gather after a batch that was not full: fewer, larger batches; none when 0
	Ready    func(context.Context) error // says after a failure whether what the handler needs is there; nil: it is
}

// Stats are what waits in a queue.
type Stats struct {
	Depth  int           // messages not yet acknowledged; where the engine can count them, those in a handler's hands too
	Oldest time.Duration // the age of the oldest of them; 0 where the engine does not know
	Dead   int           // messages in its queue of dead letters
}

// Fate is what becomes of a message in a review.
type Fate uint8

// What a review may do with a message.
const (
	Keep    Fate = iota // it stays where it is
	Leave               // it stays, and the review ends
	Drop                // it is gone
	Requeue             // of dead letters: it goes back to where it came from, as if it had never been tried
)

// errNotDead is what a review answers that would requeue what is no dead letter.
var errNotDead = errors.New("only dead letters can be put back into their queue")

// ErrClosed is what a closed queue answers.
var ErrClosed = errors.New("the queue is closed")

// Never marks an error that no further try can mend.
func Never(err error) error { return neverError{err} }

type neverError struct{ error }

func (e neverError) Unwrap() error { return e.error }
