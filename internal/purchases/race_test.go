package purchases_test

import (
	"net/http"
	"sync"
	"testing"

	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/apitest"
	"emporium/internal/purchases"
)

// TestOneOfMany has 64 callers ask for the same thing at once: one gets it. With
// one Idempotency-Key all of them get the same answer, and one thing is made.
func TestOneOfMany(t *testing.T) {
	const callers = 64
	for _, c := range []struct{ call, body string }{
		{"POST /api/users", `{"username":"bob","email":"bob@example.com"}`},
		{"POST /api/products", `{"id":50,"face":"x","size":1,"price":1}`},
		{"POST /api/purchases", `{"id":50,"product_id":7,"username":"Ann"}`},
	} {
		for header, want := range map[string]map[int]int{
			"":                     {http.StatusCreated: 1, http.StatusConflict: callers - 1},
			"Idempotency-Key: one": {http.StatusCreated: callers},
		} {
			t.Run(c.call+header, func(t *testing.T) {
				api := newAPI(t)
				got, bodies := ask(t, api, callers, c.call, c.body, header)
				for status, n := range want {
					if got[status] != n {
						t.Errorf("got %v, want %v", got, want)
					}
				}
				if header != "" && len(bodies) != 1 {
					t.Errorf("got %d different answers, want one: %v", len(bodies), bodies)
				}
			})
		}
	}
}

// TestIDsAreGivenOnce has callers add purchases with and without ids of their own.
func TestIDsAreGivenOnce(t *testing.T) {
	const callers = 64
	service := newService(t, nil)
	fill(t, service)
	api := apitest.New(t, func(api *httpapi.API) { purchases.Routes(api.System(purchases.System()), service) })
	var all sync.WaitGroup
	for _, body := range []string{`{"product_id":3,"username":"zoe"}`, `{"id":1000,"product_id":3,"username":"zoe"}`} {
		all.Go(func() { ask(t, api, callers, "POST /api/purchases", body, "") })
	}
	all.Wait()
	rows, err := service.ByProduct(t.Context(), 3, 0, 1000)
	if err != nil || len(rows) != callers+2 {
		t.Fatalf("%d purchases, %v; want %d", len(rows), err, callers+2)
	}
	seen := map[int64]bool{}
	for i, row := range rows {
		if seen[row.ID] {
			t.Errorf("two purchases have the id %d", row.ID)
		}
		seen[row.ID] = true
		if i > 0 && rows[i-1].Date == row.Date && rows[i-1].ID < row.ID {
			t.Errorf("of one date, %d came before %d", rows[i-1].ID, row.ID)
		}
	}
}

// ask makes one call from many callers at once and counts the statuses and the
// bodies of success.
func ask(t *testing.T, api *apitest.API, callers int, call, body, header string) (statuses map[int]int, bodies map[string]int) {
	t.Helper()
	statuses, bodies = map[int]int{}, map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	start := make(chan struct{})
	for range callers {
		all.Go(func() {
			<-start
			w := api.Do(t, call, body, header)
			mu.Lock()
			defer mu.Unlock()
			statuses[w.Code]++
			if w.Code < 300 {
				bodies[w.Body.String()]++
			}
		})
	}
	close(start)
	all.Wait()
	return statuses, bodies
}
