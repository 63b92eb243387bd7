package app_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/testenv"
)

// machine is a host that runs the program under PM2, with settings in a file
// .env, as docs/howto/many-hosts.md says.
type machine struct {
	*testenv.Host
	folder string
	env    []string
}

// newMachine adds a host, and ends its PM2 with the test.
func newMachine(t *testing.T, network *testenv.Network, name string) *machine {
	t.Helper()
	m := &machine{network.NewHost(t, name), t.TempDir(), programtest.Environment(t)}
	apps, err := os.ReadFile("../../deploy/pm2/ecosystem.config.cjs")
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "ecosystem.config.cjs", string(apps))
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := m.pm2("logs", "--nostream", "--lines=40").CombinedOutput()
			t.Logf("%s:\n%s", name, out)
		}
		if out, err := m.pm2("kill").CombinedOutput(); err != nil {
			t.Errorf("%s: pm2 kill: %v\n%s", name, err, out)
		}
	})
	return m
}

func (m *machine) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// url is where the program listens on this host.
func (m *machine) url() string { return "http://" + m.Address + ":8080" }

// settings writes the host's .env.
func (m *machine) settings(t *testing.T, more ...string) {
	t.Helper()
	all := append([]string{"EMPORIUM_LISTEN=" + m.Address + ":8080", "EMPORIUM_ACCESS=open"}, more...)
	m.write(t, ".env", strings.Join(all, "\n")+"\n")
}

func (m *machine) pm2(args ...string) *exec.Cmd {
	c := m.Command("pm2", args...)
	c.Dir = m.folder
	c.Env = slices.Concat(m.env, []string{"PM2_HOME=" + filepath.Join(m.folder, "pm2"), "PM2_DISABLE_VERSION_CHECK=true"})
	return c
}

// run gives PM2 a command.
func (m *machine) run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := m.pm2(args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: pm2 %s: %v\n%s", m.Name, strings.Join(args, " "), err, out)
	}
}

// serverAt shows the server of a URL to the hosts, and gives the URL by which
// they reach it.
func serverAt(t *testing.T, network *testenv.Network, address string) (string, *testenv.Wire) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	w := network.Serve(t, u.Host)
	u.Host = fmt.Sprintf("%s:%d", w.Host, w.Port)
	return u.String(), w
}

// psql looks at a database as people do.
func psql(t *testing.T, server, database, query string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + database
	out, err := exec.CommandContext(t.Context(), "psql", "-XAtc", query, u.String()).CombinedOutput()
	if err != nil {
		t.Fatalf("psql %s: %v\n%s", query, err, out)
	}
	return strings.TrimSpace(string(out))
}

// exercise is the shop on three machines: a gateway, movies with their database,
// and billing with its database and the broker.
type exercise struct {
	gateway, inventory, billing *machine
	billingDB                   *testenv.Wire

	server         string // PostgreSQL, as the test reaches it
	movies, orders string // names of databases
	customer       visitor
}

func newExercise(t *testing.T) (*exercise, bool) {
	t.Helper()
	for _, part := range []string{"node", "pm2", "psql"} {
		if _, ok := testenv.Require(t, part); !ok {
			return nil, false
		}
	}
	server, ok := testenv.Require(t, "postgres")
	if !ok {
		return nil, false
	}
	broker, ok := testenv.VirtualHost(t)
	if !ok {
		return nil, false
	}
	e := &exercise{server: server, movies: dbtest.NewName(t, server, "movies"), orders: dbtest.NewName(t, server, "billing")}
	network, ok := testenv.NewNetwork(t)
	if !ok {
		return nil, false
	}
	e.gateway, e.inventory, e.billing = newMachine(t, network, "gateway-vm"), newMachine(t, network, "inventory-vm"), newMachine(t, network, "billing-vm")
	moviesDB, _ := serverAt(t, network, server)
	ordersDB, wire := serverAt(t, network, server)
	queue, _ := serverAt(t, network, broker)
	e.billingDB = wire
	e.gateway.settings(t, "EMPORIUM_QUEUE_URL="+queue, "EMPORIUM_INVENTORY_URL="+e.inventory.url(), "EMPORIUM_BILLING_URL="+e.billing.url())
	e.inventory.settings(t, "EMPORIUM_DATABASE_URL="+moviesDB, "EMPORIUM_INVENTORY_DATABASE="+e.movies)
	e.billing.settings(t, "EMPORIUM_DATABASE_URL="+ordersDB, "EMPORIUM_BILLING_DATABASE="+e.orders, "EMPORIUM_QUEUE_URL="+queue)
	e.customer = visitor{base: e.gateway.url()}
	return e, true
}

// order posts one, which has to be taken.
func (e *exercise) order(t *testing.T, amount string) {
	t.Helper()
	got := e.customer.ask(t, 200, "POST", "/api/billing", `{"user_id":"3","number_of_items":"5","total_amount":"`+amount+`"}`)
	if got != `{"message":"Message posted"}` {
		t.Errorf("%s", got)
	}
}

// stored is the table orders.
func (e *exercise) stored(t *testing.T) string {
	t.Helper()
	return psql(t, e.server, e.orders, "SELECT coalesce(string_agg(user_id || ' ' || number_of_items || ' ' || total_amount, ', ' ORDER BY id), '') FROM orders")
}

// soon waits until something is as it should be.
func soon(t *testing.T, what string, got func() string, want string) {
	t.Helper()
	var last string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if last = got(); last == want {
			return
		}
	}
	t.Fatalf("%s: %s; want %s", what, last, want)
}

// status is what a GET answers with, within 40 seconds.
func (e *exercise) status(t *testing.T, path string) (status, retryAfter string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.customer.base+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err.Error(), ""
	}
	_ = resp.Body.Close()
	return resp.Status, resp.Header.Get("Retry-After")
}

// answers waits until every host is up.
func (e *exercise) answers(t *testing.T) {
	t.Helper()
	for _, path := range []string{"/api/movies", "/api/billing/orders"} {
		soon(t, path, func() string { s, _ := e.status(t, path); return s }, "200 OK")
	}
}
