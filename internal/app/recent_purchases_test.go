package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"emporium/internal/app"
	"emporium/internal/market"
	"emporium/internal/platform/cache"
	"emporium/internal/platform/cache/cachetest"
	"emporium/internal/popular"
	"emporium/internal/purchases"
)

// foreign is a data API that somebody else has written: it knows two users, of
// which one has a name that must be escaped, answers 404 for an empty list, and
// counts what it is asked for.
type foreign struct {
	mu    sync.Mutex
	asked map[string]int
	wait  time.Duration
	down  bool

	every  int // of so many requests one fails; 0: none
	since  int // the last that did
	failed map[string]int
}

func (f *foreign) failEvery(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.every = n
}

// failures are how often each address was asked for and failed.
func (f *foreign) failures() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.failed)
}

// fails notes a request, and says whether it is one that fails.
func (f *foreign) fails(address string) (down bool, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[address]++
	down = f.down
	if f.since++; f.every > 0 && f.since >= f.every {
		f.since, down = 0, true
	}
	if down {
		f.failed[address]++
	}
	return down, f.wait
}

// buyersOf says how many purchases each product has; the user bought 1 to 3 last.
var buyersOf = map[int]int{1: 3, 2: 1250, 3: 3}

const odd = "évry/%2F ?"

func (f *foreign) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	down, wait := f.fails(r.URL.RequestURI())
	time.Sleep(wait)
	if down {
		http.Error(w, "down", http.StatusInternalServerError)
		return
	}
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	skip, _ := strconv.Atoi(r.URL.Query().Get("skip"))
	var answer any
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/api/"), "/")
	switch last := r.PathValue("last"); {
	case parts[0] == "users" && last == "hollow":
		answer = map[string]any{}
	case parts[0] == "users" && (last == "ann" || last == odd):
		answer = map[string]any{"user": map[string]any{"username": last, "email": "x@example.com"}}
	case parts[0] == "products" && last != "":
		id, _ := strconv.Atoi(last)
		answer = map[string]any{"product": map[string]any{"id": id, "face": "。◕‿◕。", "size": float64(20 + id), "price": 100 * id}}
	case parts[0] == "purchases" && parts[1] == "by_user" && last == "ann":
		answer = map[string]any{"purchases": rows(3, 0, limit, func(i int) (int, string) { return i + 1, last })}
	case parts[0] == "purchases" && parts[1] == "by_product":
		id, _ := strconv.Atoi(last)
		answer = map[string]any{"purchases": rows(buyersOf[id], skip, limit, func(i int) (int, string) { return id, fmt.Sprint("buyer", i) })}
	default:
		http.NotFound(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func rows(all, skip, limit int, row func(i int) (product int, username string)) []map[string]any {
	list := []map[string]any{}
	for i := skip; i < min(all, skip+limit); i++ {
		product, username := row(i)
		list = append(list, map[string]any{"id": 1000*product + i, "product_id": product, "username": username, "date": "last week"})
	}
	return list
}

func (f *foreign) set(wait time.Duration, down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wait, f.down = wait, down
}

// startForeign starts a foreign data API and gives its address.
func startForeign(t *testing.T) (*foreign, string) {
	t.Helper()
	f := &foreign{asked: map[string]int{}, failed: map[string]int{}}
	mux := http.NewServeMux()
	mux.Handle("GET /api/users/{last}", f)
	mux.Handle("GET /api/products/{last}", f)
	mux.Handle("GET /api/purchases/by_user/{last}", f)
	mux.Handle("GET /api/purchases/by_product/{last}", f)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return f, server.URL
}

// foreignShop starts a foreign data API and recent purchases that read it.
func foreignShop(t *testing.T) (*foreign, *popular.Service, *cachetest.Clock) {
	t.Helper()
	f, address := startForeign(t)
	clock := &cachetest.Clock{}
	kept, err := cache.NewMemory(cache.MemoryOptions{Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	client, err := purchases.NewClient(purchases.ClientOptions{URL: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	service, err := popular.New(popular.Options{Purchases: client, Cache: kept})
	if err != nil {
		t.Fatal(err)
	}
	return f, service, clock
}

// TestRecentPurchasesOfForeignServer has many callers ask at once over HTTP.
func TestRecentPurchasesOfForeignServer(t *testing.T) {
	f, service, _ := foreignShop(t)
	f.set(20*time.Millisecond, false)
	var callers sync.WaitGroup
	for range 100 {
		callers.Go(func() {
			answer, err := service.Answer(t.Context(), "ann")
			var got []popular.Product
			if err == nil {
				err = json.Unmarshal(answer, &got)
			}
			if err != nil || len(got) != 3 || got[0].ID != 2 || len(got[0].Recent) != 1250 || got[1].ID != 1 || got[2].ID != 3 ||
				got[2].Face != "。◕‿◕。" || got[2].Size != 23 || got[2].Price != 300 {
				t.Errorf("got %.200s, %v", answer, err)
			}
		})
	}
	callers.Wait()
	for _, address := range []string{
		"/api/users/ann", "/api/purchases/by_user/ann?limit=5", "/api/products/1", "/api/products/2", "/api/products/3",
		"/api/purchases/by_product/1?limit=1000", "/api/purchases/by_product/2?limit=1000",
		"/api/purchases/by_product/2?limit=1000&skip=1000", "/api/purchases/by_product/3?limit=1000",
	} {
		if n := f.asked[address]; n != 1 {
			t.Errorf("asked for %s %d times, want once", address, n)
		}
		delete(f.asked, address)
	}
	if len(f.asked) > 0 {
		t.Errorf("asked for more: %v", f.asked)
	}
}

// TestRecentPurchasesOfNobody covers the two ways to say that a user is unknown,
// and a name that must be escaped.
func TestRecentPurchasesOfNobody(t *testing.T) {
	_, service, _ := foreignShop(t)
	for _, name := range []string{"absent", "hollow", "a%2Fb", ".."} {
		_, err := service.Answer(t.Context(), name)
		if market.KindOf(err) != market.NotFound || err.Error() != "User with username of '"+name+"' was not found" {
			t.Errorf("%q: %v", name, err)
		}
	}
	if answer, err := service.Answer(t.Context(), odd); err != nil || string(answer) != "[]" {
		t.Errorf("%q: %s, %v; want none", odd, answer, err)
	}
}

func TestRecentPurchasesWhileDataAPIIsDown(t *testing.T) {
	f, service, clock := foreignShop(t)
	before, err := service.Answer(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	f.set(0, true)
	for _, pass := range []time.Duration{0, 2 * time.Hour} {
		clock.Pass(pass)
		if after, err := service.Answer(t.Context(), "ann"); err != nil || string(after) != string(before) {
			t.Errorf("after %s: %.100s, %v", pass, after, err)
		}
	}
	if _, err := service.Answer(t.Context(), odd); market.KindOf(err) != market.Unavailable {
		t.Errorf("what is not cached: %v, want unavailable", err)
	}
	f.set(0, false)
	if _, err := service.Answer(t.Context(), odd); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

// TestDataAPIIsASetting has the whole program read its own data API, which shows
// each write at once, and one that is named, which knows other users.
func TestDataAPIIsASetting(t *testing.T) {
	recent := func(a *app.App, username string) (int, string) {
		w := send(a, http.MethodGet, "/api/recent_purchases/"+username, nil, "", "")
		return w.Code, w.Body.String()
	}
	own, _ := openShop(t)
	for n, want := range []string{
		`[{"id":1,"face":"(-_-)","price":100,"size":20,"recent":["buyer"]}]`,
		`[{"id":1,"face":"(-_-)","price":100,"size":20,"recent":["other","buyer"]}]`,
	} {
		if status, got := recent(own, "buyer"); status != http.StatusOK || got != want {
			t.Errorf("write %d: %d %s, want %s", n, status, got, want)
		}
		send(own, http.MethodPost, "/api/users", strings.NewReader(`{"username":"other","email":"o@example.org"}`), "", "application/json")
		send(own, http.MethodPost, "/api/purchases", strings.NewReader(`{"product_id":1,"username":"other"}`), "", "application/json")
	}
	if status, _ := recent(own, "ann"); status != http.StatusNotFound {
		t.Errorf("a user of another shop: %d", status)
	}

	_, elsewhere := startForeign(t)
	named, _ := openShop(t, func(c *app.Config) { c.Popular.DataURL = elsewhere })
	if status, got := recent(named, "ann"); status != http.StatusOK || !strings.Contains(got, "buyer1249") {
		t.Errorf("a user of the named shop: %d %.100s", status, got)
	}
	if status, _ := recent(named, "buyer"); status != http.StatusNotFound {
		t.Errorf("a user of this shop: %d", status)
	}
}
