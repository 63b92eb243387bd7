package main

import (
	"fmt"
	"path/filepath"
	"syscall"
	"time"
)

// The same binary on PostgreSQL, RabbitMQ and Redis. Beside each stands what a
// driver does there without Emporium, at the same concurrency and against the
// same server.

// peerItems are the items that the bare driver bids on: the last ones, so that
// its rows are not among those that Emporium chooses winners from.
const peerItems = itemCount

// compareOnServers measures what can be measured on the servers that are there.
func (b *bench) compareOnServers(page *page) error {
	for _, part := range []struct {
		rows   []row
		absent string
	}{
		{b.postgresRows(), missing(b.engines.postgres, "postgres")},
		{b.orderRows(), missing(b.engines.rabbitmq, "rabbitmq")},
		{b.drainRows(), missing(b.engines.rabbitmq, "rabbitmq") + missing(b.engines.postgres, "postgres")},
		{b.cacheRows(), missing(b.engines.redis, "redis")},
	} {
		wanted := b.wanted(part.rows)
		if len(wanted) == 0 {
			continue
		}
		if part.absent != "" {
			page.leaveOut("%s, since no server was named:%s", wanted[0].name, part.absent)
			continue
		}
		b.stopAll()
		if err := b.compareRows(page, wanted); err != nil {
			return err
		}
	}
	return nil
}

func missing(address, name string) string {
	if address != "" {
		return ""
	}
	return " -" + name
}

// startOnServers starts Emporium in one of the shapes that use servers.
func (b *bench) startOnServers(name string) (*process, error) {
	var args []string
	switch name {
	case "on-postgres":
		args = b.engines.databaseFlags("all")
	case "taking-in":
		broker, err := b.broker()
		if err != nil {
			return nil, err
		}
		args = []string{"gateway", "--queue-url=" + broker}
	case "cached-here":
		args = []string{"gateway", "purchases", "popular"}
	case "cached-in-redis":
		args = []string{"gateway", "purchases", "popular", "--cache-url=" + b.engines.redis, "--cache-prefix=" + prefix + ":"}
		b.engines.removeLater(b.engines.forget)
	default:
		return nil, fmt.Errorf("there is no server %q", name)
	}
	p, err := start(b.folder, name, "/readyz", b.program, b.serve(name, args...)...)
	if err != nil || name == "taking-in" {
		return p, err
	}
	if err := fillFor(p, name); err != nil {
		p.stop()
		return nil, err
	}
	p.settle()
	return p, nil
}

// serve are the arguments of a process that has its own data folder.
func (b *bench) serve(folder string, args ...string) []string {
	all := append([]string{"serve", "--listen=ADDRESS", "--data=" + filepath.Join(b.folder, folder)}, args...)
	return append(all, b.settings...)
}

// fillFor puts in what the rows of a server read.
func fillFor(p *process, name string) error {
	if name != "on-postgres" {
		return fillFrom(p, "/api/users")
	}
	if err := fill(p); err != nil {
		return err
	}
	l := load{address: p.address, connections: 1, status: 201, most: peerItems, request: post("/api/v1/items", func(b []byte, n uint64) []byte {
		return fmt.Appendf(b, `{"item":{"name":"Lot %d, which the bare driver bids on"}}`, n)
	})}
	_, err := l.run()
	return err
}

// cacheRows hold recent purchases that are cached in Redis against those in the
// process's own memory.
func (b *bench) cacheRows() []row {
	request := getOf("/api/recent_purchases/customer", 0, customerCount)
	return []row{{
		name: "GET /api/recent_purchases/{username}, cached in Redis, the cache in memory", against: "servers", target: 0.75, connections: getConnections,
		ours: side{server: "cached-in-redis", request: request, status: 200}, theirs: side{server: "cached-here", request: request, status: 200},
	}}
}

// ownCPU is what this process has used so far: a bare driver runs in it, and then
// nothing else does.
func ownCPU() time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// timed is a run of something that counts what it did.
func timed(do func() (int64, error)) (run, error) {
	before, from := ownCPU(), time.Now()
	count, err := do()
	if err != nil {
		return run{}, err
	}
	return run{rate: float64(count) / time.Since(from).Seconds(), cpu: (ownCPU() - before) / time.Duration(max(count, 1))}, nil
}
