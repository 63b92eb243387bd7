package limit_test

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"emporium/internal/platform/cache/cachetest"
	"emporium/internal/platform/limit"
	"emporium/internal/platform/testenv"
)

// Two processes count together, and keys go by themselves once they say nothing.
func TestRedisIsShared(t *testing.T) {
	address, ok := testenv.Require(t, "redis")
	if !ok {
		return
	}
	prefix := cachetest.Prefix(t, address)
	here, there := openRedis(t, address, prefix), openRedis(t, address, prefix)
	r := mustRule(t, "address", 6, time.Hour)
	for i := range 3 {
		if !allowed(t, here, r, "ada") || !allowed(t, there, r, "ada") {
			t.Fatalf("refused in round %d", i)
		}
	}
	if allowed(t, here, r, "ada") || allowed(t, there, r, "ada") {
		t.Error("two processes allow more than one would")
	}
	second := mustRule(t, "address", 1, time.Second)
	if !allowed(t, here, second, "bob") {
		t.Error("refused")
	}
	time.Sleep(1100 * time.Millisecond)
	if !allowed(t, there, second, "bob") {
		t.Error("the server's clock gave nothing back in its own time")
	}
}

// Without Redis each process counts by itself: nobody waits long, nothing fails,
// and when Redis is there again it counts again.
func TestRedisAway(t *testing.T) {
	server, ok := cachetest.StartRedis(t)
	if !ok {
		return
	}
	r, err := limit.OpenRedis(t.Context(), limit.RedisOptions{
		URL: server.URL(), Prefix: "t:", Away: memory(), Wait: 300 * time.Millisecond, Retry: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rule := mustRule(t, "address", 3, time.Hour)
	use := func(want int) {
		t.Helper()
		for i := range want + 1 {
			if got := allowed(t, r, rule, "ada"); got != (i < want) {
				t.Fatalf("ask %d of %d: allowed is %v", i+1, want, got)
			}
		}
	}
	ready := func(want bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); (r.Ready(t.Context()) == nil) != want; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("after 20 s ready is not %v", want)
			}
		}
	}
	ready(true)
	use(3)
	server.Kill()
	use(3) // by itself, from the beginning
	ready(false)
	server.Start()
	ready(true)
	use(3) // what was counted there died with the server
}

// A Redis that does not answer holds a request up once, and no longer than it
// may; one that is not there at the start holds up nobody.
func TestRedisStalls(t *testing.T) {
	server, ok := cachetest.StartRedis(t)
	if !ok {
		return
	}
	wire := testenv.NewWire(t, server.Address())
	r, err := limit.OpenRedis(t.Context(), limit.RedisOptions{
		URL: "redis://127.0.0.1:" + itoa(wire.Port), Prefix: "t:", Away: memory(), Wait: 300 * time.Millisecond, Retry: time.Hour, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rule := mustRule(t, "address", 10, time.Hour)
	if !allowed(t, r, rule, "ada") || r.Ready(t.Context()) != nil {
		t.Fatal("Redis is not used")
	}
	goOn := wire.Stall()
	defer goOn()
	start := time.Now()
	if !allowed(t, r, rule, "ada") {
		t.Error("refused")
	}
	if d := time.Since(start); d < 200*time.Millisecond || d > 3*time.Second {
		t.Errorf("the first waited %s", d)
	}
	start = time.Now()
	for range 5 {
		allowed(t, r, rule, "ada")
	}
	if d := time.Since(start); d > 200*time.Millisecond {
		t.Errorf("those after it waited %s", d)
	}
}

// A caller who goes away while Redis is asked does not make it be taken for away:
// else anybody could have each process count by itself.
func TestRedisCallerGoes(t *testing.T) {
	address, ok := testenv.Require(t, "redis")
	if !ok {
		return
	}
	l := openRedis(t, address, cachetest.Prefix(t, address))
	r := mustRule(t, "address", 6, time.Hour)
	gone, leave := context.WithCancel(t.Context())
	leave()
	for range 20 {
		l.Take(gone, []limit.Ask{{Rule: r, Who: "ada"}})
		if err := l.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRedisAddress(t *testing.T) {
	for address, want := range map[string]string{
		"redis://127.0.0.1:6379/0":     "",
		"rediss://:secret@example.org": "",
		"http://:secret@example.org":   "not the address",
		"redis://:sec ret@example.org": "not the address",
	} {
		err := limit.CheckRedisURL(address)
		if (want == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sec")) {
			t.Errorf("%s: %v", address, err)
		}
	}
	r, err := limit.OpenRedis(t.Context(), limit.RedisOptions{URL: "redis://127.0.0.1:1", Away: memory(), Wait: 100 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if !allowed(t, r, mustRule(t, "address", 1, time.Hour), "ada") || r.Ready(t.Context()) == nil {
		t.Error("without Redis nothing is counted")
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
