package app_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/app/programtest"
)

// Everything that can be read of the demo comes through a gateway byte for byte
// as the service itself gives it.
func TestGatewayAnswersAsTheServiceDoes(t *testing.T) {
	data := "--data=" + t.TempDir() + "/shop"
	demo := programtest.Start(t, data, "--demo")
	mail, password := "demo-reader@example.org", "correct horse battery"
	v := visitor{base: demo.URL}
	v.ask(t, 201, "POST", "/api/user/", `{"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":"`+mail+`","password":"`+password+`"}`)
	token := field([]byte(v.ask(t, 200, "POST", "/api/user/auth", `{"mail":"`+mail+`","password":"`+password+`"}`)), "access_token")
	username := strings.Split(v.ask(t, 200, "GET", "/api/users", ""), `"`)[5]
	if err := demo.Stop(); err != nil {
		t.Fatal(err)
	}
	all := split(t, data)
	owner := map[string]string{
		"/coupons": "coupons", "/api/v1": "auctions", "/api/property": "property", "/api/room": "property", "/api/type": "property",
		"/api/user": "accounts", "/.well-known": "accounts", "/api/movies": "inventory", "/api/billing/orders": "billing",
		"/api/users": "purchases", "/api/products": "purchases", "/api/purchases": "purchases", "/api/recent_purchases": "popular",
	}
	serviceOf := func(path string) *programtest.Program {
		best := ""
		for prefix := range owner {
			if strings.HasPrefix(path, prefix) && len(prefix) > len(best) {
				best = prefix
			}
		}
		return all[owner[best]]
	}
	get := func(base, method, target string, header ...string) (status int, h http.Header, body string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, base, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		path, query, _ := strings.Cut(target, "?")
		if r.URL.RawPath = path; true {
			r.URL.Path, _ = url.PathUnescape(path)
			r.URL.RawQuery = query
		}
		r.Header.Set("Authorization", "Bearer "+token)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		client := http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s %s: %v", method, target, err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("%s %s: %v", method, target, err)
		}
		resp.Header.Del("Date")
		resp.Header.Del("X-Request-Id")
		return resp.StatusCode, resp.Header, string(text)
	}
	compared, statuses := 0, map[int]int{}
	same := func(method, target string, header ...string) (http.Header, string) {
		t.Helper()
		status, h, body := get(all["gateway"].URL, method, target, header...)
		wantStatus, wantH, wantBody := get(serviceOf(target).URL, method, target, header...)
		if status != wantStatus || !maps.EqualFunc(h, wantH, slices.Equal) || body != wantBody {
			t.Errorf("%s %s: %d %v %.300s\nand directly: %d %v %.300s", method, target, status, h, body, wantStatus, wantH, wantBody)
		}
		compared++
		statuses[status]++
		return h, body
	}
	for _, op := range operations(t) {
		if op.method != "GET" || !slices.ContainsFunc(slices.Collect(maps.Keys(owner)), func(p string) bool { return strings.HasPrefix(op.path, p) }) {
			continue
		}
		one := strings.ReplaceAll(op.existing(), "/buyer", "/"+username)
		for _, target := range []string{one, one + "/", one + "?limit=3", one + "?limit=bad", one + "?q=%zz", one + "/more", strings.ReplaceAll(op.path, "{", "%7B"), one + "%2F"} {
			h, _ := same("GET", target)
			same("HEAD", target)
			if etag := h.Get("ETag"); etag != "" {
				same("GET", target, "If-None-Match", etag)
			}
		}
		same("OPTIONS", one)
		same("PATCH", one)
		for next, n := one+"?limit=2", 0; strings.HasPrefix(op.ID, "list-") && n < 3; n++ { // page by page
			h, _ := same("GET", next)
			_, rest, found := strings.Cut(h.Get("Link"), "<")
			if next, _, _ = strings.Cut(rest, ">"); !found {
				break
			}
		}
	}
	t.Logf("%d answers compared: %v", compared, statuses)
	if statuses[200] < 40 || statuses[304] < 5 || statuses[404] < 10 || statuses[400] < 10 || statuses[405] < 5 {
		t.Errorf("too few of some: %v", statuses)
	}
}

// Without a service its own paths alone are a 503, and the gateway stays ready.
func TestServiceDown(t *testing.T) {
	movies := programtest.Start(t, "--data="+t.TempDir(), "inventory")
	front := programtest.Start(t, "--data="+t.TempDir(), "--inventory-url="+movies.URL, "gateway", "coupons")
	v := visitor{base: front.URL}
	v.ask(t, 200, "GET", "/api/movies", "")
	movies.Kill()
	for _, path := range []string{"/api/movies", "/api/movies/1", "/api/movies/"} {
		if got := v.ask(t, 503, "GET", path, ""); !strings.Contains(got, "'inventory' is down") {
			t.Errorf("%s", got)
		}
	}
	v.ask(t, 200, "GET", "/coupons", "")
	v.ask(t, 200, "POST", "/api/billing", order)
	v.shows(t, "/readyz", `{"parts":{"coupons":"ready","inventory":"not ready","queue":"ready"},"status":"ready"}`)
	programtest.Start(t, "--data="+t.TempDir(), "--listen="+movies.Address(), "inventory")
	v.shows(t, "/readyz", `{"parts":{"coupons":"ready","inventory":"ready","queue":"ready"},"status":"ready"}`)
	v.ask(t, 200, "GET", "/api/movies", "")
}

// Replicas are restarted one after the other while callers ask for what may not
// be sent twice, and every caller is answered.
func TestRollingRestart(t *testing.T) {
	accounts := programtest.Start(t, "--data="+t.TempDir(), "purchases")
	start := func(address string) *programtest.Program {
		return programtest.Start(t, "--data="+t.TempDir(), "--listen="+address, "--drain=2s", "--purchases-url="+accounts.URL, "popular")
	}
	replicas := []*programtest.Program{start("127.0.0.1:0"), start("127.0.0.1:0")}
	front := programtest.Start(t, "--data="+t.TempDir(), "--popular-url="+replicas[0].URL+","+replicas[1].URL, "gateway")
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	var answered, failed atomic.Int64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	for range 4 {
		callers.Go(func() {
			for ctx.Err() == nil {
				// It is no method there: an answer of the service shows in its status.
				r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL+"/api/recent_purchases/ann", strings.NewReader(`{}`))
				resp, err := client.Do(r)
				if err != nil {
					t.Errorf("%v", err)
					return
				}
				text, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if answered.Add(1); resp.StatusCode != http.StatusMethodNotAllowed {
					failed.Add(1)
					t.Errorf("%d %s", resp.StatusCode, text)
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	for range 2 {
		for i, p := range replicas {
			address := p.Address()
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
			replicas[i] = start(address)
			v := visitor{base: front.URL}
			v.shows(t, "/readyz", `{"parts":{"popular":"ready","queue":"ready"},"status":"ready"}`)
			time.Sleep(1500 * time.Millisecond) // a health check finds it again
		}
	}
	stop()
	callers.Wait()
	t.Logf("%d answered, %d failed", answered.Load(), failed.Load())
}

// A program that stops tells callers to take another connection.
func TestDrainClosesConnections(t *testing.T) {
	p := programtest.Start(t, "--data="+t.TempDir(), "--drain=1s", "coupons")
	conn, err := p.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	lines := bufio.NewReader(conn)
	ask := func() *http.Response {
		fmt.Fprint(conn, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		resp, err := http.ReadResponse(lines, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp
	}
	if resp := ask(); resp.StatusCode != http.StatusOK || resp.Close {
		t.Errorf("%d, closed: %t", resp.StatusCode, resp.Close)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- p.Stop() }()
	time.Sleep(300 * time.Millisecond)
	if resp := ask(); resp.StatusCode != http.StatusServiceUnavailable || !resp.Close {
		t.Errorf("%d, closed: %t", resp.StatusCode, resp.Close)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
