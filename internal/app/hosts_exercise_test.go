package app_test

import (
	"sync"
	"testing"
	"time"

	"emporium/internal/platform/dial"
)

// TestThreeMachines does on three hosts what people do by hand: they take
// movies and orders, stop billing and start it again, and pull cables.
func TestThreeMachines(t *testing.T) {
	e, ok := newExercise(t)
	if !ok {
		return
	}
	var starting sync.WaitGroup
	for m, app := range map[*machine]string{e.gateway: "api-gateway", e.inventory: "inventory-app", e.billing: "billing-app"} {
		starting.Go(func() { m.run(t, "start", "ecosystem.config.cjs", "--only", app) })
	}
	starting.Wait()
	if t.Failed() {
		return
	}
	e.answers(t)
	t.Run("movies", e.takesMovies)
	t.Run("orders", e.takesOrders)
	t.Run("billing stopped", e.withoutBilling)
	t.Run("inventory cut off", e.withoutInventory)
	t.Run("billing cut off its database", e.withoutBillingDatabase)
}

func (e *exercise) takesMovies(t *testing.T) {
	const movie = `{"id":1,"title":"A new movie","description":"Very short description"}`
	if got := e.customer.ask(t, 200, "POST", "/api/movies/", `{"title":"A new movie","description":"Very short description"}`); got != movie {
		t.Errorf("%s", got)
	}
	e.customer.shows(t, "/api/movies/", "["+movie+"]")
	e.customer.shows(t, "/api/movies/1", movie)
	if got := psql(t, e.server, e.movies, "SELECT id, title, description FROM movies"); got != "1|A new movie|Very short description" {
		t.Errorf("the table movies holds %s", got)
	}
}

func (e *exercise) takesOrders(t *testing.T) {
	e.order(t, "180")
	soon(t, "the table orders", func() string { return e.stored(t) }, "3 5 180.00")
}

func (e *exercise) withoutBilling(t *testing.T) {
	e.billing.run(t, "stop", "billing-app")
	e.order(t, "250")
	time.Sleep(time.Second)
	if got := e.stored(t); got != "3 5 180.00" {
		t.Errorf("with billing stopped the table orders holds %s", got)
	}
	e.billing.run(t, "start", "billing-app")
	soon(t, "the table orders", func() string { return e.stored(t) }, "3 5 180.00, 3 5 250.00")
	e.answers(t)
}

// With the cable between gateway and inventory out, movies are refused in good
// time, and orders go on.
func (e *exercise) withoutInventory(t *testing.T) {
	heal := e.gateway.CutBoth(t, e.inventory.Host)
	cut := time.Now()
	e.order(t, "1")
	status, retry := e.status(t, "/api/movies")
	waited := time.Since(cut).Round(time.Millisecond)
	t.Logf("the first caller waited %s", waited)
	if status != "503 Service Unavailable" || retry == "" || waited > 2*dial.Unheard+5*time.Second {
		t.Errorf("movies answer %s, Retry-After %q, after %s", status, retry, waited)
	}
	asked := time.Now()
	if status, retry := e.status(t, "/api/movies"); status != "503 Service Unavailable" || retry == "" || time.Since(asked) > 5*time.Second {
		t.Errorf("then movies answer %s, Retry-After %q, after %s", status, retry, time.Since(asked))
	}
	e.order(t, "2")
	soon(t, "the table orders", func() string { return e.stored(t) }, "3 5 180.00, 3 5 250.00, 3 5 1.00, 3 5 2.00")
	heal()
	healed := time.Now()
	soon(t, "movies", func() string { s, _ := e.status(t, "/api/movies/1"); return s }, "200 OK")
	t.Logf("movies were there again after %s", time.Since(healed).Round(time.Millisecond))
}

// With the cable between billing and its database out, orders are taken and wait.
func (e *exercise) withoutBillingDatabase(t *testing.T) {
	before := e.stored(t)
	heal := e.billing.Cut(t, e.billingDB.Host)
	cut := time.Now()
	e.order(t, "3.50")
	status, retry := e.status(t, "/api/billing/orders")
	waited := time.Since(cut).Round(time.Millisecond)
	t.Logf("the first reader waited %s", waited)
	if status != "503 Service Unavailable" || retry == "" || waited > 2*dial.Unheard+5*time.Second {
		t.Errorf("orders answer %s, Retry-After %q, after %s", status, retry, waited)
	}
	e.order(t, "4")
	if got := e.stored(t); got != before {
		t.Errorf("without its database billing stored %s", got)
	}
	e.customer.ask(t, 200, "GET", "/api/movies", "")
	heal()
	healed := time.Now()
	soon(t, "the table orders", func() string { return e.stored(t) }, before+", 3 5 3.50, 3 5 4.00")
	t.Logf("the orders were there after %s", time.Since(healed).Round(time.Millisecond))
	e.answers(t)
}
