package testenv

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Wire is a network between a test and a server that can be cut, taken down,
// made to stall, and troubled.
type Wire struct {
	Host string // where it listens
	Port int

	to      string
	mu      sync.Mutex
	open    map[net.Conn]bool
	down    bool
	stalled chan struct{} // nil, or closed when it goes on
	trouble Trouble
	broken  int
}

// Trouble is what is wrong with a network. The chances are those of each piece of
// what is sent, which is what one read finds.
type Trouble struct {
	Delay time.Duration // of a piece, at most
	Drop  float64       // the chance that its connection ends in front of it
	Halve float64       // the chance that its connection ends in the middle of it
}

// Trouble disturbs what is carried from now on; nothing does again after the zero
// one.
func (w *Wire) Trouble(how Trouble) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trouble = how
}

// Broken is how many connections its trouble has ended.
func (w *Wire) Broken() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

// NewWire leads to a server, HOST:PORT, until the test ends.
func NewWire(t testing.TB, to string) *Wire {
	t.Helper()
	return NewWireAt(t, "127.0.0.1:0", to)
}

// NewWireAt is a wire that begins at an address of one's choice.
func NewWireAt(t testing.TB, from, to string) *Wire {
	t.Helper()
	l, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr)
	w := &Wire{Host: at.IP.String(), Port: at.Port, to: to, open: map[net.Conn]bool{}}
	t.Cleanup(func() {
		_ = l.Close()
		w.Down(true)
	})
	go w.serve(l)
	return w
}

func (w *Wire) serve(l net.Listener) {
	for {
		near, err := l.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", w.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		if !w.join(near, far) {
			_, _ = near.Close(), far.Close()
			continue
		}
		go w.carry(near, far)
		go w.carry(far, near)
	}
}

// join notes a connection, unless the wire is down: in one step, so that none
// which comes at that moment is missed by Down.
func (w *Wire) join(near, far net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.down {
		w.open[near], w.open[far] = true, true
	}
	return !w.down
}

func (w *Wire) carry(from, to net.Conn) {
	defer func() {
		_, _ = from.Close(), to.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, from)
		delete(w.open, to)
	}()
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		w.mu.Lock()
		stalled, trouble := w.stalled, w.trouble
		w.mu.Unlock()
		if stalled != nil {
			<-stalled
		}
		if trouble.Delay > 0 {
			time.Sleep(rand.N(trouble.Delay))
		}
		chance := rand.Float64()
		breaks := chance < trouble.Drop+trouble.Halve
		switch {
		case chance < trouble.Drop:
			n = 0
		case breaks:
			n /= 2
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
		if breaks {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.broken++
			return
		}
	}
}

// Cut ends every connection.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		_ = c.Close()
	}
	clear(w.open)
}

// Down cuts, and takes no connections until told otherwise.
func (w *Wire) Down(down bool) {
	w.mu.Lock()
	w.down = down
	w.mu.Unlock()
	if down {
		w.Cut()
	}
}

// Stall carries nothing, with all connections open, until the function it gives
// is called.
func (w *Wire) Stall() (goOn func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	stalled := make(chan struct{})
	w.stalled = stalled
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.stalled = nil
		close(stalled)
	}
}

// Address is the wire's host and port.
func (w *Wire) Address() string { return net.JoinHostPort(w.Host, strconv.Itoa(w.Port)) }
