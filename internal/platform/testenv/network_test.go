package testenv_test

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"emporium/internal/platform/testenv"
)

// TestNetwork reaches a host, does not when its link is cut, and leaves nothing
// behind.
func TestNetwork(t *testing.T) {
	var subnet string
	t.Run("while it is there", func(t *testing.T) {
		n, ok := testenv.NewNetwork(t)
		if !ok {
			return
		}
		h := n.NewHost(t, "host-vm")
		subnet = h.Address[:strings.LastIndex(h.Address, ".")+1]
		reached := func() bool { // nobody listens there, and the host says so
			conn, err := net.DialTimeout("tcp", h.Address+":9", time.Second)
			if err == nil {
				_ = conn.Close()
			}
			return errors.Is(err, syscall.ECONNREFUSED)
		}
		// A busy machine takes its time to tell, but for a link that is cut.
		inTime := func() bool {
			for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
				if reached() {
					return true
				}
			}
			return false
		}
		if !inTime() {
			t.Fatal("the host is not reached")
		}
		heal := h.Cut(t, subnet+"1")
		if reached() {
			t.Error("the host is reached with its link cut")
		}
		heal()
		if !inTime() {
			t.Error("the host is not reached after its link was healed")
		}
		if out, err := h.Command("ip", "-o", "address", "show", "dev", "eth0").CombinedOutput(); err != nil || !strings.Contains(string(out), h.Address) {
			t.Errorf("%s %v", out, err)
		}
	})
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if subnet != "" && strings.HasPrefix(a.String(), subnet) {
			t.Errorf("%s is left", a)
		}
	}
}
