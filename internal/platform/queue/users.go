package queue

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// users counts the processes that have a queue's file open, by a lock that ends
// with its process. Who opens it alone knows that every lease is of a process
// that is gone, and need not wait for them to run out.
type users struct{ file *os.File }

// countUsers joins the users; alone says that there are no others, and keeps
// them waiting until settle.
func countUsers(path string) (u users, alone bool, err error) {
	if u.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return u, false, err
	}
	switch err = u.lock(unix.LOCK_EX | unix.LOCK_NB); {
	case err == nil:
		return u, true, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		err = u.settle()
	}
	if err != nil {
		return u, false, errors.Join(fmt.Errorf("lock %s: %w", path, err), u.close())
	}
	return u, false, nil
}

// settle lets others in.
func (u users) settle() error { return u.lock(unix.LOCK_SH) }

func (u users) close() error { return u.file.Close() }

func (u users) lock(how int) error {
	for {
		if err := unix.Flock(int(u.file.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
