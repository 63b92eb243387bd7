package dial

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// limit sets TCP_USER_TIMEOUT (RFC 5482). Where it cannot be set, cuts are
// noticed later.
func limit(c syscall.RawConn, d time.Duration) {
	_ = c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	})
}
