package database

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fileLock keeps processes apart. The lock itself stands in a file beside the
// database and ends with the process that holds it, however it ends.
//
// A file that is not shared has one holder at a time, whose process id stands
// in the lock. A shared one gives its holders turns: each takes "next", then
// "now", and then gives up "next". So whoever waits for "next" comes before the
// one that has just ended its turn, and a busy process cannot starve another;
// SQLite's own lock is polled and would.
type fileLock struct {
	held      *os.File
	next, now *os.File // only when shared
}

// lockFile takes the lock of a database, or says who has it.
func lockFile(path string, shared bool) (_ *fileLock, err error) {
	l := &fileLock{}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.release())
		}
	}()
	if l.held, err = openLock(path + ".lock"); err != nil {
		return nil, err
	}
	how := unix.LOCK_EX
	if shared {
		how = unix.LOCK_SH
	}
	switch err := flock(l.held, how|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, fmt.Errorf("%w: %s has %s; stop it, or use another data directory", ErrInUse, holder(l.held), path)
	case err != nil:
		return nil, err
	}
	if err := l.held.Truncate(0); err != nil {
		return nil, err
	}
	if !shared {
		_, err := fmt.Fprintf(l.held, "%d\n", os.Getpid())
		return l, err
	}
	if l.next, err = openLock(path + ".next"); err != nil {
		return nil, err
	}
	l.now, err = openLock(path + ".now")
	return l, err
}

// takeTurn waits until no other process is in its turn. It waits for the disk
// of others, so for milliseconds.
func (l *fileLock) takeTurn() error {
	if l.now == nil {
		return nil
	}
	if err := flock(l.next, unix.LOCK_EX); err != nil {
		return err
	}
	return errors.Join(flock(l.now, unix.LOCK_EX), flock(l.next, unix.LOCK_UN))
}

// endTurn lets the next one in.
func (l *fileLock) endTurn() error {
	if l.now == nil {
		return nil
	}
	return flock(l.now, unix.LOCK_UN)
}

// release gives everything up. The files stay: to remove one that another
// process is about to lock would give it a lock that nobody else sees.
func (l *fileLock) release() error {
	var all []error
	for _, f := range []*os.File{l.now, l.next, l.held} {
		if f != nil {
			all = append(all, f.Close())
		}
	}
	return errors.Join(all...)
}

func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// holder reads who has a lock. One that has only just taken it may not have
// written its id yet.
func holder(f *os.File) string {
	for range 10 {
		if b, err := io.ReadAll(io.NewSectionReader(f, 0, 20)); err == nil {
			if pid := strings.TrimSpace(string(b)); pid != "" {
				return "process " + pid
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	return "another process"
}
