package billing_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"emporium/internal/billing"
	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/apitest"
	"emporium/internal/platform/queue"
)

func newQueue(t testing.TB) queue.Queue {
	t.Helper()
	q, err := queue.OpenSQLite(t.Context(), queue.SQLiteOptions{Path: filepath.Join(t.TempDir(), "queue.db"), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func newService(t testing.TB, q queue.Queue) *billing.Service {
	t.Helper()
	return newServiceIn(t, q, false)
}

func newServiceIn(t testing.TB, q queue.Queue, protected bool) *billing.Service {
	t.Helper()
	return newServiceOn(t, dbtest.Open(t, "billing", billing.Migrations()), q, protected)
}

func newServiceOn(t testing.TB, db *database.DB, q queue.Queue, protected bool) *billing.Service {
	t.Helper()
	s, err := billing.New(billing.Options{DB: db, Queue: q, Protected: protected})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// work lets the service work off until so many orders are there and nothing
// waits any more.
func work(t testing.TB, s *billing.Service, q queue.Queue, want int) []billing.Order {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.Work(ctx); err != nil {
			t.Error(err)
		}
	})
	defer done.Wait()
	defer cancel()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		stats, err := q.Stats(ctx, billing.QueueName)
		if err != nil {
			t.Fatal(err)
		}
		orders := all(t, s)
		if stats.Depth == 0 && len(orders) >= want {
			return orders
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d orders, want %d; %d wait", len(orders), want, stats.Depth)
		}
	}
}

func all(t testing.TB, s *billing.Service) (orders []billing.Order) {
	t.Helper()
	list, err := s.Orders(t.Context(), "", market.Page{})
	if err != nil {
		t.Fatal(err)
	}
	for o, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		orders = append(orders, o)
	}
	return orders
}

// newAPI is both halves, with three orders worked off.
func newAPI(t *testing.T) *apitest.API {
	t.Helper()
	q := newQueue(t)
	s := newService(t, q)
	for n := range 3 {
		body := fmt.Sprintf(`{"user_id":"%d","number_of_items":%d,"total_amount":"%d.5"}`, n%2+1, n+1, n)
		if err := q.Publish(t.Context(), billing.QueueName, queue.Message{Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	work(t, s, q, 3)
	return apitest.New(t, func(api *httpapi.API) {
		billing.Routes(api.System(billing.System()), s)
		billing.IntakeRoutes(api.System(billing.System()), billing.NewIntake(q))
	})
}

func TestBilling(t *testing.T) {
	post := func(name, body string) apitest.Case {
		return apitest.Case{Name: name, Call: "POST /api/billing", Body: body}
	}
	apitest.Run(t, newAPI, "testdata/billing.golden", []apitest.Case{
		// what works
		post("post, numbers in strings", `{"user_id": "3", "number_of_items": "5", "total_amount": "180"}`),
		post("post, numbers as numbers", `{"user_id":"3","number_of_items":5,"total_amount":180.25}`),
		post("post with a number for the user", `{"user_id":3,"number_of_items":5,"total_amount":180}`),
		post("post with other fields", `{"user_id":"3","number_of_items":5,"total_amount":0,"coupon":{"id":7}}`),
		{Name: "post with a slash", Call: "POST /api/billing/", Body: `{"user_id":"3","number_of_items":"1","total_amount":"999999999999.99"}`},
		{Name: "list", Call: "GET /api/billing/orders"},
		{Name: "list of one user", Call: "GET /api/billing/orders?user_id=1"},
		{Name: "list of a user without orders", Call: "GET /api/billing/orders?user_id=7"},
		{Name: "first page", Call: "GET /api/billing/orders?limit=2"},
		{Name: "get", Call: "GET /api/billing/orders/2"},
		// 400: what billing could never store
		post("no user", `{"number_of_items":"5","total_amount":"180"}`),
		post("empty user", `{"user_id":"","number_of_items":"5","total_amount":"180"}`),
		post("no items", `{"user_id":"3","number_of_items":"0","total_amount":"180"}`),
		post("half an item", `{"user_id":"3","number_of_items":"1.5","total_amount":"180"}`),
		post("three decimals", `{"user_id":"3","number_of_items":"5","total_amount":"180.001"}`),
		post("negative amount", `{"user_id":"3","number_of_items":"5","total_amount":-0.01}`),
		post("too large an amount", `{"user_id":"3","number_of_items":"5","total_amount":1000000000000}`),
		post("an amount beyond floating point", `{"user_id":"3","number_of_items":"5","total_amount":1e309}`),
		post("not a number", `{"user_id":"3","number_of_items":"five","total_amount":"NaN"}`),
		post("everything wrong", `{"user_id":true,"number_of_items":null}`),
		{Name: "bad id", Call: "GET /api/billing/orders/abc"},
		// the rest
		{Name: "get what is not there", Call: "GET /api/billing/orders/4"},
		{Name: "billing itself cannot be read", Call: "GET /api/billing"},
		{Name: "a text body", Call: "POST /api/billing", Body: `{}`, Header: "Content-Type: text/plain"},
	})
}

// The message is the body, compact, with its keys in their order, its values as
// they were sent and whatever else it carries.
func TestMessageIsTheBody(t *testing.T) {
	q := newQueue(t)
	api := apitest.New(t, func(api *httpapi.API) {
		billing.IntakeRoutes(api.System(billing.System()), billing.NewIntake(q))
	})
	w := api.Do(t, "POST /api/billing", `{ "total_amount" : "180.50",
		"extra" : [1, 2.0, "\u00e9"], "number_of_items": 5e0, "user_id":"3" }`, "")
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := q.Consume(ctx, queue.ConsumeOptions{Queue: billing.QueueName}, func(_ context.Context, batch []*queue.Delivery) error {
		const want = `{"total_amount":"180.50","extra":[1,2.0,"\u00e9"],"number_of_items":5e0,"user_id":"3"}`
		if got := string(batch[0].Body); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if batch[0].ID == "" {
			t.Error("the message has no id")
		}
		cancel()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// While the queue takes nothing, nothing is claimed; when it does again, only
// what was answered with success is there.
func TestQueueDown(t *testing.T) {
	q := newQueue(t)
	s := newService(t, q)
	down := &brokenQueue{Queue: q}
	api := apitest.New(t, func(api *httpapi.API) {
		billing.IntakeRoutes(api.System(billing.System()), billing.NewIntake(down))
	})
	const order = `{"user_id":"3","number_of_items":5,"total_amount":1}`
	for _, c := range []struct {
		broken bool
		status int
	}{{true, 503}, {false, 200}, {true, 503}} {
		down.broken = c.broken
		w := api.Do(t, "POST /api/billing", order, "")
		if w.Code != c.status || (c.status == 503) != (w.Header().Get("Retry-After") != "") || strings.Contains(w.Body.String(), "posted") == c.broken {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
	}
	if orders := work(t, s, q, 1); len(orders) != 1 {
		t.Errorf("orders are %+v", orders)
	}
}

// brokenQueue refuses messages as a queue does whose disk is full.
type brokenQueue struct {
	queue.Queue
	broken bool
}

func (q *brokenQueue) Publish(ctx context.Context, name queue.Name, messages ...queue.Message) error {
	if q.broken {
		return market.Refuse(market.Unavailable, "queue_unavailable", "the message queue cannot take messages for now")
	}
	return q.Queue.Publish(ctx, name, messages...)
}

// A message that comes again is stored once; messages without an id are each an
// order; what can never be stored goes aside and blocks nothing.
func TestWork(t *testing.T) {
	q := newQueue(t)
	s := newService(t, q)
	good := []byte(`{"user_id":3,"number_of_items":"5","total_amount":250,"else":1}`)
	messages := []queue.Message{
		{ID: "a", Body: good},
		{ID: "a", Body: good},
		{Body: good},
		{Body: good},
		{ID: "string", Body: []byte(`"{\"user_id\":\"4\",\"number_of_items\":1,\"total_amount\":0}"`)},
	}
	var dead []string
	for _, body := range []string{`not JSON`, `{}`, `{"user_id":"3","number_of_items":5,"total_amount":1.005}`, `{"user_id":"","number_of_items":5,"total_amount":1}`, "{\"user_id\":\"\x00\"}", "\xff\xfe", ``} {
		messages = append(messages, queue.Message{ID: fmt.Sprint("dead ", len(dead)), Body: []byte(body)})
		dead = append(dead, body)
	}
	messages = append(messages, queue.Message{ID: "last", Body: good})
	if err := q.Publish(t.Context(), billing.QueueName, messages...); err != nil {
		t.Fatal(err)
	}
	orders := work(t, s, q, 5)
	if len(orders) != 5 || orders[0].UserID != "3" || orders[0].TotalAmount != 25000 || orders[0].NumberOfItems != 5 {
		t.Errorf("orders are %+v", orders)
	}
	if err := q.Publish(t.Context(), billing.QueueName, queue.Message{ID: "a", Body: good}); err != nil {
		t.Fatal(err)
	}
	if orders = work(t, s, q, 5); len(orders) != 5 {
		t.Errorf("a message that came again later was stored again: %d orders", len(orders))
	}
	stats, err := q.Stats(t.Context(), billing.QueueName)
	if err != nil || stats.Dead != len(dead) {
		t.Errorf("%d dead letters, want %d (%v)", stats.Dead, len(dead), err)
	}
}

// Whatever of a batch was stored before, or is in it twice, is stored once, and in
// the order of the messages.
func TestWorkStoresWhatIsNewInABatch(t *testing.T) {
	q := newQueue(t)
	s := newService(t, q)
	message := func(id string, user int) queue.Message {
		return queue.Message{ID: id, Body: fmt.Appendf(nil, `{"user_id":%d,"number_of_items":1,"total_amount":1}`, user)}
	}
	var want []string
	for round := range 3 {
		var messages []queue.Message
		for n := range 700 {
			user := round*1000 + n
			messages = append(messages, message(fmt.Sprint("m", user), user))
			want = append(want, strconv.Itoa(user))
			switch n % 50 {
			case 1: // it comes twice
				messages = append(messages, message(fmt.Sprint("m", user), user))
			case 2: // it came before, in the same batch, or in an earlier round
				messages = append(messages, message("m0", 0))
			case 3:
				messages = append(messages, message("", user+10_000))
				want = append(want, strconv.Itoa(user+10_000))
			}
		}
		if err := q.Publish(t.Context(), billing.QueueName, messages...); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range work(t, s, q, len(want)) {
			got = append(got, o.UserID)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("round %d: %d orders, not the %d in their order", round, len(got), len(want))
		}
	}
}

// Many repeats of one request are one order.
func TestOneOrderPerKey(t *testing.T) {
	q := newQueue(t)
	s := newService(t, q)
	intake := billing.NewIntake(q)
	draft := billing.Draft{UserID: "3", NumberOfItems: "5", TotalAmount: "180", Body: []byte(`{"user_id":"3","number_of_items":"5","total_amount":"180"}`)}
	var callers sync.WaitGroup
	for range 32 {
		callers.Go(func() {
			for _, caller := range []string{"anyone", "user:7"} {
				ctx := market.WithOnceKey(t.Context(), market.OnceKey{Key: "k", Caller: caller, Operation: "post-order"})
				if err := intake.PostOrder(ctx, draft); err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	if orders := work(t, s, q, 2); len(orders) != 2 {
		t.Errorf("%d orders, want one for each of the two callers", len(orders))
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, s := range []string{`{"user_id":"3","number_of_items":"5","total_amount":"180"}`, `{"user_id":3,"number_of_items":5.0,"total_amount":1e2}`, `"{}"`, `[]`, "", "\x00", `{"user_id":"3","number_of_items":1e99,"total_amount":-0}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := billing.ParseMessage(body)
		if err != nil {
			return
		}
		if o.UserID == "" || o.NumberOfItems < 1 || o.TotalAmount < 0 || o.TotalAmount >= 1e14 {
			t.Errorf("%q gave %+v", body, o)
		}
	})
}
