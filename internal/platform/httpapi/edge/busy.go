package edge

import (
	"hash/maphash"
	"sync"
)

// busy counts the requests of each address that are under way.
type busy struct {
	most  int
	seed  maphash.Seed
	parts []busyPart
}

type busyPart struct {
	mu  sync.Mutex
	now map[string]int
	_   [64]byte
}

func newBusy(most int) busy {
	b := busy{most: most, seed: maphash.MakeSeed(), parts: make([]busyPart, 64)}
	for i := range b.parts {
		b.parts[i].now = map[string]int{}
	}
	return b
}

func (b *busy) part(who string) *busyPart {
	return &b.parts[maphash.String(b.seed, who)%uint64(len(b.parts))]
}

// enter counts a request until it leaves; false: there are too many.
func (b *busy) enter(who string) bool {
	if b.most == 0 {
		return true
	}
	p := b.part(who)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now[who] >= b.most {
		return false
	}
	p.now[who]++
	return true
}

func (b *busy) leave(who string) {
	if b.most == 0 {
		return
	}
	p := b.part(who)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now[who]--; p.now[who] == 0 {
		delete(p.now, who)
	}
}
