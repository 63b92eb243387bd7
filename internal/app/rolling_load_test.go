package app_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fleetLoad is callers who read and write at the same time. Nothing is sent
// twice: what fails is counted.
type fleetLoad struct {
	visitor
	client   *http.Client
	serial   atomic.Int64
	stopping chan struct{}
	callers  sync.WaitGroup

	mu       sync.Mutex
	answered map[string]int // by kind
	reads    int
	failed   []string
}

// fleetWrite is one kind of write: where, and what its n-th body is. Its rows are
// counted in a table of a service.
type fleetWrite struct {
	path    string
	body    func(n int64) string
	status  int
	service string
	count   string // of all of them, and of different ones
	pause   time.Duration
}

const betweenCalls = 10 * time.Millisecond

var fleetWrites = map[string]fleetWrite{
	"movies": {
		"/api/movies", func(n int64) string { return fmt.Sprintf(`{"title":"Film %d"}`, n) }, 200,
		"inventory", `SELECT count(*) || ' ' || count(DISTINCT title) FROM movies`, betweenCalls,
	},
	"coupons": {
		"/coupons", func(n int64) string { return fmt.Sprintf(`{"title":"Coupon %d"}`, n) }, 201,
		"coupons", `SELECT count(*) || ' ' || count(DISTINCT title) FROM coupons`, betweenCalls,
	},
	"bids": {
		"/api/v1/bids", func(n int64) string { return fmt.Sprintf(`{"bid":{"item":"item1","user":"user1","value":%d}}`, n) }, 201,
		"auctions", `SELECT count(*) || ' ' || count(DISTINCT value_cents) FROM bids`, betweenCalls,
	},
	"homes": {
		"/api/property/", func(n int64) string {
			return fmt.Sprintf(`{"name":"Home %d","description":"d","city":"Paris","typeId":1}`, n)
		}, 201,
		"property", `SELECT count(*) || ' ' || count(DISTINCT name) FROM properties`, betweenCalls,
	},
	"orders": {
		"/api/billing", func(n int64) string {
			return fmt.Sprintf(`{"user_id":"%d","number_of_items":"1","total_amount":"2.50"}`, n)
		}, 200,
		"billing", `SELECT count(*) || ' ' || count(DISTINCT user_id) FROM orders`, betweenCalls,
	},
	"purchases": {
		"/api/purchases", func(n int64) string { return fmt.Sprintf(`{"id":%d,"product_id":1,"username":"ann"}`, n) }, 201,
		"purchases", `SELECT count(*) || ' ' || count(DISTINCT id) FROM purchases`, betweenCalls,
	},
	"accounts": { // a password takes a processor's time
		"/api/user/", func(n int64) string { return account(strconv.FormatInt(n, 10)) }, 201,
		"accounts", `SELECT count(*) - 1 || ' ' || count(DISTINCT mail) - 1 FROM accounts`, 20 * betweenCalls,
	},
}

var fleetReads = []string{
	"/api/movies?limit=10", "/api/movies?title=film&limit=5", "/coupons/1", "/coupons?limit=10", "/api/v1/items/item1?winningOnly=1",
	"/api/v1/users?limit=10", "/api/property/1", "/api/property/?city=paris&limit=10", "/api/billing/orders?limit=10", "/api/users/ann",
	"/api/purchases/by_user/ann", "/api/recent_purchases/ann", "/api/user/1", "/.well-known/jwks.json", "/api/type/",
}

func account(who string) string {
	return `{"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":"` + who + `@example.org","password":"correct horse battery"}`
}

// newFleetLoad makes what the callers need.
func newFleetLoad(t *testing.T, base string) *fleetLoad {
	t.Helper()
	l := &fleetLoad{
		visitor: visitor{base: base}, stopping: make(chan struct{}), answered: map[string]int{},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 30 * time.Second},
	}
	t.Cleanup(l.client.CloseIdleConnections)
	l.ask(t, 201, "POST", "/api/user/", account("owner"))
	answer := l.ask(t, 200, "POST", "/api/user/auth", `{"mail":"owner@example.org","password":"correct horse battery"}`)
	l.token = field([]byte(answer), "access_token")
	l.ask(t, 201, "POST", "/api/type/", `{"name":"House","description":"a house"}`)
	l.ask(t, 201, "POST", "/api/v1/users", `{"name":"Albert"}`)
	l.ask(t, 201, "POST", "/api/v1/items", `{"item":{"name":"Violin"}}`)
	l.ask(t, 201, "POST", "/api/users", `{"username":"ann","email":"ann@example.org"}`)
	l.ask(t, 201, "POST", "/api/products", `{"id":1,"face":"(o)","size":2,"price":9}`)
	for _, kind := range []string{"coupons", "homes"} { // what is read by its id
		l.write(kind)
	}
	return l
}

// call makes one request, once: without GetBody the client does not repeat it
// either.
func (l *fleetLoad) call(method, path, body string, want int) bool {
	r, err := http.NewRequest(method, l.base+path, strings.NewReader(body))
	if err != nil {
		l.fail("%s %s: %v", method, path, err)
		return false
	}
	r.GetBody = nil
	r.Header.Set("Authorization", "Bearer "+l.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", fmt.Sprint("k", l.serial.Add(1)))
	}
	began := time.Now()
	resp, err := l.client.Do(r)
	if err != nil {
		l.fail("%s %s: %v", method, path, err)
		return false
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		l.fail("%s %s %s after %s: %d %s %v", method, path, body, time.Since(began).Round(time.Millisecond), resp.StatusCode, answer, err)
		return false
	}
	return true
}

func (l *fleetLoad) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, time.Now().Format("05.000 ")+fmt.Sprintf(format, args...))
}

// write makes the next write of a kind.
func (l *fleetLoad) write(kind string) {
	w := fleetWrites[kind]
	ok := l.call(http.MethodPost, w.path, w.body(l.serial.Add(1)), w.status)
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok {
		l.answered[kind]++
	}
}

// start lets two callers write each kind, and two read everything, until stop.
func (l *fleetLoad) start() {
	run := func(pause time.Duration, call func(n int)) {
		l.callers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-l.stopping:
					return
				case <-time.After(pause):
					call(n)
				}
			}
		})
	}
	for i := range 2 {
		for kind, w := range fleetWrites {
			run(w.pause, func(int) { l.write(kind) })
		}
		run(betweenCalls/2, func(n int) {
			if l.call(http.MethodGet, fleetReads[(n+i*7)%len(fleetReads)], "", http.StatusOK) {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.reads++
			}
		})
	}
}

func (l *fleetLoad) stop() {
	close(l.stopping)
	l.callers.Wait()
}

// report says how many requests there were, and which failed.
func (l *fleetLoad) report(t *testing.T) {
	t.Helper()
	writes := 0
	for _, n := range l.answered {
		writes += n
	}
	t.Logf("%d reads and %d writes were answered, %d failed", l.reads, writes, len(l.failed))
	for _, failed := range l.failed[:min(len(l.failed), 20)] {
		t.Error(failed)
	}
	if writes < 500 || l.reads < 100 {
		t.Errorf("only %d writes and %d reads: that is no load", writes, l.reads)
	}
}

// count looks for what was answered in the tables: each once, and nothing else.
func (l *fleetLoad) count(t *testing.T, f *fleet) {
	t.Helper()
	for _, kind := range slices.Sorted(maps.Keys(fleetWrites)) {
		w := fleetWrites[kind]
		n := fmt.Sprintf("%d %[1]d", l.answered[kind])
		if l.answered[kind] == 0 {
			t.Errorf("no %s were written", kind)
		}
		// Orders travel by queue.
		soon(t, kind, func() string { return look(t, f.server, f.databases[w.service], w.count) }, n)
	}
}
