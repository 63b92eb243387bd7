package app_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"emporium/internal/app/programtest"
	"emporium/internal/popular"
)

// whatAnnNeeds is each address that recent purchases of ann take.
var whatAnnNeeds = []string{
	"/api/users/ann", "/api/purchases/by_user/ann?limit=5", "/api/products/1", "/api/products/2", "/api/products/3",
	"/api/purchases/by_product/1?limit=1000", "/api/purchases/by_product/2?limit=1000",
	"/api/purchases/by_product/2?limit=1000&skip=1000", "/api/purchases/by_product/3?limit=1000",
}

// counts gives how often each address was asked for since the last time.
func (f *foreign) counts() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.asked
	f.asked = map[string]int{}
	return was
}

// TestForeignDataAPI runs recent purchases as a process in front of a data API
// that is not ours, takes half a second for each answer, says 404 for an empty
// list, and fails now and then.
func TestForeignDataAPI(t *testing.T) {
	f, address := startForeign(t)
	p := programtest.Start(t, "--data="+t.TempDir(), "popular", "--popular-data-url="+address)
	get := func(name string) (int, http.Header, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/api/recent_purchases/"+name, http.NoBody)
		if err != nil {
			t.Error(err)
			return 0, nil, ""
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			return 0, nil, ""
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		return resp.StatusCode, resp.Header, string(body)
	}
	shows := func(status int, body string) bool {
		var got []popular.Product
		return status == http.StatusOK && json.Unmarshal([]byte(body), &got) == nil && len(got) == 3 &&
			got[0].ID == 2 && len(got[0].Recent) == 1250 && got[1].ID == 1 && got[2].ID == 3
	}

	// Sometimes failing: what came is kept, and only what did not is asked for again.
	f.set(0, false)
	f.failEvery(3)
	for try := 1; ; try++ {
		status, header, body := get("ann")
		if shows(status, body) {
			break
		}
		if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || strings.Contains(body, "[") {
			t.Fatalf("while it fails now and then: %d %v %.200s", status, header, body)
		}
		if try == 20 {
			t.Fatal("never answered")
		}
	}
	asked, failed := f.counts(), f.failures()
	if len(failed) == 0 {
		t.Error("nothing failed")
	}
	for _, a := range whatAnnNeeds {
		// The second page of buyers comes with the first: both are asked for anew.
		most := failed[a] + 1
		if a == whatAnnNeeds[6] {
			most += failed[whatAnnNeeds[7]]
		}
		if n := asked[a]; n < 1 || n > most {
			t.Errorf("%s was asked for %d times, and failed %d times", a, n, failed[a])
		}
	}
	f.failEvery(0)
	get("ann")
	if asked := f.counts(); len(asked) > 0 {
		t.Errorf("what is cached was asked for again: %v", asked)
	}

	// Half a second for each answer, and a hundred callers at once, in front of
	// an empty cache.
	p = programtest.Start(t, "--data="+t.TempDir(), "popular", "--popular-data-url="+address)
	const slow = 500 * time.Millisecond
	f.set(slow, false)
	began := time.Now()
	var callers sync.WaitGroup
	for i := range 100 {
		callers.Go(func() {
			switch status, _, body := get([]string{"ann", "nobody"}[i%2]); {
			case i%2 == 0 && !shows(status, body):
				t.Errorf("%d %.200s", status, body)
			case i%2 == 1 && (status != http.StatusNotFound || body != "User with username of 'nobody' was not found"):
				t.Errorf("%d %s", status, body)
			}
		})
	}
	callers.Wait()
	// One after the other: the user's purchases, what belongs to them, and the
	// second page of a product's buyers.
	if took := time.Since(began); took < 3*slow || took > 8*slow { // nine, if it asked for one after the other
		t.Errorf("took %s; it waits for three answers of %s one after the other", took, slow)
	}
	want := slices.Clone(whatAnnNeeds)
	asked = f.counts()
	delete(asked, "/api/purchases/by_user/nobody?limit=5") // asked for beside the user, for nothing
	want = append(want, "/api/users/nobody")
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(asked)); !slices.Equal(got, want) {
		t.Errorf("it asked for %v, want %v", got, want)
	}
	for a, n := range asked {
		if n != 1 {
			t.Errorf("asked for %s %d times, want once", a, n)
		}
	}

	// A user without purchases, for whom it says 404.
	f.set(0, false)
	for range 3 {
		if status, _, body := get("%C3%A9vry%2F%252F%20%3F"); status != http.StatusOK || body != "[]" {
			t.Errorf("a user without purchases: %d %s", status, body)
		}
	}
	if asked := f.counts(); len(asked) != 2 {
		t.Errorf("for a user without purchases it asked for %v", asked)
	}

	// It fails for good: what is cached is shown, and the rest is a 503.
	f.set(0, true)
	if status, _, body := get("ann"); !shows(status, body) {
		t.Errorf("what is cached: %d %.200s", status, body)
	}
	if status, header, _ := get("hollow"); status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("what is not: %d %v", status, header)
	}
}
