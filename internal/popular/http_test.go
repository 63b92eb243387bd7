package popular_test

import (
	"errors"
	"testing"

	"emporium/internal/market"
	"emporium/internal/platform/cache"
	"emporium/internal/platform/cache/cachetest"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/apitest"
	"emporium/internal/popular"
)

// newShopAPI is recent purchases on a data API that can be told to fail.
func newShopAPI(t *testing.T, mode httpapi.Mode) (*shop, *apitest.API) {
	t.Helper()
	s := newShop("ann", "bob", "nothing", "évry/%2F ?")
	s.sells(1, "bob", "ann")
	s.sells(2, "ann")
	s.sells(3, "bob", "bob", "évry/%2F ?", "ann")
	kept, err := cache.NewMemory(cache.MemoryOptions{Now: (&cachetest.Clock{}).Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	service, err := popular.New(popular.Options{Purchases: s, Cache: kept})
	if err != nil {
		t.Fatal(err)
	}
	return s, apitest.NewWith(t, httpapi.Options{Tokens: apitest.Tokens{}, Mode: mode},
		func(api *httpapi.API) { popular.Routes(api.System(popular.System()), service) })
}

func TestRecentPurchasesOverHTTP(t *testing.T) {
	newAPI := func(t *testing.T) *apitest.API {
		t.Helper()
		_, api := newShopAPI(t, httpapi.Open)
		return api
	}
	apitest.Run(t, newAPI, "testdata/recent_purchases.golden", []apitest.Case{
		// what works
		{Name: "a user", Call: "GET /api/recent_purchases/ann"},
		{Name: "again, from the cache", Before: []string{"GET /api/recent_purchases/ann"}, Call: "GET /api/recent_purchases/ann"},
		{Name: "with a slash and a parameter", Call: "GET /api/recent_purchases/bob/?limit=1"},
		{Name: "a user without purchases", Call: "GET /api/recent_purchases/nothing"},
		{Name: "a name that is escaped", Call: "GET /api/recent_purchases/%C3%A9vry%2F%252F%20%3F"},
		{Name: "head", Call: "HEAD /api/recent_purchases/ann"},
		// 404, in a sentence
		{Name: "unknown", Call: "GET /api/recent_purchases/carl"},
		{Name: "unknown, with another case", Call: "GET /api/recent_purchases/Ann"},
		{Name: "unknown, escaped", Call: "GET /api/recent_purchases/%C3%A9%2F%3Cb%3E%20%27"},
		{Name: "unknown, to one who takes anything", Call: "GET /api/recent_purchases/carl", Header: "Accept: */*"},
		{Name: "unknown, to a browser", Call: "GET /api/recent_purchases/carl", Header: "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		{Name: "unknown, to one who does not want JSON", Call: "GET /api/recent_purchases/carl", Header: "Accept: application/json;q=0, text/plain"},
		{Name: "unknown, head", Call: "HEAD /api/recent_purchases/carl"},
		// 404, in a problem
		{Name: "unknown, to one who names JSON", Call: "GET /api/recent_purchases/carl", Header: "Accept: application/json"},
		{Name: "unknown, to one who names problems among others", Call: "GET /api/recent_purchases/carl", Header: "Accept: text/plain, Application/Problem+JSON; q=0.1"},
		{Name: "unknown, to one who names a JSON of its own", Call: "GET /api/recent_purchases/carl", Header: "Accept: application/vnd.shop+json"},
		// other faults are problems
		{Name: "no name", Call: "GET /api/recent_purchases"},
		{Name: "no name, with a slash", Call: "GET /api/recent_purchases/"},
		{Name: "a name that is not UTF-8", Call: "GET /api/recent_purchases/%FF"},
		{Name: "a name with a null character", Call: "GET /api/recent_purchases/a%00"},
		{Name: "post", Call: "POST /api/recent_purchases/ann", Body: `{}`},
	})
}

func TestRecentPurchasesWhileDown(t *testing.T) {
	s, api := newShopAPI(t, httpapi.Open)
	before := api.Do(t, "GET /api/recent_purchases/ann", "", "")
	s.mu.Lock()
	s.down = market.Refuse(market.Unavailable, "data_api_unavailable", "down")
	s.mu.Unlock()
	if w := api.Do(t, "GET /api/recent_purchases/ann", "", ""); w.Code != 200 || w.Body.String() != before.Body.String() {
		t.Errorf("what is cached: %d %s", w.Code, w.Body)
	}
	if w := api.Do(t, "GET /api/recent_purchases/bob", "", ""); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("what is not: %d %v", w.Code, w.Header())
	}
	s.mu.Lock()
	s.down = errors.New("secret")
	s.mu.Unlock()
	if w := api.Do(t, "GET /api/recent_purchases/nothing", "", ""); w.Code != 503 {
		t.Errorf("any failure of the data API: %d", w.Code)
	}
}

func TestRecentPurchasesProtected(t *testing.T) {
	_, api := newShopAPI(t, httpapi.Protected)
	for token, want := range map[string]int{"": 401, "Authorization: Bearer x": 401, "Authorization: Bearer user-1": 200} {
		if w := api.Do(t, "GET /api/recent_purchases/ann", "", token); w.Code != want {
			t.Errorf("with %q: %d, want %d", token, w.Code, want)
		}
	}
}
