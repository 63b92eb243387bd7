package auctions_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"emporium/internal/auctions"
	"emporium/internal/platform/httpapi"
)

func benchAPI(b *testing.B, items, bids int) http.Handler {
	b.Helper()
	s := newService(b)
	stock(b, s, 10, items)
	for i := range items {
		n := auctions.NewBid{Item: auctions.ItemID(i + 1).String(), User: "user1", Value: "5"}
		if _, err := s.PlaceBids(b.Context(), times(bids, n)); err != nil {
			b.Fatal(err)
		}
	}
	api := httpapi.New(httpapi.Options{Title: "Bench", Version: "1"})
	auctions.Routes(api.System(auctions.System()), s)
	return api
}

// BenchmarkPlaceBid measures durable bids of 64 callers, without a network.
func BenchmarkPlaceBid(b *testing.B) {
	for _, items := range []int{1, 1000} {
		b.Run(fmt.Sprint("items=", items), func(b *testing.B) {
			api := benchAPI(b, items, 0)
			var next atomic.Int64
			b.SetParallelism(32)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					n := next.Add(1)
					body := fmt.Sprintf(`{"bid":{"item":"item%d","value":%d.5,"user":"user%d"}}`, n%int64(items)+1, n%5000+1, n%10+1)
					r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/api/v1/bids", strings.NewReader(body))
					r.Header.Set("Content-Type", "application/json")
					w := httptest.NewRecorder()
					api.ServeHTTP(w, r)
					if w.Code != http.StatusCreated {
						b.Fatal(w.Code, w.Body)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "bids/s")
		})
	}
}

// BenchmarkGetItem measures one item with few and with many bids.
func BenchmarkGetItem(b *testing.B) {
	for _, bids := range []int{0, 5, 20, 1000} {
		b.Run(fmt.Sprint("bids=", bids), func(b *testing.B) {
			api := benchAPI(b, 100, bids)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; b.Loop(); n++ {
				w := httptest.NewRecorder()
				api.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, fmt.Sprint("/api/v1/items/item", n%100+1), nil))
				if w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
