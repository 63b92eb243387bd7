package gateway_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"emporium/internal/gateway"
	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

// keeper is a service that keeps so many things about everybody, and may fail
// after some of them.
type keeper struct {
	name  string
	count int
	fails int // after so many; 0: never
	with  error
}

func (k keeper) PersonalData(_ context.Context, about market.UserID) iter.Seq2[market.PersonalRecord, error] {
	return func(yield func(market.PersonalRecord, error) bool) {
		for n := range k.count {
			if k.with != nil && n == k.fails {
				yield(market.PersonalRecord{}, k.with)
				return
			}
			if !yield(market.PersonalRecord{Service: k.name, Kind: "thing", Data: map[string]any{"of": about, "n": n, "text": strings.Repeat("x", 100)}}, nil) {
				return
			}
		}
	}
}

type anyToken struct{}

func (anyToken) Identify(_ context.Context, token string) (market.Identity, error) {
	if token != "good" {
		return market.Identity{}, market.Refuse(market.Unauthenticated, "bad_token", "no")
	}
	return market.Identity{User: 7}, nil
}

// exports serves a gateway with parts; those that are elsewhere are asked over
// HTTP.
func exports(t *testing.T, parts ...gateway.PersonalPart) *httptest.Server {
	t.Helper()
	api := httpapi.New(httpapi.Options{Tokens: anyToken{}})
	gateway.PersonalRoutes(api.System(gateway.PersonalSystem()), parts)
	s := httptest.NewServer(httpapi.Front(api, httpapi.FrontOptions{Now: time.Now, Log: slog.New(slog.DiscardHandler)}))
	t.Cleanup(s.Close)
	return s
}

// elsewhere runs a keeper in a server of its own, which checks tokens itself.
func elsewhere(t *testing.T, k keeper) gateway.PersonalPart {
	t.Helper()
	api := httpapi.New(httpapi.Options{Tokens: anyToken{}})
	httpapi.RegisterPersonal(api.System(httpapi.System{Name: k.name, Tag: k.name}), k)
	s := httptest.NewServer(httpapi.Front(api, httpapi.FrontOptions{Now: time.Now, Log: slog.New(slog.DiscardHandler)}))
	t.Cleanup(s.Close)
	address, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	u := gateway.NewUpstream(gateway.UpstreamOptions{Name: k.name, Addresses: []*url.URL{address}})
	t.Cleanup(func() { _ = u.Close() })
	return gateway.PersonalPart{Service: k.name, Data: gateway.NewPersonalClient(u)}
}

func export(t *testing.T, s *httptest.Server) (status int, body string, err error) {
	t.Helper()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/personal-data/7", http.NoBody)
	r.Header.Set("Authorization", "Bearer good")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(all), err
}

// An export is the same whether services run here or elsewhere, also when it is
// far larger than what is sent at once.
func TestExportIsWhole(t *testing.T) {
	for _, count := range []int{0, 1, 3000} {
		a, b := keeper{name: "accounts", count: count}, keeper{name: "billing", count: count}
		_, here, err := export(t, exports(t, gateway.PersonalPart{Service: "accounts", Data: a}, gateway.PersonalPart{Service: "billing", Data: b}))
		if err != nil {
			t.Fatal(err)
		}
		status, there, err := export(t, exports(t, elsewhere(t, a), elsewhere(t, b)))
		if err != nil || status != http.StatusOK || there != here {
			t.Errorf("%d: %d %v, %d bytes and not %d", count, status, err, len(there), len(here))
		}
		if got := strings.Count(there, `"service":"billing"`); got != count || !strings.HasSuffix(there, "]") {
			t.Errorf("%d of %d", got, count)
		}
	}
}

// A part that cannot be had is a 503 that names it, and never an export that
// looks whole.
func TestExportIsNeverHalf(t *testing.T) {
	whole, broken := keeper{name: "accounts", count: 2}, errors.New("broken")
	down, err := url.Parse("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	unreachable := gateway.NewUpstream(gateway.UpstreamOptions{Name: "billing", Addresses: []*url.URL{down}})
	t.Cleanup(func() { _ = unreachable.Close() })
	for name, part := range map[string]gateway.PersonalPart{
		"absent":                        {Service: "billing"},
		"unreachable":                   {Service: "billing", Data: gateway.NewPersonalClient(unreachable)},
		"fails at once, here":           {Service: "billing", Data: keeper{"billing", 9, 0, broken}},
		"fails at once, elsewhere":      elsewhere(t, keeper{"billing", 9, 0, broken}),
		"fails within what is gathered": {Service: "billing", Data: keeper{"billing", 9, 5, broken}},
	} {
		status, body, err := export(t, exports(t, gateway.PersonalPart{Service: "accounts", Data: whole}, part))
		if err != nil || status != http.StatusServiceUnavailable || !strings.Contains(body, "'billing'") || strings.Contains(body, "broken") {
			t.Errorf("%s: %d %v %s", name, status, err, body)
		}
	}
	late := keeper{"billing", 9000, 8000, broken}
	for name, part := range map[string]gateway.PersonalPart{"here": {Service: "billing", Data: late}, "elsewhere": elsewhere(t, late)} {
		status, body, err := export(t, exports(t, gateway.PersonalPart{Service: "accounts", Data: whole}, part))
		if err == nil || strings.HasSuffix(body, "]") {
			t.Errorf("fails late, %s: %d, and ends well", name, status)
		}
	}
	refusal := market.Refuse(market.NotFound, "unknown_account", "no account has the id 7")
	for name, part := range map[string]gateway.PersonalPart{
		"here": {Service: "accounts", Data: keeper{"accounts", 1, 0, refusal}}, "elsewhere": elsewhere(t, keeper{"accounts", 1, 0, refusal}),
	} {
		if status, body, err := export(t, exports(t, part)); err != nil || status != http.StatusNotFound || !strings.Contains(body, "no account has the id 7") {
			t.Errorf("an unknown account, %s: %d %v %s", name, status, err, body)
		}
	}
}

// What is no list is said to be none, and what ends too soon to do so.
func TestExportOfNonsense(t *testing.T) {
	for answer, want := range map[string]string{`{}`: "does not answer with a list", `"x"`: "does not answer with a list", ``: "EOF", `[{"kind":`: "EOF", `[{}`: "EOF", `[1]`: "read the answer"} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
		address, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		u := gateway.NewUpstream(gateway.UpstreamOptions{Name: "billing", Addresses: []*url.URL{address}})
		t.Cleanup(func() { _ = u.Close() })
		var last error
		for _, last = range gateway.NewPersonalClient(u).PersonalData(t.Context(), 7) {
		}
		if last == nil || !strings.Contains(last.Error(), want) || strings.Contains(last.Error(), "%!") {
			t.Errorf("%s: %v, want %q", answer, last, want)
		}
	}
}
