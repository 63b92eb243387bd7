package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

type serveCommand struct {
	Config   `embed:""`
	Demo     bool     `env:"EMPORIUM_DEMO" help:"Start with a shop in motion: films, coupons, auctions, homes and purchases, made from a fixed seed."`
	Services []string `arg:"" optional:"" name:"service" help:"Which services to run; all of them when none is named."`
}

// Run serves until the program is told to stop.
func (c *serveCommand) Run(ctx context.Context, t Terminal) error {
	buffered := newLogWriter(t.Err)
	defer buffered.Close()
	log := newLog(&c.Config, buffered)
	slog.SetDefault(log)
	if c.Demo {
		if err := makeDemo(ctx, &c.Config, log, t.Out); err != nil {
			return err
		}
	}
	a, err := Open(ctx, &c.Config, log, c.Services...)
	if err != nil {
		return err
	}
	err = serve(ctx, a, func(addresses []string) {
		fmt.Fprint(t.Out, a.greeting(addresses))
		if c.Demo {
			fmt.Fprint(t.Out, demoOwners())
		}
		fmt.Fprint(t.Out, a.invitation(ctx, addresses))
	})
	return errors.Join(err, a.Close())
}

// logWriter gathers log lines and writes them out ten times a second: a line for
// each request must not cost a system call each.
type logWriter struct {
	mu   sync.Mutex
	out  *bufio.Writer
	done chan struct{}
	wait sync.WaitGroup
}

func newLogWriter(w io.Writer) *logWriter {
	l := &logWriter{out: bufio.NewWriterSize(w, 64<<10), done: make(chan struct{})}
	l.wait.Go(func() {
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-tick.C:
				l.flush()
			case <-l.done:
				tick.Stop()
				return
			}
		}
	})
	return l
}

// Write takes a line.
func (l *logWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(b)
}

func (l *logWriter) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.out.Flush() // a log that cannot be written has nowhere to say so
}

// Close writes out what is left.
func (l *logWriter) Close() {
	close(l.done)
	l.wait.Wait()
	l.flush()
}
