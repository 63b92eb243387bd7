package httpapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

// TestReasonIsLogged checks that the log tells why something is down, through
// all layers, and the caller does not learn it.
func TestReasonIsLogged(t *testing.T) {
	disk := &market.Error{Kind: market.Unavailable, Detail: "no data", Cause: errors.New("disk is full")}
	queue := &market.Error{Kind: market.Unavailable, Detail: "no queue", Cause: fmt.Errorf("publish: %w", disk)}
	var log bytes.Buffer
	api := httpapi.New(httpapi.Options{Title: "Test", Version: "1", Log: slog.New(slog.NewTextHandler(&log, nil))})
	httpapi.Register(api.System(httpapi.System{Name: "things"}), httpapi.Operation{
		ID: "get-thing", Method: "GET", Path: "/things", Summary: "Get", Description: "Get.", Access: httpapi.ReadCatalogue,
	}, func(context.Context, *struct{}) (*httpapi.Nothing, error) { return nil, queue })
	w := httptest.NewRecorder()
	front(api).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/things", nil))
	if w.Code != 503 || strings.Contains(w.Body.String(), "disk") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), `cause="publish: no data: disk is full"`) {
		t.Error(log.String())
	}
}
