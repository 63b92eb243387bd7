// Package dial makes connections that notice within seconds when the network
// behind them is cut. By itself TCP sends again for a quarter of an hour what
// nobody acknowledges, and whoever asked waits for as long.
package dial

import (
	"net"
	"syscall"
	"time"
)

// Unheard is how long what was sent may stay unacknowledged. Only the network
// counts: the system of the other side acknowledges whatever its program is busy
// with. It leaves room for four packets that are lost one after the other.
const Unheard = 5 * time.Second

// New makes a dialer for connections to a service or a server.
func New(timeout time.Duration) *net.Dialer {
	return &net.Dialer{
		Timeout:         timeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
		Control: func(network, _ string, c syscall.RawConn) error {
			if network != "unix" {
				limit(c, Unheard)
			}
			return nil
		},
	}
}

// Patient sets whether a connection may stay unacknowledged for longer: while a
// stream is sent, a reader that takes nothing for a while looks the same.
func Patient(c net.Conn, patient bool) {
	if wrapped, ok := c.(interface{ NetConn() net.Conn }); ok { // TLS
		c = wrapped.NetConn()
	}
	d := Unheard
	if patient {
		d = 0
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			limit(raw, d)
		}
	}
}
