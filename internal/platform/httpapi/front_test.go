package httpapi_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"emporium/internal/platform/httpapi"
)

// TestRequestID: a plain id is taken, another is replaced by one of our own; the
// answer and the log carry it.
func TestRequestID(t *testing.T) {
	var log bytes.Buffer
	h := httpapi.Front(newAPI(), httpapi.FrontOptions{
		Now: time.Now, Log: slog.New(slog.DiscardHandler), Requests: slog.New(slog.NewTextHandler(&log, nil)),
	})
	seen := map[string]bool{}
	for given, taken := range map[string]bool{
		"mine-1": true, strings.Repeat("x", 128): true,
		"": false, "two words": false, `"quoted"`: false, "line\nbreak": false, "é": false, strings.Repeat("x", 129): false,
	} {
		log.Reset()
		r := httptest.NewRequest(http.MethodGet, "/things/404", nil)
		r.Header.Set("X-Request-Id", given)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		id := w.Header().Get("X-Request-Id")
		if (id == given) != taken || id == "" || seen[id] {
			t.Errorf("%.20q is answered with %.20q", given, id)
		}
		seen[id] = true
		if line := log.String(); !strings.Contains(line, "request_id="+id) || !strings.Contains(line, "status=404") {
			t.Errorf("%.20q is logged as %s", given, line)
		}
	}
}

// TestPassOn: what is asked of other servers carries the id and the trace of the
// request on whose behalf it is asked.
func TestPassOn(t *testing.T) {
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	out := http.Header{}
	h := httpapi.Front(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { httpapi.PassOn(r.Context(), out) }),
		httpapi.FrontOptions{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Traceparent", trace)
	r.Header.Set("Tracestate", "a=b")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if out.Get("Traceparent") != trace || out.Get("Tracestate") != "a=b" || out.Get("X-Request-Id") != w.Header().Get("X-Request-Id") {
		t.Errorf("%v is passed on", out)
	}
}
