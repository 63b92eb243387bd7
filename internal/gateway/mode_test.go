package gateway_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/gateway"
	"emporium/internal/platform/httpapi"
)

// inMode is a replica that runs in a mode, and counts what it does.
func inMode(t *testing.T, mode httpapi.Mode) (url string, done *atomic.Int64) {
	t.Helper()
	done = new(atomic.Int64)
	h := gateway.SameMode(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			done.Add(1)
		}
		_, _ = io.WriteString(w, "done")
	}), mode, quiet)
	return serve(t, h.ServeHTTP).URL, done
}

// A service of another mode is not asked, and what had been sent to it before
// that was known is not done there.
func TestOtherMode(t *testing.T) {
	for ours, theirs := range map[httpapi.Mode]httpapi.Mode{httpapi.Open: httpapi.Protected, httpapi.Protected: httpapi.Open} {
		url, done := inMode(t, theirs)
		f := newFront(t, gateway.UpstreamOptions{Mode: string(ours), Every: soon}, gateway.ProxyOptions{}, url)
		for _, method := range []string{"GET", "POST"} { // before the first check of its health
			if got := f.want(t, 503, method, "/x", "{}"); !strings.Contains(got, "other_mode") || !strings.Contains(got, "--access") || !strings.Contains(got, string(theirs)) {
				t.Errorf("%s", got)
			}
		}
		f.watch(t)
		time.Sleep(5 * soon)
		if got := f.want(t, 503, "POST", "/x", "{}"); !strings.Contains(got, "other_mode") {
			t.Errorf("%s", got)
		}
		if err := f.upstream.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "mode") {
			t.Errorf("it is ready: %v", err)
		}
		if done.Load() != 0 {
			t.Errorf("%d requests were done by a process in %s mode", done.Load(), theirs)
		}
	}
}

// One that says no mode is none of the deployment's, or too old to be.
func TestNoMode(t *testing.T) {
	s := newShop(t)
	f := newFront(t, gateway.UpstreamOptions{Mode: "protected"}, gateway.ProxyOptions{}, s.URL)
	if got := f.want(t, 503, "GET", "/x", ""); !strings.Contains(got, "other_mode") {
		t.Errorf("%s", got)
	}
	f = newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{}, s.URL)
	f.want(t, 200, "GET", "/x", "")
}

// While one replica is started in the wrong mode, the others answer; the answer
// comes without the header that processes tell each other the mode by.
func TestOneReplicaOfAnotherMode(t *testing.T) {
	wrong, done := inMode(t, httpapi.Open)
	right, _ := inMode(t, httpapi.Protected)
	f := newFront(t, gateway.UpstreamOptions{Mode: "protected"}, gateway.ProxyOptions{}, wrong, right)
	for range 20 {
		resp, text, err := f.call(t, "POST", "/x", "{}")
		if err != nil || resp.StatusCode != http.StatusOK || text != "done" || resp.Header.Get("Emporium-Access") != "" {
			t.Fatalf("%v %s %v", resp, text, err)
		}
	}
	if done.Load() != 0 {
		t.Errorf("%d requests were done in another mode", done.Load())
	}
}

// A service refuses a gateway of another mode, says so in its log once, and takes
// what comes from elsewhere.
func TestWrongGateway(t *testing.T) {
	var log bytes.Buffer
	h := gateway.SameMode(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), httpapi.Protected, slog.New(slog.NewTextHandler(&log, nil)))
	for _, c := range []struct {
		said   []string
		status int
	}{{nil, 200}, {[]string{"protected"}, 200}, {[]string{"open"}, 503}, {[]string{""}, 503}, {[]string{"protected", "open"}, 503}} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/x", nil)
		r.Header["Emporium-Access"] = c.said
		if c.said == nil {
			delete(r.Header, "Emporium-Access")
		}
		h.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%q: %d, want %d", c.said, w.Code, c.status)
		}
	}
	if strings.Count(log.String(), "--access") != 1 {
		t.Errorf("the log holds %s", log.String())
	}
}
