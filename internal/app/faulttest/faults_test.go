package faulttest_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/testenv"
)

// short is how long a fault lasts where nobody asks for longer.
const short = time.Second

// lasting is how long each fault lasts.
func lasting(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("EMPORIUM_TEST_FAULTS_SECONDS")
	if text == "" {
		return short
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("EMPORIUM_TEST_FAULTS_SECONDS is %q, not a number of seconds", text)
	}
	return time.Duration(n) * time.Second
}

// fault is something that goes wrong for a while. It returns when it is over.
type fault struct {
	name    string
	does    func(t *testing.T, r *rig, d time.Duration)
	harmful bool // some writes have to be repeated: else the test has shown nothing
	reads   bool // nobody who reads recent purchases may notice
}

var faults = []fault{
	{name: "PostgreSQL restarted, in turn fast and immediately", does: restartPostgres, harmful: true},
	{name: "PostgreSQL stopped, and started again", does: stopPostgres, harmful: true},
	{name: "every connection to PostgreSQL ended each second", does: endSessions},
	{name: "RabbitMQ stopped, and started again", does: stopRabbit, harmful: true},
	{name: "RabbitMQ killed, and started again", does: killRabbit, harmful: true},
	{name: "every connection to RabbitMQ closed, 20 times", does: closeRabbit},
	{name: "Redis killed, and started again", does: killRedis, reads: true},
	{name: "each process killed in turn", does: killProcesses, harmful: true},
	{name: "a slow network that drops and halves", does: troubleNetwork},
	{name: "a network that carries nothing and ends nothing", does: stallNetwork},
}

func restartPostgres(_ *testing.T, r *rig, d time.Duration) {
	fast := true
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(min(d/4, time.Second)) {
		if fast {
			r.postgres.StopFast()
		} else {
			r.postgres.StopImmediate()
		}
		fast = !fast
		time.Sleep(200 * time.Millisecond)
		r.postgres.Start()
	}
}

func stopPostgres(_ *testing.T, r *rig, d time.Duration) {
	r.postgres.StopFast()
	time.Sleep(d)
	r.postgres.Start()
}

func endSessions(t *testing.T, r *rig, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		r.look(t, "postgres", `SELECT pg_terminate_backend(pid)::text, '' FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`)
	}
}

func stopRabbit(_ *testing.T, r *rig, d time.Duration) {
	r.rabbit.Stop()
	time.Sleep(d)
	r.rabbit.Start()
}

func killRabbit(_ *testing.T, r *rig, _ time.Duration) {
	r.rabbit.Kill()
	r.rabbit.Start()
}

func closeRabbit(_ *testing.T, r *rig, d time.Duration) {
	for range 20 {
		r.wires["rabbitmq"].Cut()
		time.Sleep(d / 20)
	}
}

func killRedis(_ *testing.T, r *rig, d time.Duration) {
	r.redis.Kill()
	time.Sleep(d)
	r.redis.Start()
}

func killProcesses(_ *testing.T, r *rig, d time.Duration) {
	for end := time.Now().Add(d); ; {
		for _, name := range r.names {
			r.programs[name].Kill()
			time.Sleep(100 * time.Millisecond)
			r.restart(name)
		}
		if time.Now().After(end) {
			return
		}
	}
}

func troubleNetwork(t *testing.T, r *rig, d time.Duration) {
	r.trouble(testenv.Trouble{Delay: 20 * time.Millisecond, Drop: 0.01, Halve: 0.01})
	time.Sleep(d)
	r.trouble(testenv.Trouble{})
	broken := 0
	for _, w := range r.wires {
		broken += w.Broken()
	}
	if t.Logf("%d connections were cut off", broken); broken == 0 {
		t.Error("no connection was cut off: the test has shown nothing")
	}
}

// stallNetwork lets every connection stand, in which nothing arrives: to some
// services first, then to PostgreSQL, then to RabbitMQ.
func stallNetwork(_ *testing.T, r *rig, d time.Duration) {
	for _, names := range [][]string{{"coupons", "auctions", "property"}, {"postgres"}, {"rabbitmq"}} {
		var goOn []func()
		for _, name := range names {
			goOn = append(goOn, r.wires[name].Stall())
		}
		time.Sleep(d / 3)
		for _, f := range goOn {
			f()
		}
	}
}

// TestFaults takes away one thing after the other under load: what was answered
// is there, once, and nothing else is.
func TestFaults(t *testing.T) {
	d := lasting(t)
	programtest.Binary(t)
	r, ok := startRig(t)
	if !ok {
		return
	}
	for n, f := range faults {
		t.Run(f.name, func(t *testing.T) { f.test(t, r, fmt.Sprintf("run%d", n), d) })
	}
}

func (f fault) test(t *testing.T, r *rig, run string, d time.Duration) {
	l := newLoad(t, r.programs["gateway"].URL, run)
	for _, p := range l.problems {
		t.Fatal(p)
	}
	l.start(2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read := l.readers(ctx)
	l.await(t, l.began)
	time.Sleep(d / 4)
	before := l.rate(l.began, time.Now())
	f.does(t, r, d)
	took := l.await(t, time.Now())
	time.Sleep(d / 4)
	cancel()
	reads, failed := read()
	l.stop()
	sum := r.check(t, l)
	for i, p := range l.problems {
		if t.Error(p); i == 10 {
			t.Errorf("and %d problems more", len(l.problems)-i-1)
			break
		}
	}
	if f.harmful && l.repeats.Load() == 0 {
		t.Error("no write had to be repeated: the test has shown nothing")
	}
	if f.reads && failed > 0 {
		t.Errorf("%d of %d who asked for recent purchases were turned away: %s", failed, reads, l.samples["first failed read"][0].answer)
	}
	say(t, fmt.Sprintf("| %s | %s | %d callers, %.0f writes/s | %d | %d | %d | %d | %.1f s |",
		f.name, d, l.number, before, sum.answered, sum.stored, sum.lost, sum.doubled, took.Seconds()))
	t.Logf("%d repeats, %d of them after a 503, none waited for longer than %s; %d reads, %d not answered well",
		l.repeats.Load(), l.refusals.Load(), time.Duration(l.longest.Load()).Round(time.Millisecond), reads, failed)
}

// await waits until every kind of write is answered again, and says how long
// that took.
func (l *load) await(t *testing.T, since time.Time) time.Duration {
	t.Helper()
	for time.Since(since) < 2*time.Minute {
		if took, ok := l.recovered(since); ok {
			return took
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("two minutes later not every kind of write is answered")
	return time.Since(since)
}

// rate is how many writes were answered in a second.
func (l *load) rate(from, to time.Time) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, times := range l.times {
		for _, at := range times {
			if at.After(from) && at.Before(to) {
				n++
			}
		}
	}
	return float64(n) / to.Sub(from).Seconds()
}
