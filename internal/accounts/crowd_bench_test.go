package accounts_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"emporium/internal/accounts"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/apitest"
)

// BenchmarkCrowd measures what others wait for while 64 people sign in at once,
// at the full cost of a hash: the 99th percentile of a GET with a token, with and
// without them.
func BenchmarkCrowd(b *testing.B) {
	service := newService(b, func(o *accounts.Options) { o.Argon, o.Now = accounts.Argon{}, time.Now })
	signUp(b, service, "a@example.com")
	server := httptest.NewServer(apitest.NewWith(b, httpapi.Options{Tokens: service}, func(api *httpapi.API) {
		accounts.Routes(api.System(accounts.System()), service)
	}))
	b.Cleanup(server.Close)
	token := signIn(b, service, "a@example.com")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}
	do := func(method, path, body string) {
		r, err := http.NewRequestWithContext(b.Context(), method, server.URL+path, strings.NewReader(body))
		if err != nil {
			return
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		response, err := client.Do(r)
		if err == nil {
			_ = response.Body.Close()
		}
	}
	p99 := func() time.Duration {
		took := make([]time.Duration, 2000)
		for i := range took {
			begun := time.Now()
			do(http.MethodGet, "/api/user/1", "")
			took[i] = time.Since(begun)
			time.Sleep(500 * time.Microsecond)
		}
		slices.Sort(took)
		return took[len(took)*99/100]
	}
	for b.Loop() {
		idle := p99()
		stop, done := make(chan struct{}), make(chan struct{})
		for range 64 {
			go func() {
				defer func() { done <- struct{}{} }()
				for {
					select {
					case <-stop:
						return
					default:
						do(http.MethodPost, "/api/user/auth", `{"mail":"a@example.com","password":"s3cret words"}`)
					}
				}
			}()
		}
		crowd := p99()
		close(stop)
		for range 64 {
			<-done
		}
		b.ReportMetric(float64(idle.Microseconds()), "µs-p99-idle")
		b.ReportMetric(float64(crowd.Microseconds()), "µs-p99-crowd")
	}
}
