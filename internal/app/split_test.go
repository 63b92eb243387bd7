package app_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"emporium/internal/app/programtest"
)

// post sends one JSON body and gives the status and the answer.
func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

const order = `{"user_id":"3","number_of_items":"5","total_amount":"180"}`

// The gateway takes orders whether or not billing runs, and billing, started
// again beside it on the same data, works off what waits.
func TestBillingInAnotherProcess(t *testing.T) {
	data := "--data=" + t.TempDir()
	front := programtest.Start(t, data, "gateway", "inventory")
	back := programtest.Start(t, data, "billing")
	orders := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			_, got, err := back.Get(context.Background(), "/api/billing/orders?limit=1000")
			if err == nil && strings.Count(got, `"id"`) == len(want) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("orders are %s (%v), want %d", got, err, len(want))
			}
		}
	}
	takes := func() {
		t.Helper()
		if status, answer := post(t, front.URL+"/api/billing", order); status != 200 || answer != `{"message":"Message posted"}` {
			t.Fatalf("%d %s", status, answer)
		}
	}
	takes()
	orders("1")
	if err := back.Stop(); err != nil {
		t.Fatal(err)
	}
	takes()
	takes()
	if status, answer, err := front.Get(t.Context(), "/api/billing/orders"); err != nil || status != 503 || !strings.Contains(answer, "billing") {
		t.Errorf("without billing its own paths answer %d %s %v", status, answer, err)
	}
	if status, _, err := front.Get(t.Context(), "/api/movies"); err != nil || status != 200 {
		t.Errorf("without billing the movies answer %d %v", status, err)
	}
	if status, out, errs := command(t, "", "export", "coupons", "--server="+front.URL); status != 1 || strings.Contains(out, "{") || !strings.Contains(errs, "'coupons' does not run here") {
		t.Errorf("an export of what is not there: %d %q %q", status, out, errs)
	}
	back = programtest.Start(t, data, "billing")
	orders("123")
}

// A service that runs is not started a second time on the same data.
func TestSecondProcessIsRefused(t *testing.T) {
	data := "--data=" + t.TempDir()
	first := programtest.Start(t, data, "inventory")
	status, _, errs := command(t, "", "serve", data, "--listen=127.0.0.1:0", "inventory")
	if status != 1 || !strings.Contains(errs, itoa(first.Pid())) {
		t.Errorf("%d %s, want a refusal that names process %d", status, errs, first.Pid())
	}
}

func TestUnknownServiceIsNamed(t *testing.T) {
	if status, _, errs := command(t, "", "serve", "--data="+t.TempDir(), "cupons"); status != 1 || !strings.Contains(errs, `"cupons"`) || !strings.Contains(errs, "coupons") {
		t.Errorf("%d %s", status, errs)
	}
}

// On SIGTERM what is under way is answered, and the program ends well.
func TestStop(t *testing.T) {
	p := programtest.Start(t, "--data="+t.TempDir())
	if status, answer, err := p.Get(t.Context(), "/readyz"); err != nil || status != 200 || !strings.Contains(answer, `"inventory":"ready"`) {
		t.Errorf("%d %s %v", status, answer, err)
	}
	for path, want := range map[string]string{"/healthz": `{"status":"alive"}`, "/health": `"healthy"`} {
		if status, answer, err := p.Get(t.Context(), path); err != nil || status != 200 || answer != want {
			t.Errorf("%s: %d %s %v", path, status, answer, err)
		}
	}
	if err := p.Stop(); err != nil {
		t.Errorf("%v\n%s", err, p.Output())
	}
}

// Recent purchases read another process's data API, and keep its answers only
// when they may.
func TestRecentPurchasesOfAnotherProcess(t *testing.T) {
	data := programtest.Start(t, "--data="+t.TempDir(), "purchases")
	keeps := programtest.Start(t, "--data="+t.TempDir(), "popular", "--popular-data-url="+data.URL)
	asks := programtest.Start(t, "--data="+t.TempDir(), "popular", "--popular-data-url="+data.URL, "--popular-cache-ttl=0s")
	add := func(path, body string) {
		t.Helper()
		if status, answer := post(t, data.URL+path, body); status != http.StatusCreated {
			t.Fatalf("%d %s", status, answer)
		}
	}
	shows := func(p *programtest.Program, buyers string) {
		t.Helper()
		want := `[{"id":1,"face":"(o)","price":9,"size":2,"recent":[` + buyers + `]}]`
		if status, answer, err := p.Get(t.Context(), "/api/recent_purchases/ann"); err != nil || status != 200 || answer != want {
			t.Errorf("got %d %s %v, want %s", status, answer, err, want)
		}
	}
	add("/api/products", `{"id":1,"face":"(o)","size":2,"price":9}`)
	add("/api/users", `{"username":"ann","email":"ann@example.org"}`)
	add("/api/users", `{"username":"bob","email":"bob@example.org"}`)
	add("/api/purchases", `{"product_id":1,"username":"ann","date":"2026-03-01T12:00:00Z"}`)
	shows(keeps, `"ann"`)
	shows(asks, `"ann"`)
	add("/api/purchases", `{"product_id":1,"username":"bob","date":"2026-03-02T12:00:00Z"}`)
	shows(keeps, `"ann"`)
	shows(asks, `"bob","ann"`)
}
