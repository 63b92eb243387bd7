package testenv

import (
	"net"
	"sync"
	"testing"
)

// Wire is a network between a test and a server that can be cut, taken down and
// made to stall.
type Wire struct {
	Host string // where it listens
	Port int

	to      string
	mu      sync.Mutex
	open    map[net.Conn]bool
	down    bool
	stalled chan struct{} // nil, or closed when it goes on
}

// NewWire leads to a server, HOST:PORT, until the test ends.
func NewWire(t testing.TB, to string) *Wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // as long as the test
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, to: to, open: map[net.Conn]bool{}}
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
		w.mu.Lock()
		down := w.down
		w.mu.Unlock()
		if down {
			_ = near.Close()
			continue
		}
		far, err := net.Dial("tcp", w.to) //nolint:noctx // as long as the test
		if err != nil {
			_ = near.Close()
			continue
		}
		w.mu.Lock()
		w.open[near], w.open[far] = true, true
		w.mu.Unlock()
		go w.carry(near, far)
		go w.carry(far, near)
	}
}

func (w *Wire) carry(from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		w.mu.Lock()
		stalled := w.stalled
		w.mu.Unlock()
		if stalled != nil {
			<-stalled
		}
		if _, err := to.Write(buffer[:n]); err != nil {
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
