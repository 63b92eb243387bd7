package purchases_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"emporium/internal/market"
	"emporium/internal/purchases"
)

// serve answers each address with a text, and any other with a 404.
func serve(tb testing.TB, texts map[string]string) *purchases.Client {
	tb.Helper()
	return clientOf(tb, purchases.ClientOptions{}, func(w http.ResponseWriter, r *http.Request) {
		text, ok := texts[r.URL.RequestURI()]
		if !ok {
			http.Error(w, `{"detail": "not found"}`, http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, text)
	})
}

func clientOf(tb testing.TB, o purchases.ClientOptions, handler http.HandlerFunc) *purchases.Client {
	tb.Helper()
	server := httptest.NewServer(handler)
	tb.Cleanup(server.Close)
	o.URL = server.URL + "/shop/"
	client, err := purchases.NewClient(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.Close)
	return client
}

func TestClientUser(t *testing.T) {
	client := serve(t, map[string]string{
		"/shop/api/users/ann":               `{"user": {"username": "ann", "email": "a@example.com", "more": 1}}`,
		"/shop/api/users/a%2Fb%20%C3%A9%3F": `{"user": {"username": "a/b é?", "email": null}}`,
		"/shop/api/users/%252F":             `{"user": {"username": "%2F", "email": ""}}`,
		"/shop/api/users/%2E%2E":            `{"user": {"username": "..", "email": ""}}`,
		"/shop/api/users/%2E":               `{"user": {"username": ".", "email": ""}}`,
		"/shop/api/users/...":               `{"user": {"username": "...", "email": ""}}`,
		"/shop/api/users/null":              `{"user": null}`,
		"/shop/api/users/empty":             `{}`,
		"/shop/api/users/hollow":            `{"user": {}}`,
		"/shop/api/users/":                  `{"users": [{"username": "ann"}]}`,
	})
	for name, email := range map[string]string{"ann": "a@example.com", "a/b é?": "", "%2F": "", "..": "", ".": "", "...": ""} {
		got, err := client.User(t.Context(), name)
		if want := (market.Customer{Username: name, Email: email}); err != nil || got != want {
			t.Errorf("User(%q) = %+v, %v; want %+v", name, got, err, want)
		}
	}
	for _, name := range []string{"absent", "null", "empty", "hollow", "", "\xff"} {
		if got, err := client.User(t.Context(), name); market.KindOf(err) != market.NotFound {
			t.Errorf("User(%q) = %+v, %v; want not found", name, got, err)
		}
	}
}

func TestClientProduct(t *testing.T) {
	client := serve(t, map[string]string{
		"/shop/api/products/1": `{"product": {"id": 1, "face": "。◕‿◕。", "size": 27, "price": 1100}}`,
		"/shop/api/products/2": `{"product": {"id": "2", "face": "e\u0301 \ud83d\ude00", "size": 27.0, "price": 1.1e3, "price_tag": []}}`,
		"/shop/api/products/3": `{"product": {"face": "<b>&", "size": null, "price": "5"}}`,
		"/shop/api/products/4": `{"product": null}`,
		"/shop/api/products/5": `{"product": {"id": 5, "face": "", "size": 27.5, "price": 1}}`,
		"/shop/api/products/6": `{"product": {"id": 6, "size": 99999999999999999999, "price": 1}}`,
		"/shop/api/products/7": `{"product": {"id": 7, "size": "", "price": 1}}`,
	})
	for id, want := range map[int64]market.Product{
		1: {ID: 1, Face: "。◕‿◕。", Size: 27, Price: 1100},
		2: {ID: 2, Face: "e\u0301 😀", Size: 27, Price: 1100},
		3: {ID: 3, Face: "<b>&", Price: 5},
	} {
		if got, err := client.Product(t.Context(), id); err != nil || got != want {
			t.Errorf("Product(%d) = %+v, %v; want %+v", id, got, err, want)
		}
	}
	for id, want := range map[int64]market.Kind{
		4: market.NotFound, 5: market.Unavailable, 6: market.Unavailable, 7: market.Unavailable, 8: market.NotFound,
	} {
		if got, err := client.Product(t.Context(), id); market.KindOf(err) != want {
			t.Errorf("Product(%d) = %+v, %v; want kind %d", id, got, err, want)
		}
	}
}

func TestClientPurchases(t *testing.T) {
	client := serve(t, map[string]string{
		"/shop/api/purchases/by_user/a%2Fb?limit=5": `{"purchases": [
			{"id": 9, "product_id": 3, "username": "a/b", "date": "2016-08-05T08:40:51.620Z"},
			{"id": 10.0, "product_id": "4", "username": "a/b", "date": "2016-08-05T10:40:51+02:00"},
			{"id": 11, "product_id": 5, "username": "a/b", "date": "yesterday"},
			{"id": 12, "product_id": 6, "username": "a/b", "date": 1470386451},
			{"id": 13, "product_id": 7, "username": "a/b", "date": {"$date": 1}},
			{"product_id": 8}]}`,
		"/shop/api/purchases/by_product/3?limit=1000&skip=2000": `{"purchases": [{"id": 1, "product_id": 3, "username": "ann"}]}`,
		"/shop/api/purchases/by_product/4?limit=1000":           `{"purchases": null}`,
		"/shop/api/purchases/by_product/5?limit=1000":           `{}`,
		"/shop/api/purchases/by_product/6?limit=1000":           `[]`,
	})
	at := func(ms int) market.Time { return market.At(time.Date(2016, 8, 5, 8, 40, 51, ms*1e6, time.UTC)) }
	got, err := client.ByUser(t.Context(), "a/b", 0, 5)
	want := []market.Purchase{
		{ID: 9, ProductID: 3, Username: "a/b", Date: at(620)},
		{ID: 10, ProductID: 4, Username: "a/b", Date: at(0)},
		{ID: 11, ProductID: 5, Username: "a/b"},
		{ID: 12, ProductID: 6, Username: "a/b"},
		{ID: 13, ProductID: 7, Username: "a/b"},
		{ProductID: 8},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if got, err := client.ByProduct(t.Context(), 3, 2000, 1000); err != nil || len(got) != 1 || got[0].Username != "ann" {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, product := range []int64{4, 5, 404} {
		if got, err := client.ByProduct(t.Context(), product, 0, 1000); err != nil || len(got) != 0 {
			t.Errorf("product %d: %+v, %v; want none", product, got, err)
		}
	}
	if got, err := client.ByUser(t.Context(), "absent", 0, 5); err != nil || len(got) != 0 {
		t.Errorf("a 404: %+v, %v; want none", got, err)
	}
	if got, err := client.ByUser(t.Context(), "", 0, 5); err != nil || len(got) != 0 {
		t.Errorf("no name: %+v, %v; want none", got, err)
	}
	if _, err := client.ByProduct(t.Context(), 6, 0, 1000); market.KindOf(err) != market.Unavailable {
		t.Errorf("another shape: %v; want unavailable", err)
	}
}

func TestClientFailures(t *testing.T) {
	var patient purchases.ClientOptions // for what a busy machine is slow to answer
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    market.Kind
		cause   string
		options purchases.ClientOptions
	}{
		"500": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, market.Unavailable, "500", patient},
		"401": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, market.Unavailable, "401", patient},
		"400": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }, market.Invalid, "400", patient},
		"page": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<html>")
		}, market.Unavailable, "/api/products/1", patient},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"product":`)
		}, market.Unavailable, "EOF", patient},
		"too long": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"product": {"face": "`+strings.Repeat("x", 2000)+`"}}`)
		}, market.Unavailable, "over 1000 bytes", purchases.ClientOptions{MaxBody: 1000}},
		"slow head": {func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, market.Unavailable, "timeout awaiting response headers", purchases.ClientOptions{Answer: 100 * time.Millisecond}},
		"slow body": {func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, market.Unavailable, "Client.Timeout", purchases.ClientOptions{Whole: 300 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			client := clientOf(t, c.options, c.handler)
			_, err := client.Product(t.Context(), 1)
			e, ok := errors.AsType[*market.Error](err)
			if !ok || e.Kind != c.want || e.Cause == nil || !strings.Contains(e.Cause.Error(), c.cause) {
				t.Fatalf("got %#v, want kind %d because of %q", e, c.want, c.cause)
			}
			if strings.Contains(e.Detail, "127.0.0.1") {
				t.Errorf("the caller is told where the data API is: %s", e.Detail)
			}
		})
	}
}

func TestClientUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	client, err := purchases.NewClient(purchases.ClientOptions{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.ByUser(t.Context(), "ann", 0, 5); market.KindOf(err) != market.Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}
}

func TestClientEndsWithItsCaller(t *testing.T) {
	client := clientOf(t, purchases.ClientOptions{}, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, leave := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer leave()
	if _, err := client.User(ctx, "ann"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the caller's deadline in the chain", err)
	}
}

func TestClientHeaders(t *testing.T) {
	got := make(chan http.Header, 1)
	client := clientOf(t, purchases.ClientOptions{
		Headers: func(_ context.Context, h http.Header) { h.Set("X-Request-Id", "r1") },
	}, func(w http.ResponseWriter, r *http.Request) { got <- r.Header })
	_, _ = client.User(t.Context(), "ann")
	if h := <-got; h.Get("X-Request-Id") != "r1" || h.Get("Accept") != "application/json" {
		t.Errorf("sent %v", h)
	}
}

func TestClientAddresses(t *testing.T) {
	for _, bad := range []string{"", "data", "data:8080", "ftp://data", "http://", "http://data?x=1", "http://data#x", "http://da ta", "http://data/%zz"} {
		if _, err := purchases.NewClient(purchases.ClientOptions{URL: bad}); err == nil {
			t.Errorf("%q was taken for an address", bad)
		}
	}
}

// FuzzClient has a server answer anything: the client answers or refuses, with
// numbers that are in what was sent.
func FuzzClient(f *testing.F) {
	for _, seed := range []string{
		`{"user": {"username": "ann"}, "product": {"id": 1, "face": "x", "size": 2.0, "price": "3"}}`,
		`{"purchases": [{"id": 1, "product_id": 2, "username": "a", "date": "2016-08-05T08:40:51.620Z"}]}`,
		`{"purchases": [{"id": 1e400}]}`, `{"purchases": [{"date": "\u0000"}, {"date": "`, `{"product": {"id": "\""}}`,
		`{"user": {"username": "\ud800"}}`, "{\"user\": {\"username\": \"\xff\"}}", `null`, `{"user": 1}`, `[`, ``,
	} {
		f.Add(seed)
	}
	var text string
	client := clientOf(f, purchases.ClientOptions{}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	f.Fuzz(func(t *testing.T, sent string) {
		text = sent
		user, err := client.User(t.Context(), "ann")
		judge(t, err)
		if err == nil && user == (market.Customer{}) {
			t.Error("a user without anything")
		}
		_, err = client.Product(t.Context(), 1)
		judge(t, err)
		list, err := client.ByUser(t.Context(), "ann", 0, 5)
		judge(t, err)
		for _, p := range list {
			if year := p.Date.Year(); year < 0 || year > 9999 {
				t.Error(fmt.Sprint("a date that cannot be written: ", p.Date))
			}
		}
	})
}

func judge(t *testing.T, err error) {
	t.Helper()
	if kind := market.KindOf(err); err != nil && kind != market.NotFound && kind != market.Unavailable {
		t.Errorf("got %v", err)
	}
}
