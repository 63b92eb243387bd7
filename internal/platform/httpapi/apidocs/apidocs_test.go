package apidocs_test

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"emporium/internal/platform/httpapi/apidocs"
)

var options = apidocs.Options{
	Title:   "Emporium",
	Summary: "A marketplace of five systems behind one address: what is scarce is never given twice, and what was answered is never lost.",
	Version: "0.1.0",
	Hint:    "The demo's passwords were printed when it started.",
	Services: []apidocs.Service{
		{Name: "coupons", Summary: "Coupons of merchants, and when they hold.", Examples: []apidocs.Example{{Label: "all", Path: "/coupons"}, {Label: "the first", Path: "/coupons/1"}, {Label: "valid ones", Path: "/coupons?status=valid"}}},
		{Name: "auctions", Summary: "Items, bidders and the highest bid.", Examples: []apidocs.Example{{Label: "items", Path: "/api/v1/items"}, {Label: "with every bid", Path: "/api/v1/items/item1?complete=1"}}},
		{Name: "property", Summary: "Properties, rooms and types.", Examples: []apidocs.Example{{Label: "in Paris (sign in first)", Path: "/api/property/?city=Paris"}}},
		{Name: "inventory", Summary: "A catalogue of movies.", Examples: []apidocs.Example{{Label: "by title", Path: "/api/movies?title=star"}}},
		{Name: "popular", Summary: "What those who bought the same bought lately.", Examples: []apidocs.Example{{Label: "of one user", Path: "/api/recent_purchases/a_user_with_a_rather_long_name"}}},
		{Name: "billing", Summary: "Orders, worked off from a queue.", Down: true},
	},
}

// shop is a server as small as one can be that the page is of use for.
type shop struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // "GET /things/mine Bearer …"
}

func (s *shop) calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.seen...)
}

func openShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{}
	mux := http.NewServeMux()
	if err := apidocs.Mount(mux.Handle, options); err != nil {
		t.Fatal(err)
	}
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, "testdata/openapi.json")
	})
	mux.HandleFunc("POST /api/user/auth", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Mail, Password string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Password != "open sesame" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"detail": "wrong mail or password"}`)
			return
		}
		claims := fmt.Sprintf(`{"sub":"7","exp":%d}`, time.Now().Add(time.Hour).Unix())
		fmt.Fprintf(w, `{"access_token": "e30.%s.c2ln"}`, base64.RawURLEncoding.EncodeToString([]byte(claims)))
	})
	mux.HandleFunc("/things/", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen = append(s.seen, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `[{"name": "lamp %d", "note": null}]`, len(s.seen))
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, address, accept string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		r.Header.Set("Accept-Encoding", accept)
	}
	res, err := (&http.Transport{DisableCompression: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestPages(t *testing.T) {
	s := openShop(t)
	for path, want := range map[string]string{
		"/":         `href="/api/v1/items/item1?complete=1"`,
		"/docs":     "Sign in",
		"/docs/":    "Sign in",
		"/apidocs":  "Sign in",
		"/apidocs/": "Sign in",
	} {
		res, body := get(t, s.URL+path, "")
		if res.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, without %q", path, res.StatusCode, want)
		}
		if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'; script-src 'self';") || strings.Contains(policy, "unsafe-inline") != (path != "/") {
			t.Errorf("%s: policy %q", path, policy)
		}
		for _, inline := range []string{`<script>`, ` onclick=`, `<style`, `style="`, `http://`, `https://`} {
			if strings.Contains(body, inline) {
				t.Errorf("%s holds %s", path, inline)
			}
		}
	}
	if res, _ := get(t, s.URL+"/nothing", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("the landing page answers for /nothing: %d", res.StatusCode)
	}
}

var asset = regexp.MustCompile(`(?:src|href)="(/docs/assets/[^"]+)"`)

func TestAssets(t *testing.T) {
	s := openShop(t)
	_, docs := get(t, s.URL+"/docs", "")
	_, home := get(t, s.URL+"/", "")
	addresses := asset.FindAllStringSubmatch(docs+home, -1)
	if len(addresses) < 6 {
		t.Fatalf("found only %v", addresses)
	}
	for _, a := range addresses {
		res, body := get(t, s.URL+a[1], "")
		if res.StatusCode != http.StatusOK || body == "" || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %d bytes, %v", a[1], res.StatusCode, len(body), res.Header)
		}
	}
	if res, _ := get(t, s.URL+addresses[0][1]+".map", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("a file that is not there: %d", res.StatusCode)
	}
}

func TestCompressed(t *testing.T) {
	s := openShop(t)
	_, docs := get(t, s.URL+"/docs", "")
	address := s.URL + regexp.MustCompile(`/docs/assets/\w+/scalar\.js`).FindString(docs)
	_, plain := get(t, address, "")
	if len(plain) < 3_000_000 {
		t.Fatalf("plain: %d bytes", len(plain))
	}
	for accept, packed := range map[string]bool{
		"gzip": true, "br, GZIP;q=0.5": true, "*": true, "identity, *;q=0.1": true,
		"br": false, "gzip;q=0": false, "gzip; q=0.000, *": false, "*;q=0": false, "identity": false,
	} {
		res, body := get(t, address, accept)
		if got := res.Header.Get("Content-Encoding") == "gzip"; got != packed || res.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: packed is %v", accept, got)
			continue
		}
		if packed {
			z, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			unpacked, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			body = string(unpacked)
		}
		if body != plain {
			t.Errorf("Accept-Encoding %q gives other bytes", accept)
		}
	}
}
