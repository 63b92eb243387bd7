package queue_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"emporium/internal/platform/queue"
)

// The test binary is also the other process: it consumes or publishes what the
// environment says.
const (
	childRole = "EMPORIUM_TEST_QUEUE_ROLE"
	childPath = "EMPORIUM_TEST_QUEUE_PATH"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		if err := child(role, os.Getenv(childPath)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func child(role, path string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	q, err := queue.OpenSQLite(ctx, queue.SQLiteOptions{Path: path, Lease: 2 * time.Second})
	if err != nil {
		return err
	}
	defer q.Close()
	if role == "publish" { // as fast as it can
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for first := true; q.Publish(ctx, "noise", queue.Message{}) == nil; first = false {
					if first {
						fmt.Println("publishing")
					}
				}
			})
		}
		all.Wait()
		return nil
	}
	return q.Consume(ctx, queue.ConsumeOptions{Queue: "orders", Batch: 20}, func(_ context.Context, batch []*queue.Delivery) error {
		for _, d := range batch {
			fmt.Println(d.ID)
		}
		time.Sleep(2 * time.Millisecond) // so that a kill finds it holding something
		return nil
	})
}

// process is a child and what it says.
type process struct {
	*exec.Cmd
	said sync.WaitGroup
}

func start(t *testing.T, role, path string, hear func(line string)) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), os.Args[0])}
	p.Env = append(os.Environ(), childRole+"="+role, childPath+"="+path)
	p.Stderr = t.Output()
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	p.said.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			hear(lines.Text())
		}
	})
	t.Cleanup(func() { p.end(syscall.SIGKILL) })
	return p
}

// end signals a child, and waits for it and for the last that it said.
func (p *process) end(s syscall.Signal) {
	_ = p.Process.Signal(s)
	p.said.Wait()
	_ = p.Wait()
}

// heard counts lines.
type heard struct {
	mu    sync.Mutex
	lines map[string]int
}

func (h *heard) hear(line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lines == nil {
		h.lines = map[string]int{}
	}
	h.lines[strings.TrimSpace(line)]++
}

func (h *heard) count() (different, all int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.lines {
		all += n
	}
	return len(h.lines), all
}

func wait(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never so: %s", what)
		}
	}
}

func empty(t *testing.T, q queue.Queue) func() bool {
	t.Helper()
	return func() bool {
		s, err := q.Stats(t.Context(), "orders")
		return err == nil && s.Depth == 0
	}
}

func publishSome(t *testing.T, q queue.Queue, publishers, each int) {
	t.Helper()
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for i := range each {
				if err := q.Publish(t.Context(), "orders", queue.Message{ID: fmt.Sprint(p, "-", i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	q := open(t, path)
	var got heard
	one, two := start(t, "consume", path, got.hear), start(t, "consume", path, got.hear)
	publishSome(t, q, 8, 100)
	wait(t, "all acknowledged", empty(t, q))
	one.end(syscall.SIGTERM)
	two.end(syscall.SIGTERM)
	if different, all := got.count(); different != 800 || all != 800 {
		t.Errorf("%d of 800 messages were handled, %d times", different, all)
	}
}

func TestKilledConsumers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	q := open(t, path)
	var got heard
	var all sync.WaitGroup
	all.Go(func() { publishSome(t, q, 4, 250) })
	for range 6 {
		before, _ := got.count()
		p := start(t, "consume", path, got.hear)
		wait(t, "it handles something", func() bool { n, _ := got.count(); return n > before || n == 1000 })
		p.end(syscall.SIGKILL)
	}
	all.Wait()
	last := start(t, "consume", path, got.hear)
	wait(t, "all acknowledged", empty(t, q))
	last.end(syscall.SIGTERM)
	if different, _ := got.count(); different != 1000 {
		t.Errorf("%d of 1000 messages were handled", different)
	}
}

// TestKilledAlone: the only process need not wait for the leases of the one
// before it. The lease is longer than the test waits. Not in parallel: a child
// being started holds a copy of every lock for a moment.
func TestKilledAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	long := func() *queue.SQLite {
		q, err := queue.OpenSQLite(t.Context(), queue.SQLiteOptions{Path: path, Lease: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = q.Close() })
		return q
	}
	dying := long()
	if err := dying.Publish(t.Context(), "orders", queue.Message{ID: "held"}); err != nil {
		t.Fatal(err)
	}
	holds, never := make(chan struct{}), make(chan struct{})
	defer close(never)
	go func() {
		_ = dying.Consume(t.Context(), queue.ConsumeOptions{Queue: "orders"}, func(context.Context, []*queue.Delivery) error {
			close(holds)
			<-never
			return nil
		})
	}()
	<-holds
	if err := dying.Close(); err != nil {
		t.Fatal(err)
	}
	q := long()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	handled := 0
	err := q.Consume(ctx, queue.ConsumeOptions{Queue: "orders"}, func(_ context.Context, batch []*queue.Delivery) error {
		handled += len(batch)
		cancel()
		return nil
	})
	if err != nil || handled != 1 {
		t.Errorf("%d handled, %v", handled, err)
	}
}

// TestFair: a process that publishes without a pause does not keep another
// waiting. The bound is hundreds of times what it takes.
func TestFair(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	q := open(t, path)
	var noise heard
	busy := start(t, "publish", path, noise.hear)
	wait(t, "the other publishes", func() bool { _, all := noise.count(); return all > 0 })
	const times, bound = 50, 30 * time.Second
	begun := time.Now()
	for i := range times {
		if err := q.Publish(t.Context(), "orders", queue.Message{ID: strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(begun)
	busy.end(syscall.SIGTERM)
	s, err := q.Stats(t.Context(), "noise")
	if err != nil || s.Depth < times {
		t.Errorf("the other published %d, %v: no contest", s.Depth, err)
	}
	t.Logf("%d publishes took %v beside %d of the other's", times, took, s.Depth)
	if took > bound {
		t.Errorf("%d publishes took %v", times, took)
	}
}
