package billing_test

import (
	"context"
	"fmt"
	"net/http"
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

func post(t testing.TB, q queue.Queue, users ...string) {
	t.Helper()
	var messages []queue.Message
	for _, user := range users {
		messages = append(messages, queue.Message{Body: []byte(`{"user_id":"` + user + `","number_of_items":1,"total_amount":2}`)})
	}
	if err := q.Publish(t.Context(), billing.QueueName, messages...); err != nil {
		t.Fatal(err)
	}
}

func usersOf(orders []billing.Order) (users []string) {
	for _, o := range orders {
		users = append(users, o.UserID)
	}
	return users
}

// An account that is deleted takes its number from its orders, also from those
// that were still waiting, and from nobody else's.
func TestOrdersOfDeletedAccount(t *testing.T) {
	q := newQueue(t)
	s := newServiceIn(t, q, true)
	post(t, q, "7", "8", "7", "77", "07", "seven")
	work(t, s, q, 6)
	post(t, q, "8", "7", "9") // they wait
	for range 2 {
		billing.Delete(t, s, 7)
	}
	billing.Delete(t, s, 9)
	got := fmt.Sprint(usersOf(work(t, s, q, 9)))
	if want := "[deleted 8 deleted 77 07 seven 8 deleted deleted]"; got != want {
		t.Errorf("orders are of %s, want %s", got, want)
	}
	o, err := s.Order(t.Context(), 1)
	if want := (billing.Order{ID: 1, UserID: "deleted", NumberOfItems: 1, TotalAmount: 200}); err != nil || o != want {
		t.Errorf("%+v %v, want %+v", o, err, want)
	}
}

// Who kept an order of an account that is deleted since is not told that it is
// still the same.
func TestDeletedOrderIsAnother(t *testing.T) {
	q := newQueue(t)
	s := newServiceIn(t, q, true)
	post(t, q, "7")
	work(t, s, q, 1)
	api := apitest.New(t, func(api *httpapi.API) { billing.Routes(api.System(billing.System()), s) })
	kept := "If-None-Match: " + api.Do(t, "GET /api/billing/orders/1", "", "").Header().Get("ETag")
	if w := api.Do(t, "GET /api/billing/orders/1", "", kept); w.Code != http.StatusNotModified {
		t.Errorf("while it is the same: %d", w.Code)
	}
	billing.Delete(t, s, 7)
	if w := api.Do(t, "GET /api/billing/orders/1", "", kept); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"deleted"`) {
		t.Errorf("after its account was deleted: %d %s", w.Code, w.Body)
	}
}

// In open mode a user_id is any text, and no account's.
func TestOrdersStayInOpenMode(t *testing.T) {
	q := newQueue(t)
	s := newServiceIn(t, q, false)
	post(t, q, "7")
	work(t, s, q, 1)
	billing.Delete(t, s, 7)
	post(t, q, "7")
	if got := fmt.Sprint(usersOf(work(t, s, q, 2))); got != "[7 7]" {
		t.Errorf("orders are of %s", got)
	}
}

// linger has a server take its time between orders and their commit, so that the
// end of an account comes in between.
func linger(t testing.TB, db *database.DB) {
	t.Helper()
	for _, text := range []string{
		`CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END'`,
		`CREATE TRIGGER linger AFTER INSERT ON orders EXECUTE FUNCTION linger()`,
	} {
		stmt := db.Prepare(text)
		if err := db.Update(t.Context(), func(tx *database.Tx) error { return tx.Send(stmt) }); err != nil {
			t.Fatal(err)
		}
	}
}

// Orders pour in, for two processes that share a queue, while their account is
// deleted: none bears its number in the end.
func TestNoOrderOutlivesItsAccount(t *testing.T) {
	for round := range 5 {
		q := newQueue(t)
		here, there := dbtest.OpenTwice(t, "billing", billing.Migrations())
		if dbtest.Server(t) != "" {
			linger(t, here)
		}
		other, s := newServiceOn(t, here, q, true), newServiceOn(t, there, q, true)
		ctx, cancel := context.WithCancel(t.Context())
		var busy sync.WaitGroup
		for _, s := range []*billing.Service{other, s} {
			busy.Go(func() {
				if err := s.Work(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		const posted = 400
		for range 4 {
			busy.Go(func() {
				for range posted / 4 {
					post(t, q, "7", "8")
				}
			})
		}
		time.Sleep(time.Duration(round) * 3 * time.Millisecond)
		billing.Delete(t, s, 7)
		count := map[string]int{}
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			clear(count)
			for _, user := range usersOf(all(t, s)) {
				count[user]++
			}
			if count["7"]+count["8"]+count["deleted"] == 2*posted {
				break
			}
		}
		cancel()
		busy.Wait()
		if count["7"] != 0 || count["8"] != posted || count["deleted"] != posted {
			t.Fatalf("round %d: %v", round, count)
		}
	}
}

// Whose orders they were is not told to whoever signs in later.
func TestDeletedIsNobodysName(t *testing.T) {
	q := newQueue(t)
	s := newServiceIn(t, q, true)
	post(t, q, "7")
	work(t, s, q, 1)
	billing.Delete(t, s, 7)
	stranger := market.WithIdentity(t.Context(), market.Identity{User: 8, Protected: true})
	if _, err := s.Order(stranger, 1); market.KindOf(err) != market.Denied {
		t.Errorf("a stranger reads it: %v", err)
	}
	if _, err := s.Orders(stranger, "deleted", market.Page{}); market.KindOf(err) != market.Denied {
		t.Errorf("a stranger lists them: %v", err)
	}
}
