package coupons_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"emporium/internal/coupons"
	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/apitest"
)

// Many callers with one key make one coupon, and all are told the same.
func TestOneKeyMakesOneCoupon(t *testing.T) {
	service := newService(t)
	api := newOn(t, service)
	var wg sync.WaitGroup
	answers := make([]*httptest.ResponseRecorder, 64)
	for i := range answers {
		wg.Go(func() {
			answers[i] = api.Do(t, "POST /coupons", `{"title":"once"}`, "Idempotency-Key: k")
		})
	}
	wg.Wait()
	for _, w := range answers {
		if w.Code != 201 || w.Body.String() != `{"id":1}` || w.Header().Get("Location") != "/coupons/1" || w.Header().Get("ETag") != `"1"` {
			t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
		}
	}
	if got := ids(t, api, "/coupons"); len(got) != 1 {
		t.Fatalf("%d coupons", len(got))
	}
}

// Of many callers that change one version, one does.
func TestOneVersionIsChangedOnce(t *testing.T) {
	service := newService(t)
	add(t, service, coupons.Draft{})
	api := newOn(t, service)
	var wg sync.WaitGroup
	codes := make([]int, 32)
	for i := range codes {
		wg.Go(func() {
			codes[i] = api.Do(t, "PUT /coupons/1", fmt.Sprintf(`{"title":"%d"}`, i), `If-Match: "1"`).Code
		})
	}
	wg.Wait()
	count := map[int]int{}
	for _, code := range codes {
		count[code]++
	}
	if count[200] != 1 || count[412] != 31 {
		t.Fatalf("%v", count)
	}
}

// The whole list and its pages hold the same, for each status.
func TestPagesAreTheList(t *testing.T) {
	service := newService(t)
	const many = 2000
	for from := 0; from < many; from += 500 {
		drafts := make([]coupons.Draft, 500)
		for i := range drafts {
			n := from + i
			drafts[i].Title = market.Some(fmt.Sprintf("coupon %d of %d", n, many))
			drafts[i].PublishedAt = market.Some("2016-08-05T08:40:51.000Z")
			drafts[i].ExpireAt = market.Some(fmt.Sprintf("2016-08-05T08:40:51.%03dZ", n%1000))
			if n%3 == 0 {
				drafts[i].ExpireAt = market.Some("2016-08-05T08:40:50.999999Z")
			}
		}
		got, err := service.AddCoupons(t.Context(), drafts)
		if err != nil || len(got) != 500 || got[0] != int64(from+1) {
			t.Fatalf("%v %v", got[:1], err)
		}
	}
	api := newOn(t, service)
	for query, want := range map[string]int{"": many, "status=valid": many - 667, "status=invalid": 667} {
		whole := ids(t, api, "/coupons?"+query)
		if len(whole) != want {
			t.Fatalf("%s: %d coupons, want %d", query, len(whole), want)
		}
		for _, limit := range []int{1000, 333} {
			var paged []int64
			for next := fmt.Sprintf("/coupons?limit=%d&%s", limit, query); next != ""; {
				w := api.Do(t, "GET "+strings.TrimSuffix(next, "&"), "", "")
				paged = append(paged, decodeIDs(t, w)...)
				next, _, _ = strings.Cut(strings.TrimPrefix(w.Header().Get("Link"), "<"), ">")
			}
			if fmt.Sprint(paged) != fmt.Sprint(whole) {
				t.Fatalf("%s: pages of %d differ from the list: %d and %d coupons", query, limit, len(paged), len(whole))
			}
		}
	}
}

func TestAddCouponsIsAllOrNothing(t *testing.T) {
	service := newService(t)
	good := coupons.Draft{Title: market.Some("good")}
	bad := coupons.Draft{ExpireAt: market.Some("tomorrow")}
	got, err := service.AddCoupons(t.Context(), []coupons.Draft{good, bad})
	var refusal *market.Error
	if got != nil || !errors.As(err, &refusal) || refusal.Kind != market.Invalid || !strings.HasPrefix(err.Error(), "coupon 2 of 2: expire_at 'tomorrow' does not match format") {
		t.Fatalf("%v %v", got, err)
	}
	if service.Check(good) != nil || market.KindOf(service.Check(bad)) != market.Invalid {
		t.Fatal("Check says otherwise")
	}
	if got, err := service.AddCoupons(t.Context(), []coupons.Draft{good, good}); err != nil || fmt.Sprint(got) != "[1 2]" {
		t.Fatalf("%v %v", got, err)
	}
	if got, err := service.AddCoupons(t.Context(), nil); err != nil || len(got) != 0 {
		t.Fatalf("%v %v", got, err)
	}
}

// The list shows a coupon byte for byte as it is shown alone, however it came
// to be.
func TestListShowsWhatGetShows(t *testing.T) {
	service := newService(t)
	add(t, service, whole)
	add(t, service, coupons.Draft{})
	add(t, service, coupons.Draft{Title: market.Some("<b> & \u2028 \"𝄞\" \\ \x7f\t"), Store: market.Some(coupons.Store{Lat: new(math.Copysign(0, -1)), Long: new(1e-6)})})
	api := newOn(t, service)
	for _, change := range []string{"", `{"title":"{\"id\":0,"}`, `{"store":{"lat":12.5}}`, `{"store":null,"expire_at":"9999-12-31T23:59:59.0Z"}`} {
		want := "["
		for _, path := range []string{"/coupons/1", "/coupons/2", "/coupons/3"} {
			if change != "" {
				api.Do(t, "PUT "+path, change, "")
			}
			want += api.Do(t, "GET "+path, "", "").Body.String() + ","
		}
		want = strings.TrimSuffix(want, ",") + "]"
		if got := api.Do(t, "GET /coupons", "", "").Body.String(); got != want {
			t.Fatalf("after %s the list is\n%s\nand the coupons are\n%s", change, got, want)
		}
	}
}

// What does not come through HTTP may not be clean text.
func TestDraftsMustBeCleanText(t *testing.T) {
	service := newService(t)
	for _, d := range []coupons.Draft{
		{Title: market.Some("\xff")},
		{Description: market.Some("a\x00b")},
		{Store: market.Some(coupons.Store{Zip: new("\xc3")})},
		{Store: market.Some(coupons.Store{Lat: new(math.NaN())})},
		{Store: market.Some(coupons.Store{Long: new(math.Inf(1))})},
		{ExpireAt: market.Some("\xff")},
	} {
		if _, err := service.AddCoupon(t.Context(), d); market.KindOf(err) != market.Invalid {
			t.Errorf("%+v: %v", d, err)
		}
	}
}

// In protected mode only staff write, and anyone reads.
func TestProtected(t *testing.T) {
	service := newService(t)
	api := apitest.NewWith(t, httpapi.Options{Mode: httpapi.Protected, Tokens: apitest.Tokens{}}, func(api *httpapi.API) {
		coupons.Routes(api.System(coupons.System()), service)
	})
	for _, c := range []struct {
		call, body, header string
		want               int
	}{
		{"POST /coupons", `{}`, "", 401},
		{"POST /coupons", `{}`, "Authorization: Bearer user-7", 403},
		{"POST /coupons", `{}`, "Authorization: Bearer staff-7", 201},
		{"PUT /coupons/1", `{}`, "", 401},
		{"PUT /coupons/1", `{}`, "Authorization: Bearer staff-7", 200},
		{"DELETE /coupons/x", ``, "", 401},
		{"GET /coupons", ``, "", 200},
		{"GET /coupons/1", ``, "", 200},
		{"DELETE /coupons/1", ``, "Authorization: Bearer staff-7", 204},
	} {
		if w := api.Do(t, c.call, c.body, c.header); w.Code != c.want {
			t.Errorf("%s %s: %d, want %d", c.call, c.header, w.Code, c.want)
		}
	}
}

func ids(t *testing.T, api *apitest.API, path string) []int64 {
	t.Helper()
	return decodeIDs(t, api.Do(t, "GET "+strings.TrimSuffix(path, "?"), "", ""))
}

func decodeIDs(t *testing.T, w *httptest.ResponseRecorder) []int64 {
	t.Helper()
	var list []struct{ ID int64 }
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != 200 {
		t.Fatalf("%d %v %.200s", w.Code, err, w.Body)
	}
	var got []int64
	for _, c := range list {
		got = append(got, c.ID)
	}
	return got
}

// discard answers to nobody, so that a benchmark measures the answering alone.
type discard struct{ *httptest.ResponseRecorder }

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func BenchmarkListTwenty(b *testing.B) { benchmark(b, "/coupons") }
func BenchmarkGet(b *testing.B)        { benchmark(b, "/coupons/7") }

func benchmark(b *testing.B, path string) {
	b.Helper()
	service := newService(b)
	for range 20 {
		add(b, service, whole)
	}
	api := newOn(b, service)
	b.ReportAllocs()
	for b.Loop() {
		api.ServeHTTP(discard{httptest.NewRecorder()}, httptest.NewRequest(http.MethodGet, path, nil))
	}
}
