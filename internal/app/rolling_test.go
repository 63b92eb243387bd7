package app_test

import (
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/testenv"
)

// fleet is the shop as many processes: two of each service, and two gateways
// behind HAProxy, on PostgreSQL, RabbitMQ and Redis.
type fleet struct {
	server    string // PostgreSQL
	databases map[string]string
	front     string // where HAProxy listens
	socket    string // where it tells its state

	mu       sync.Mutex
	programs map[string][2]*programtest.Program
	args     map[string][2][]string
}

// inOrder starts those who are asked before those who ask. Two services of one
// row are restarted at the same time.
var inOrder = [][2]string{{"accounts", "inventory"}, {"coupons", "billing"}, {"auctions", "purchases"}, {"property", "popular"}}

func startFleet(t *testing.T) (*fleet, bool) {
	t.Helper()
	haproxy, ok := testenv.Require(t, "haproxy")
	if !ok {
		return nil, false
	}
	server, ok := testenv.Require(t, "postgres")
	if !ok {
		return nil, false
	}
	redis, ok := testenv.Require(t, "redis")
	if !ok {
		return nil, false
	}
	broker, ok := testenv.VirtualHost(t)
	if !ok {
		return nil, false
	}
	f := &fleet{server: server, programs: map[string][2]*programtest.Program{}, args: map[string][2][]string{}}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	few := u.Query()
	few.Set("pool_max_conns", "3") // fourteen pools share the server with other tests
	u.RawQuery = few.Encode()
	flags, names := onServer(t, server)
	f.databases = names
	common := append(slices.DeleteFunc(flags, func(flag string) bool { return strings.HasPrefix(flag, "--data=") }),
		"--database-url="+u.String(), "--drain=2s", "--access=open", "--trusted-proxies=127.0.0.1", "--no-log-requests", "--secret="+strings.Repeat("s", 32),
		"--queue-url="+broker, "--cache-url="+redis, "--cache-prefix="+names["purchases"]+":")
	at := func(name string) string {
		return "--" + name + "-url=" + f.programs[name][0].URL + "," + f.programs[name][1].URL
	}
	start := func(name string, more ...string) {
		var programs [2]*programtest.Program
		var args [2][]string
		for i := range 2 {
			args[i] = slices.Concat(common, []string{"--data=" + t.TempDir()}, more, []string{name})
			programs[i] = programtest.Start(t, args[i]...)
			args[i] = append([]string{"--listen=" + programs[i].Address()}, args[i]...)
		}
		f.programs[name], f.args[name] = programs, args
	}
	start("accounts")
	var all []string
	for _, name := range []string{"inventory", "coupons", "billing", "auctions", "purchases", "property"} {
		start(name, at("accounts"))
		all = append(all, at(name))
	}
	start("popular", at("accounts"), at("purchases"))
	start("gateway", append(all, at("accounts"), at("popular"))...)
	f.startHAProxy(t, haproxy)
	return f, true
}

// startHAProxy balances between the gateways with the settings of deploy/haproxy.
func (f *fleet) startHAProxy(t *testing.T, haproxy string) {
	t.Helper()
	config, err := os.ReadFile("../../deploy/haproxy/haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	folder, address := t.TempDir(), freeAddress(t)
	f.front, f.socket = "http://"+address, filepath.Join(folder, "admin.sock")
	text := string(config)
	for old, now := range map[string]string{
		"bind :80": "bind " + address, "/run/haproxy/admin.sock": f.socket, "log /dev/log local0 notice": "",
		"10.0.0.11:8080": f.programs["gateway"][0].Address(),
		"10.0.0.12:8080": f.programs["gateway"][1].Address(),
	} {
		if strings.Count(text, old) != 1 {
			t.Fatalf("deploy/haproxy/haproxy.cfg does not hold %q once", old)
		}
		text = strings.Replace(text, old, now, 1)
	}
	path := filepath.Join(folder, "haproxy.cfg")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), haproxy, "-db", "-f", path)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Wait() // it is killed when the test is over
		if t.Failed() {
			t.Logf("HAProxy said:\n%s", said.String())
		}
	})
	f.balanced(t)
}

// balanced waits until HAProxy has found both gateways ready.
func (f *fleet) balanced(t *testing.T) {
	t.Helper()
	soon(t, "HAProxy's gateways", func() string { return fmt.Sprint(f.up(t), " ready") }, "2 ready")
}

func (f *fleet) up(t *testing.T) (ready int) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "unix", f.socket)
	if err != nil {
		return 0
	}
	defer conn.Close()
	fmt.Fprintln(conn, "show stat")
	text, _ := io.ReadAll(conn)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimSpace(string(text)))).ReadAll()
	if err != nil || len(rows) == 0 {
		return 0
	}
	name, status, check := slices.Index(rows[0], "svname"), slices.Index(rows[0], "status"), slices.Index(rows[0], "check_status")
	for _, row := range rows[1:] {
		if strings.HasPrefix(row[name], "gateway") && row[status] == "UP" && strings.HasPrefix(row[check], "L7OK") {
			ready++
		}
	}
	return ready
}

// restart stops a process and starts it again where it was.
func (f *fleet) restart(t *testing.T, name string, i int) {
	f.mu.Lock()
	programs, args := f.programs[name], f.args[name]
	f.mu.Unlock()
	if err := programs[i].Stop(); err != nil {
		t.Errorf("%s %d: %v\n%s", name, i, err, programs[i].Output())
	}
	programs[i] = programtest.Start(t, args[i]...)
	f.mu.Lock()
	f.programs[name] = programs
	f.mu.Unlock()
}

// restartAll restarts every process in turn, of each two services at a time.
func (f *fleet) restartAll(t *testing.T) {
	t.Helper()
	for _, pair := range inOrder {
		for i := range 2 {
			var both sync.WaitGroup
			for _, name := range pair {
				both.Go(func() { f.restart(t, name, i) })
			}
			both.Wait()
		}
	}
	for i := range 2 {
		f.restart(t, "gateway", i)
		f.balanced(t)
	}
}

// TestRollingRestartOfAll restarts every process of the shop, one after the other,
// under load: not one request fails, and what was answered is there once.
// EMPORIUM_TEST_RESTARTS says how often each is restarted; once where it does not.
func TestRollingRestartOfAll(t *testing.T) {
	rounds := 1
	if text := os.Getenv("EMPORIUM_TEST_RESTARTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("EMPORIUM_TEST_RESTARTS is %q, not how often", text)
		}
		rounds = n
	}
	f, ok := startFleet(t)
	if !ok {
		return
	}
	l := newFleetLoad(t, f.front)
	l.start()
	time.Sleep(time.Second)
	for range rounds {
		f.restartAll(t)
	}
	time.Sleep(time.Second)
	l.stop()
	l.report(t)
	l.count(t, f)
}
