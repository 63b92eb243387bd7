package dial_test

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"emporium/internal/platform/dial"
)

// wrapped is a connection as TLS has it.
type wrapped struct {
	net.Conn
	under net.Conn
}

func (w wrapped) NetConn() net.Conn { return w.under }

// That a cut is noticed, the three-host test of the program shows; here is that
// the limit is set, taken away for a stream, and set again.
func TestLimit(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := dial.New(time.Second).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	limit := func(want time.Duration) {
		t.Helper()
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var millis int
		_ = raw.Control(func(fd uintptr) {
			millis, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
		})
		if got := time.Duration(millis) * time.Millisecond; err != nil || got != want {
			t.Errorf("the limit is %s, %v; want %s", got, err, want)
		}
	}
	limit(dial.Unheard)
	dial.Patient(conn, true)
	limit(0)
	dial.Patient(wrapped{nil, conn}, false)
	limit(dial.Unheard)
}
