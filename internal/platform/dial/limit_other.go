//go:build !linux

package dial

import (
	"syscall"
	"time"
)

// limit does nothing: other systems have no such limit, or each its own.
func limit(syscall.RawConn, time.Duration) {}
