package app_test

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/queue"
	"emporium/internal/platform/testenv"
)

// until waits for something to be so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never so: %s", what)
		}
	}
}

// ordersAre waits until billing shows so many orders.
func ordersAre(t *testing.T, p *programtest.Program, want int) {
	t.Helper()
	until(t, fmt.Sprintf("%d orders", want), func() bool {
		_, got, err := p.Get(context.Background(), "/api/billing/orders?limit=1000")
		return err == nil && strings.Count(got, `"id"`) == want
	})
}

// careForLetters has a foreign producer send what can never be stored, and a
// person look after it while the server runs.
func careForLetters(t *testing.T, p *programtest.Program, q queue.Queue, place string, orders int) {
	t.Helper()
	for _, body := range []string{`{"user_id":"3"}`, order, "not JSON \x1b[2J", order, `{"user_id":"3","number_of_items":"5","total_amount":"1.005"}`} {
		if err := q.Publish(t.Context(), "billing_queue", queue.Message{Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Publish(t.Context(), "billing_queue", queue.Message{ID: "named", Body: []byte("[]")}); err != nil {
		t.Fatal(err)
	}
	ordersAre(t, p, orders+2)
	emporium := func(want string, args ...string) {
		t.Helper()
		var status int
		var out, errs string
		until(t, fmt.Sprintf("%v says %q, not %d %q %q", args, want, status, out, errs), func() bool {
			status, out, errs = command(t, "", append(append([]string{"queue"}, args...), place)...)
			return status == 0 && strings.Contains(out, want)
		})
	}
	emporium("dead letters\nbilling_queue                       0                4\n", "status")
	emporium("0                4\n", "status", "billing_queue")
	emporium("message without an id, given up at 20", "list")
	emporium("body    not JSON �[2J\n", "list")
	emporium("There are more", "list", "--limit=3")
	emporium(`message "named"`, "list", "billing_queue.dead", "--id=named")
	emporium("There are no such letters", "list", "--reason=no reason at all")
	emporium("1 dead letters of billing_queue dropped", "drop", "--reason=NUMBER_of_items")
	emporium("1 dead letters of billing_queue put back", "requeue", "--id=named")
	emporium(`message "named"`, "list", "--id=named") // it went round
	emporium("3 dead letters of billing_queue dropped", "drop", "--all")
	emporium("0                0\n", "status", "billing_queue")
	for _, args := range [][]string{{"drop"}, {"requeue", "billing_queue"}, {"drop", "--all", "--id=1"}} {
		if status, _, errs := command(t, "", append(append([]string{"queue"}, args...), place)...); status == 0 || !strings.Contains(errs, "say which dead letters") {
			t.Errorf("%v: %d %s", args, status, errs)
		}
	}
}

func TestQueueCommandOnFiles(t *testing.T) {
	data := t.TempDir()
	p := programtest.Start(t, "--data="+data)
	q, err := queue.OpenSQLite(t.Context(), queue.SQLiteOptions{Path: filepath.Join(data, "queue.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	careForLetters(t, p, q, "--data="+data, 0)
}

// TestRabbitMQ starts everything while the broker is away, and takes it away
// again.
func TestRabbitMQ(t *testing.T) {
	address, ok := testenv.VirtualHost(t)
	if !ok {
		return
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	wire := testenv.NewWire(t, u.Host)
	wire.Down(true)
	u.Host = fmt.Sprintf("%s:%d", wire.Host, wire.Port)
	place := "--queue-url=" + u.String()
	p := programtest.Start(t, "--data="+t.TempDir(), place)

	away := func() {
		t.Helper()
		began := time.Now()
		if status, answer := post(t, p.URL+"/api/billing", order); status != 503 || time.Since(began) > 10*time.Second || strings.Contains(answer, u.Host) {
			t.Errorf("an order while the broker is away: %d %s after %s", status, answer, time.Since(began))
		}
		if status, answer, err := p.Get(t.Context(), "/readyz"); err != nil || status != 200 || !strings.Contains(answer, `"queue":"not ready"`) {
			t.Errorf("/readyz: %d %s %v", status, answer, err)
		}
	}
	away()
	// What is told to others waits in the outbox.
	post(t, p.URL+"/api/user/", `{"firstName":"Ada","lastName":"L","birthDate":"1815-12-10","mail":"ada@example.org","password":"a long password"}`)
	wire.Down(false)
	taken := 0
	until(t, "orders are taken", func() bool { status, _ := post(t, p.URL+"/api/billing", order); return status == 200 })
	taken++
	ordersAre(t, p, taken)
	for range 5 { // cuts are not seen by callers
		wire.Cut()
		if status, answer := post(t, p.URL+"/api/billing", order); status != 200 {
			t.Errorf("an order after a cut: %d %s", status, answer)
		}
		taken++
	}
	ordersAre(t, p, taken)

	q, err := queue.OpenRabbitMQ(t.Context(), queue.RabbitMQOptions{URL: address})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	careForLetters(t, p, q, place, taken)
	taken += 2

	wire.Down(true)
	away()
	if status, _, errs := command(t, "", "queue", "status", place); status == 0 || !strings.Contains(errs, "cannot take messages") || strings.Contains(errs, "guest") {
		t.Errorf("status without a broker: %d %s", status, errs)
	}
	wire.Down(false)
	until(t, "orders are taken", func() bool { status, _ := post(t, p.URL+"/api/billing", order); return status == 200 })
	ordersAre(t, p, taken+1)
	if err := p.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if strings.Contains(p.Output(), "guest:guest") {
		t.Error("the log tells the password")
	}
}
