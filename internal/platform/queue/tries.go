package queue

import (
	"crypto/sha256"
	"sync"
	"time"
)

// tryBook remembers which messages failed and how often, for an engine that does
// not. It outlives connections and consumers, not the process: who starts anew
// tries anew, which costs time and never a message.
type tryBook struct {
	mu      sync.Mutex
	entries map[tryKey]tried
}

// tried is what is known of a message that failed.
type tried struct {
	tries      int
	firstError string
	due        time.Time // of the next try
}

// tryKey is a message as far as one can tell it from others. Those without an id
// that are alike to the last byte share their tries.
type tryKey [sha256.Size]byte

// mostTried bounds the book. What does not fit is forgotten, and tried more
// often.
const mostTried = 10_000

func tryKeyOf(queue Name, d *Delivery) (key tryKey) {
	sum := sha256.New()
	sum.Write([]byte(string(queue) + "\x00" + d.ID + "\x00"))
	sum.Write(d.Body)
	sum.Sum(key[:0])
	return key
}

// recall tells a delivery of its earlier tries, and when it is due.
func (b *tryBook) recall(queue Name, d *Delivery) (due time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.entries) == 0 {
		return due
	}
	e := b.entries[tryKeyOf(queue, d)]
	d.Tries, d.firstError = e.tries, e.firstError
	return e.due
}

func (b *tryBook) note(queue Name, d *Delivery, due time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.entries == nil {
		b.entries = map[tryKey]tried{}
	}
	if len(b.entries) >= mostTried {
		for key := range b.entries {
			delete(b.entries, key)
			break
		}
	}
	b.entries[tryKeyOf(queue, d)] = tried{d.Tries, d.firstError, due}
}

func (b *tryBook) forget(queue Name, d *Delivery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.entries) > 0 {
		delete(b.entries, tryKeyOf(queue, d))
	}
}
