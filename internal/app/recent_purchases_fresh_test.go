package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/platform/cache"
	"emporium/internal/platform/cache/cachetest"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/apitest"
	"emporium/internal/popular"
	"emporium/internal/purchases"
)

// megastore is the data API and recent purchases with one cache, as they are in
// one process.
func megastore(t *testing.T) *apitest.API {
	t.Helper()
	clock := &cachetest.Clock{}
	kept, err := cache.NewMemory(cache.MemoryOptions{Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	data, err := purchases.New(purchases.Options{
		DB: dbtest.Open(t, "purchases", purchases.Migrations()), Now: time.Now, Drop: kept.Drop,
	})
	if err != nil {
		t.Fatal(err)
	}
	recent, err := popular.New(popular.Options{Purchases: data, Cache: kept})
	if err != nil {
		t.Fatal(err)
	}
	return apitest.New(t, func(api *httpapi.API) {
		purchases.Routes(api.System(purchases.System()), data)
		popular.Routes(api.System(popular.System()), recent)
	})
}

func add(t *testing.T, api *apitest.API, call, body string, args ...any) {
	t.Helper()
	if w := api.Do(t, call, fmt.Sprintf(body, args...), ""); w.Code != http.StatusCreated {
		t.Fatalf("%s: %d %s", call, w.Code, w.Body)
	}
}

// summary is who bought what: "2: ann bob, 1: ann".
func summary(t *testing.T, api *apitest.API, username string) string {
	t.Helper()
	w := api.Do(t, "GET /api/recent_purchases/"+url.PathEscape(username), "", "")
	if w.Code == http.StatusNotFound {
		return "unknown"
	}
	var products []popular.Product
	if err := json.Unmarshal(w.Body.Bytes(), &products); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	all := []string{}
	for _, p := range products {
		slices.Sort(p.Recent)
		all = append(all, fmt.Sprintf("%d: %s", p.ID, strings.Join(p.Recent, " ")))
	}
	return strings.Join(all, ", ")
}

// TestNextReadShowsWrite: every answer is cached for an hour, and yet after each
// write the next one shows it.
func TestNextReadShowsWrite(t *testing.T) {
	api := megastore(t)
	user := func(name string) func() {
		return func() { add(t, api, "POST /api/users", `{"username":%q,"email":"x@example.com"}`, name) }
	}
	product := func(id int) func() {
		return func() { add(t, api, "POST /api/products", `{"id":%d,"face":"x","size":1,"price":1}`, id) }
	}
	buy := func(product int, name, date string) func() {
		return func() {
			add(t, api, "POST /api/purchases", `{"product_id":%d,"username":%q,"date":%q}`, product, name, date)
		}
	}
	for i, step := range []struct {
		write func()
		want  map[string]string
	}{
		{func() {}, map[string]string{"ann": "unknown", "b/b": "unknown"}},
		{user("ann"), map[string]string{"ann": "", "b/b": "unknown"}},
		{product(1), map[string]string{"ann": "", "b/b": "unknown"}},
		{user("b/b"), map[string]string{"ann": "", "b/b": ""}},
		{buy(1, "ann", "2016-01-01T00:00:00Z"), map[string]string{"ann": "1: ann", "b/b": ""}},
		{product(2), map[string]string{"ann": "1: ann", "b/b": ""}},
		{buy(2, "ann", "2016-01-02T00:00:00Z"), map[string]string{"ann": "2: ann, 1: ann", "b/b": ""}},
		{buy(1, "b/b", "2016-01-01T00:00:00Z"), map[string]string{"ann": "1: ann b/b, 2: ann", "b/b": "1: ann b/b"}},
		{buy(2, "b/b", "2015-01-01T00:00:00Z"), map[string]string{"ann": "2: ann b/b, 1: ann b/b", "b/b": "1: ann b/b, 2: ann b/b"}},
		{buy(2, "b/b", "2014-01-01T00:00:00Z"), map[string]string{"ann": "2: ann b/b, 1: ann b/b", "b/b": "2: ann b/b, 1: ann b/b"}},
	} {
		step.write()
		for range 2 { // the second is from the cache
			for name, want := range step.want {
				if got := summary(t, api, name); got != want {
					t.Errorf("step %d: %s has %q, want %q", i, name, got, want)
				}
			}
		}
	}
}

// TestReadersNeverGoBack has readers ask while purchases are made: whoever asks
// after a purchase was answered sees it, though loads were under way all the time.
func TestReadersNeverGoBack(t *testing.T) {
	api := megastore(t)
	const buyers = 60
	add(t, api, "POST /api/products", `{"id":1,"face":"x","size":1,"price":1}`)
	for i := range buyers {
		add(t, api, "POST /api/users", `{"username":"u%d","email":"x@example.com"}`, i)
	}
	add(t, api, "POST /api/purchases", `{"product_id":1,"username":"u0"}`)
	var answered atomic.Int64
	answered.Store(1)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				least := answered.Load()
				w := api.Do(t, "GET /api/recent_purchases/u0", "", "")
				var got []popular.Product
				if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got) != 1 || int64(len(got[0].Recent)) < least {
					t.Errorf("after %d purchases: %d %s", least, w.Code, w.Body)
					return
				}
			}
		})
	}
	for i := 1; i < buyers; i++ {
		add(t, api, "POST /api/purchases", `{"product_id":1,"username":"u%d"}`, i)
		answered.Add(1)
	}
	close(done)
	readers.Wait()
}
