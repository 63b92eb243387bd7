package faulttest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A caller waits a little between two writes, so that two processors carry the
// load of all of them, and between two attempts at one.
const (
	betweenWrites   = 10 * time.Millisecond
	betweenAttempts = 50 * time.Millisecond
	giveUpAfter     = 3 * time.Minute
)

// samplesKept is how many of the last writes of each kind are repeated at the end.
const samplesKept = 20

// load is callers who write through the gateway, each write with a key of its
// own and repeated until it is answered. It remembers what was answered.
type load struct {
	base, run string // run names everything that is written
	client    *http.Client
	token     string
	items     []string
	bidders   []string
	count     atomic.Int64
	repeats   atomic.Int64 // attempts at what was tried before
	refusals  atomic.Int64 // attempts that were answered with 503
	longest   atomic.Int64 // time that one attempt took, in nanoseconds
	stopped   atomic.Bool
	callers   sync.WaitGroup
	number    int // of callers
	began     time.Time

	mu       sync.Mutex
	answered map[string]map[string]string // by kind: the name of what was written, and its id
	times    map[string][]time.Time       // by kind: when it was answered
	gone     map[string]bool              // userIds of deleted accounts
	samples  map[string][]sample
	problems []string
}

// sample is a write that was answered, to be repeated.
type sample struct {
	path, body, key, token string
	status                 int
	answer                 []byte
}

// kinds are what is written all the time: one of each system at least.
var kinds = []string{"coupon", "bid", "home", "movie", "order", "purchase", "account"}

const password = "correct horse battery"

func newLoad(t *testing.T, base, run string) *load {
	t.Helper()
	l := &load{
		base: base, run: run,
		client:   &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: time.Minute},
		answered: map[string]map[string]string{}, times: map[string][]time.Time{},
		gone: map[string]bool{}, samples: map[string][]sample{},
	}
	t.Cleanup(l.client.CloseIdleConnections)
	for _, kind := range kinds {
		l.answered[kind] = map[string]string{}
	}
	l.signUp("owner")
	l.token = l.signIn("owner")
	l.write("", "/api/type/", `{"name":"house","description":"a house"}`, l.token, 201)
	for n := range 3 {
		l.items = append(l.items, l.field(l.write("", "/api/v1/items", fmt.Sprintf(`{"item":{"name":"%s item %d"}}`, run, n), "", 201), "item_id"))
		l.bidders = append(l.bidders, l.field(l.write("", "/api/v1/users", fmt.Sprintf(`{"name":"%s bidder %d"}`, run, n), "", 201), "user_id"))
	}
	l.write("", "/api/users", fmt.Sprintf(`{"username":%q,"email":"buyer@example.org"}`, run), "", 201)
	l.write("", "/api/products", fmt.Sprintf(`{"id":%d,"face":"( .-. )","size":20,"price":100}`, product(run)), "", 201)
	return l
}

// product is the id of a run's own product.
func product(run string) (id int) {
	for _, c := range run {
		id = id*31 + int(c)
	}
	return id&0xffffff + 1
}

// once makes one attempt. The answer counts only when it was read to its end.
func (l *load) once(method, path, body, key, token string) (int, http.Header, []byte, error) {
	r, err := http.NewRequest(method, l.base+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := l.client.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, answer, err
}

// ask makes a call until it is answered with something else than "come again".
func (l *load) ask(method, path, body, key, token string) (status int, answer []byte) {
	for began := time.Now(); ; time.Sleep(betweenAttempts) {
		sent := time.Now()
		status, header, answer, err := l.once(method, path, body, key, token)
		for took, most := int64(time.Since(sent)), l.longest.Load(); took > most && !l.longest.CompareAndSwap(most, took); {
			most = l.longest.Load()
		}
		switch {
		case err != nil:
		case status == http.StatusServiceUnavailable:
			l.refusals.Add(1)
			if header.Get("Retry-After") == "" || header.Get("Content-Type") != "application/problem+json" {
				l.problem("%s %s: a 503 that does not say when to come again: %v %s", method, path, header, answer)
			}
		case status >= 500:
			l.problem("%s %s %s: %d %s", method, path, body, status, answer)
		default:
			return status, answer
		}
		if time.Since(began) > giveUpAfter {
			l.problem("%s %s %s was never answered: %d %s %v", method, path, body, status, answer, err)
			return 0, nil
		}
		l.repeats.Add(1)
	}
}

// write posts with a key of its own, and wants one status.
func (l *load) write(kind, path, body, token string, want int) []byte {
	key := fmt.Sprintf("%s-%d", l.run, l.count.Add(1))
	status, answer := l.ask(http.MethodPost, path, body, key, token)
	if status != want {
		if status != 0 {
			l.problem("POST %s %s: %d %s", path, body, status, answer)
		}
		return nil
	}
	if kind != "" {
		l.mu.Lock()
		defer l.mu.Unlock()
		kept := l.samples[kind]
		l.samples[kind] = append(kept[max(0, len(kept)-samplesKept):], sample{path, body, key, token, status, answer})
	}
	return answer
}

// note remembers that a write was answered.
func (l *load) note(kind, name, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered[kind][name] = id
	l.times[kind] = append(l.times[kind], time.Now())
}

func (l *load) problem(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

// field is one member of a JSON object, as text.
func (l *load) field(answer []byte, name string) string {
	if answer == nil {
		return ""
	}
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	if err := d.Decode(&object); err != nil || object[name] == nil {
		l.problem("no %s in %s: %v", name, answer, err)
		return ""
	}
	return fmt.Sprint(object[name])
}

func (l *load) mail(who string) string { return l.run + "." + who + "@example.org" }

func (l *load) signUp(who string) (id string) {
	body := fmt.Sprintf(`{"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":%q,"password":%q}`, l.mail(who), password)
	return l.field(l.write("account", "/api/user/", body, "", 201), "userId")
}

func (l *load) signIn(who string) (token string) {
	status, answer := l.ask(http.MethodPost, "/api/user/auth", fmt.Sprintf(`{"mail":%q,"password":%q}`, l.mail(who), password), "", "")
	if status != http.StatusOK {
		l.problem("sign in as %s: %d %s", who, status, answer)
		return ""
	}
	return l.field(answer, "access_token")
}

// start lets callers write until stop.
func (l *load) start(each int) {
	l.began = time.Now()
	for _, kind := range kinds {
		callers, pause := each, betweenWrites
		if kind == "account" { // a password takes a processor's time
			callers, pause = 1, 10*betweenWrites
		}
		l.number += callers
		for range callers {
			l.callers.Go(func() {
				for !l.stopped.Load() {
					l.one(kind, int(l.count.Add(1)))
					time.Sleep(pause)
				}
			})
		}
	}
}

// one makes one write of a kind.
func (l *load) one(kind string, n int) {
	name := fmt.Sprintf("%s %d", l.run, n)
	var id string
	switch kind {
	case "coupon":
		id = l.field(l.write(kind, "/coupons", fmt.Sprintf(`{"title":%q}`, name), "", 201), "id")
	case "movie":
		id = l.field(l.write(kind, "/api/movies", fmt.Sprintf(`{"title":%q}`, name), "", 200), "id")
	case "bid":
		body := fmt.Sprintf(`{"bid":{"item":%q,"value":%d.25,"user":%q}}`, l.items[n%3], n, l.bidders[n%2])
		name, id = fmt.Sprintf("%d.25", n), l.field(l.write(kind, "/api/v1/bids", body, "", 201), "bid_id")
	case "home":
		id = l.field(l.write(kind, "/api/property/", fmt.Sprintf(`{"name":%q,"description":"d","city":"Paris","typeId":1}`, name), l.token, 201), "propertyId")
	case "order":
		id = l.field(l.write(kind, "/api/billing", fmt.Sprintf(`{"user_id":%q,"number_of_items":"5","total_amount":"180.5"}`, name), "", 200), "message")
	case "purchase":
		var made struct{ Purchase json.RawMessage }
		if answer := l.write(kind, "/api/purchases", fmt.Sprintf(`{"product_id":%d,"username":%q}`, product(l.run), l.run), "", 201); answer != nil {
			_ = json.Unmarshal(answer, &made)
			id = l.field(made.Purchase, "id")
		}
		name = id
	case "account":
		who := strconv.Itoa(n)
		name, id = l.mail(who), l.signUp(who)
		if n%4 == 0 {
			l.leave(who, id)
			return
		}
	}
	if id != "" {
		l.note(kind, name, id)
	}
}

// leave deletes an account that has a home.
func (l *load) leave(who, id string) {
	token := l.signIn(who)
	l.write("", "/api/property/", fmt.Sprintf(`{"name":"%s of %s","description":"d","city":"Lyon","typeId":1}`, l.run, id), token, 201)
	status, answer := l.ask(http.MethodDelete, "/api/user/"+id, "", "", token)
	switch status {
	case 200, 401, 404: // a repeat finds it gone
		l.mu.Lock()
		defer l.mu.Unlock()
		l.gone[id] = true
	default:
		l.problem("delete account %s: %d %s", id, status, answer)
	}
}

// stop lets each caller finish what it began.
func (l *load) stop() {
	l.stopped.Store(true)
	l.callers.Wait()
}

// recovered says how long after a moment every kind of write was answered within
// one second; false while it was not.
func (l *load) recovered(after time.Time) (took time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := map[string]time.Time{}
	next := map[string]int{}
	for {
		// The earliest answer of all that was not looked at.
		kind := ""
		for _, k := range kinds {
			if next[k] < len(l.times[k]) && (kind == "" || l.times[k][next[k]].Before(l.times[kind][next[kind]])) {
				kind = k
			}
		}
		if kind == "" {
			return 0, false
		}
		at := l.times[kind][next[kind]]
		next[kind]++
		if at.Before(after) {
			continue
		}
		last[kind] = at
		all := len(last) == len(kinds)
		for _, t := range last {
			all = all && at.Sub(t) < time.Second
		}
		if all {
			return at.Sub(after), true
		}
	}
}

// readers ask for recent purchases until the context ends, and give how many
// were not answered well.
func (l *load) readers(ctx context.Context) (wait func() (all, failed int64)) {
	var all, failed atomic.Int64
	var readers sync.WaitGroup
	readers.Go(func() {
		for ctx.Err() == nil {
			status, _, answer, err := l.once(http.MethodGet, "/api/recent_purchases/"+l.run, "", "", "")
			all.Add(1)
			if err != nil || status != http.StatusOK {
				if failed.Add(1) == 1 {
					l.mu.Lock()
					l.samples["first failed read"] = []sample{{status: status, answer: append(answer, fmt.Sprint(err)...)}}
					l.mu.Unlock()
				}
			}
			time.Sleep(betweenWrites)
		}
	})
	return func() (int64, int64) { readers.Wait(); return all.Load(), failed.Load() }
}
