// Package cache gets what was loaded before, or loads it. Loads of one key are
// one load, however many ask; what is dropped is gone, also for a load that was
// on its way; what has expired may be served when loading it again fails.
//
// Values are decoded Go values behind pointers and shared by all who ask: nobody
// may change one. An engine in memory keeps the pointer, so a hit encodes
// nothing; an engine outside of the process uses the encoding of the [Kind] when
// it sends and fetches, and keeps the decoded pointer beside what it fetched. So
// a pointer that comes again is the very value that came before, which lets
// [Memo] keep what was made of several values for as long as they stand.
package cache

import (
	"context"
	"errors"
	"time"
)

// Cache is what every engine does. Callers use it through [Shelf] and [Memo],
// which know the types.
type Cache interface {
	// Get gives the value of a key, loading it when there is none that is fresh.
	// The load gets the values of the first caller's context but not its end: it
	// runs on for those who wait, until kind.Life.Timeout, and must heed that. A caller whose own
	// context ends leaves with its error.
	//
	// A load that fails with market.NotFound is an answer, kept for
	// kind.Life.Unknown. Any other failure is not kept; in its place an expired
	// value is served for kind.Life.Stale.
	Get(ctx context.Context, key string, kind *Kind, load func(context.Context) (any, error)) (any, error)
	// Holds says whether each part is fresh and the very value that Get gave.
	Holds(ctx context.Context, parts []Part) bool
	// Drop forgets keys, with their expired values and with what is known not to
	// exist. A Get that begins after Drop has returned sees nothing from before it:
	// in this process at once, in others that share the cache within 100 ms.
	Drop(ctx context.Context, keys ...string) error
	// Close ends the loads that are under way and waits for them.
	Close() error
}

// ErrClosed is what Get gives after Close.
var ErrClosed = errors.New("the cache is closed")

// Life says how long values of one kind are kept.
type Life struct {
	Fresh   time.Duration // served without asking again; each value's own is up to 10 % shorter or longer, so that they do not all end at once
	Stale   time.Duration // beyond it, served only when loading fails; 0: never
	Unknown time.Duration // that there is no such thing; 0: asked each time
	Timeout time.Duration // for one load; 0: 30 seconds
}

// Kind is what an engine must know of the values of one [Shelf].
type Kind struct {
	Life   Life
	Weigh  func(value any) int               // bytes in memory, roughly; without key and bookkeeping
	Encode func(value any) ([]byte, error)   // used only by engines outside of the process
	Decode func(encoded []byte) (any, error) // the pointer that Encode took, anew
}

// Part is a key and the value that Get gave for it.
type Part struct {
	Key   string
	Value any
}

const defaultTimeout = 30 * time.Second

// MaxPause bounds for how long a key is not asked for again after a failed load,
// while its expired value is served: as long as the failure took, so that a
// source that hangs delays a caller now and then, not all of them, and one that
// refuses at once is asked again at once.
const MaxPause = 10 * time.Second

// Jitter shortens or lengthens d by up to a tenth; random is from 0 up to 1.
func Jitter(d time.Duration, random float64) time.Duration {
	return d + time.Duration((random*2-1)*float64(d)/10)
}
