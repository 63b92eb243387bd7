package testenv

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Network is a network of hosts inside this machine, for tests of what runs on
// several: every host is a network namespace of its own with one link to a
// bridge, as a virtual machine has it. The test itself stands at the bridge.
type Network struct {
	name    string // of the bridge
	subnet  string // "198.18.7."
	hosts   int
	servers int
}

// networks is how many can be there at the same time: 198.18.0.0/15 is set aside
// for measurements of networks (RFC 2544), so it leads nowhere else.
const networks = 512

// NewNetwork makes a network, and removes it with all that runs in it when the
// test ends, however it does. False, like [Require], where the machine does not
// let us ("netns": root and iproute2).
func NewNetwork(t testing.TB) (*Network, bool) {
	t.Helper()
	if _, ok := Require(t, "netns"); !ok {
		return nil, false
	}
	var out string
	var err error
	for range 20 { // a number that is taken belongs to another run
		i := rand.IntN(networks)
		n := &Network{name: fmt.Sprintf("emporium%d", i), subnet: fmt.Sprintf("198.%d.%d.", 18+i/256, i%256)}
		if out, err = tryIP("link", "add", n.name, "type", "bridge"); err != nil {
			continue
		}
		n.removeAtEnd(t)
		ip(t, "address", "add", n.subnet+"1/24", "dev", n.name)
		ip(t, "link", "set", n.name, "up")
		return n, true
	}
	t.Fatalf("make a bridge: %v: %s", err, out)
	return nil, false
}

// remove takes a network away once its input ends, which it also does when the
// test dies. Links go first: a connection that was cut keeps its namespace, and
// so its link, for as long as the kernel has something to send.
const remove = `
read -r _
for link in $(ip -o link show master "$0" | sed 's/^[0-9]*: //; s/@.*//'); do
  ip link delete "$link"
done
for host in $(ip netns list | cut -d ' ' -f 1 | grep "^$0-"); do
  for process in $(ip netns pids "$host"); do kill -9 "$process"; done
  ip netns delete "$host"
done
ip link delete "$0"
`

func (n *Network) removeAtEnd(t testing.TB) {
	t.Helper()
	remover := exec.Command("sh", "-c", remove, n.name)
	remover.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C is for the test
	in, err := remover.StdinPipe()
	if err == nil {
		err = remover.Start()
	}
	if err != nil {
		_, _ = tryIP("link", "delete", n.name)
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := remover.Wait(); err != nil {
			t.Errorf("remove the network %s: %v", n.name, err)
		}
	})
}

// Host is one machine of a [Network].
type Host struct {
	Name    string
	Address string
	space   string
	network *Network
}

// NewHost adds a host.
func (n *Network) NewHost(t testing.TB, name string) *Host {
	t.Helper()
	n.hosts++
	h := &Host{Name: name, Address: fmt.Sprint(n.subnet, 10+n.hosts), space: n.name + "-" + name, network: n}
	link := fmt.Sprint(n.name, "h", n.hosts)
	ip(t, "netns", "add", h.space)
	ip(t, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", h.space)
	ip(t, "link", "set", link, "master", n.name, "up")
	for _, args := range []string{"address add " + h.Address + "/24 dev eth0", "link set eth0 up", "link set lo up"} {
		ip(t, append([]string{"-n", h.space}, strings.Fields(args)...)...)
	}
	return h
}

// Command is a command that runs on the host.
func (h *Host) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", h.space, name}, args...)...)
}

// nobody is a hardware address that no host has.
const nobody = "02:00:00:00:00:01"

// Cut lets nothing pass from this host to an address, and tells nobody: packets
// get lost as they do where a cable is broken.
func (h *Host) Cut(t testing.TB, address string) (heal func()) {
	t.Helper()
	ip(t, "-n", h.space, "neighbour", "replace", address, "lladdr", nobody, "dev", "eth0", "nud", "permanent")
	return func() {
		t.Helper()
		ip(t, "-n", h.space, "neighbour", "delete", address, "dev", "eth0")
	}
}

// CutBoth cuts the link between two hosts.
func (h *Host) CutBoth(t testing.TB, other *Host) (heal func()) {
	t.Helper()
	there, back := h.Cut(t, other.Address), other.Cut(t, h.Address)
	return func() { there(); back() }
}

// Serve shows a server of this machine, HOST:PORT, to the hosts under an address
// of its own and the same port.
func (n *Network) Serve(t testing.TB, to string) *Wire {
	t.Helper()
	_, port, err := net.SplitHostPort(to)
	if err != nil {
		t.Fatal(err)
	}
	n.servers++
	address := fmt.Sprint(n.subnet, 100+n.servers)
	ip(t, "address", "add", address+"/24", "dev", n.name)
	return NewWireAt(t, net.JoinHostPort(address, port), to)
}

// tryIP runs iproute2's ip.
func tryIP(args ...string) (string, error) {
	out, err := exec.Command("ip", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func ip(t testing.TB, args ...string) {
	t.Helper()
	if out, err := tryIP(args...); err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// findNetworks gives iproute2's path if this process may make namespaces with it.
func findNetworks() string {
	path, err := exec.LookPath("ip")
	if err != nil {
		return ""
	}
	probe := fmt.Sprintf("emporium-probe-%x", rand.Uint32())
	if _, err := tryIP("netns", "add", probe); err != nil {
		return ""
	}
	if _, err := tryIP("netns", "delete", probe); err != nil {
		return ""
	}
	return path
}
