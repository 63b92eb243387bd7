package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/cache/cachetest"
	"emporium/internal/popular"
)

// TestWriteShowsAcrossProcesses runs the data API in one process and recent
// purchases in two others, with a cache in Redis: each write shows in both within
// 100 ms, though answers are kept for an hour. Then Redis is killed and comes
// back.
func TestWriteShowsAcrossProcesses(t *testing.T) {
	redis, ok := cachetest.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	if !ok {
		return
	}
	shared := "--cache-url=" + redis.URL()
	data := programtest.Start(t, "purchases", shared)
	readers := []*programtest.Program{
		programtest.Start(t, "popular", shared, "--popular-data-url="+data.URL),
		programtest.Start(t, "popular", shared, "--popular-data-url="+data.URL),
	}
	post := func(path, format string, args ...any) {
		t.Helper()
		if status, answer := post(t, data.URL+path, fmt.Sprintf(format, args...)); status != http.StatusCreated {
			t.Fatalf("POST %s: %d %s", path, status, answer)
		}
	}
	buyers := func(p *programtest.Program) int {
		t.Helper()
		code, body, err := p.Get(t.Context(), "/api/recent_purchases/u0")
		var got []popular.Product
		if err != nil || code != http.StatusOK || json.Unmarshal([]byte(body), &got) != nil || len(got) != 1 {
			t.Fatalf("%d %s, %v", code, body, err)
		}
		return len(got[0].Recent)
	}
	shows := func(want int) (took time.Duration) {
		t.Helper()
		began := time.Now()
		for _, p := range readers {
			for buyers(p) != want {
				if time.Since(began) > 10*time.Second {
					t.Fatalf("%s after a purchase it does not show: %d buyers, want %d", time.Since(began), buyers(p), want)
				}
				time.Sleep(time.Millisecond)
			}
		}
		return time.Since(began)
	}
	buy := func(i int) {
		t.Helper()
		post("/api/users", `{"username":"u%d","email":"x@example.com"}`, i)
		post("/api/purchases", `{"product_id":1,"username":"u%d"}`, i)
	}
	post("/api/products", `{"id":1,"face":"x","size":1,"price":1}`)
	buy(0)
	shows(1)
	var took []time.Duration
	for i := 1; i < 20; i++ {
		buy(i)
		took = append(took, shows(i+1))
	}
	slices.Sort(took)
	t.Logf("a write showed in both after %s to %s", took[0], took[len(took)-1])
	if took[len(took)/2] > 100*time.Millisecond { // some may be late where the machine is busy
		t.Errorf("writes showed after %s", took)
	}
	redis.Kill()
	buy(20)
	shows(21)
	buy(21)
	redis.Start()
	shows(22)
	buy(22)
	shows(23)
}
