// Package faulttest_test takes away what the shop stands on, one thing after the
// other, while callers write, and counts afterwards.
package faulttest_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/cache/cachetest"
	"emporium/internal/platform/testenv"
)

// rig is the shop on three servers, every service a process of its own, and all
// of it the test's to break. Between the gateway and the services, and between
// those and PostgreSQL and RabbitMQ, there are wires.
type rig struct {
	t        *testing.T
	postgres *testenv.PostgresServer
	rabbit   *testenv.RabbitMQServer
	redis    *cachetest.Server
	wires    map[string]*testenv.Wire // by what they lead to
	names    []string                 // of the processes, as they were started
	programs map[string]*programtest.Program
	args     map[string][]string
}

// twice are the services of which two processes run: of two who take bids on one
// item, and of two who work off one queue.
var twice = []string{"auctions", "billing"}

// startRig starts everything; not ok where a server's program is missing.
func startRig(t *testing.T) (r *rig, ok bool) {
	t.Helper()
	r = &rig{t: t, wires: map[string]*testenv.Wire{}, programs: map[string]*programtest.Program{}, args: map[string][]string{}}
	if r.postgres, ok = testenv.StartPostgres(t); !ok {
		return nil, false
	}
	if r.rabbit, ok = testenv.StartRabbitMQ(t); !ok {
		return nil, false
	}
	if r.redis, ok = cachetest.StartRedis(t); !ok {
		return nil, false
	}
	r.wires["postgres"] = testenv.NewWire(t, r.postgres.Address())
	r.wires["rabbitmq"] = testenv.NewWire(t, r.rabbit.Address())
	common := []string{
		"--no-log-requests", "--secret=" + strings.Repeat("s", 32),
		"--database-url=" + r.postgres.URL(r.wires["postgres"].Address()),
		"--queue-url=" + r.rabbit.URL(r.wires["rabbitmq"].Address()),
		"--cache-url=" + r.redis.URL(),
	}
	start := func(name string, more ...string) (address string) {
		service, _, _ := strings.Cut(name, " ")
		args := slices.Concat(common, []string{"--data=" + t.TempDir()}, more, []string{service})
		p := programtest.Start(t, args...)
		listens := p.Address()
		r.names, r.programs[name] = append(r.names, name), p
		r.args[name] = append([]string{"--listen=" + listens}, args...)
		r.wires[name] = testenv.NewWire(t, listens)
		return "http://" + r.wires[name].Address()
	}
	accounts := "--accounts-url=" + start("accounts")
	all := []string{accounts}
	for _, name := range []string{"coupons", "auctions", "inventory", "billing", "purchases", "property"} {
		at := start(name, accounts)
		if slices.Contains(twice, name) {
			at += "," + start(name+" (another)", accounts)
		}
		all = append(all, "--"+name+"-url="+at)
	}
	purchases := slices.IndexFunc(all, func(flag string) bool { return strings.HasPrefix(flag, "--purchases-url=") })
	start("gateway", append(all, "--popular-url="+start("popular", all[purchases]))...)
	t.Cleanup(func() {
		if t.Failed() {
			for _, name := range r.names {
				t.Logf("%s said at last:\n%s", name, tail(r.programs[name].Output(), 25))
			}
		}
	})
	return r, true
}

// restart starts a process that was killed, where it was.
func (r *rig) restart(name string) { r.programs[name] = programtest.Start(r.t, r.args[name]...) }

// trouble disturbs every wire.
func (r *rig) trouble(how testenv.Trouble) {
	for _, w := range r.wires {
		w.Trouble(how)
	}
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// say puts a row into the table of what was measured, if one is asked for.
func say(t *testing.T, row string) {
	t.Helper()
	t.Log(row)
	path := os.Getenv("EMPORIUM_TEST_FAULTS_TABLE")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(row + "\n"); err != nil {
		t.Fatal(err)
	}
}
