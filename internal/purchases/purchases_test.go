package purchases_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/apitest"
	"emporium/internal/purchases"
)

func clock() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 987654321, time.UTC) }

// dropped notes what a service makes caches forget.
type dropped struct {
	keys []string
	err  error
}

func (d *dropped) drop(_ context.Context, keys ...string) error {
	d.keys = append(d.keys, keys...)
	return d.err
}

func newService(t testing.TB, drop market.Drop) *purchases.Service {
	t.Helper()
	service, err := purchases.New(purchases.Options{
		DB: dbtest.Open(t, "purchases", purchases.Migrations(), clock), Now: clock, Drop: drop,
	})
	if err != nil {
		t.Fatal(err)
	}
	return service
}

const odd = "évry/%2F ?"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fill puts three customers, three products and six purchases into the shop.
func fill(t testing.TB, service *purchases.Service) {
	t.Helper()
	must(t, service.AddUsers(t.Context(), []market.Customer{
		{Username: "zoe", Email: "zoe@example.com"}, {Username: "Ann", Email: "ann@example.com"}, {Username: odd, Email: "odd@example.com"},
	}))
	must(t, service.AddProducts(t.Context(), []purchases.NewProduct{
		{ID: market.Some[int64](7), Face: "( ͡° ͜ʖ ͡°)", Size: 27, Price: 1100}, {ID: market.Some[int64](3), Face: "e\u0301", Size: 0, Price: 0}, {Face: "。◕‿◕。", Size: 12, Price: 5},
	}))
	buy := func(product int64, username, date string) purchases.NewPurchase {
		return purchases.NewPurchase{ProductID: product, Username: username, Date: market.Some(date)}
	}
	must(t, service.AddPurchases(t.Context(), []purchases.NewPurchase{
		buy(7, "Ann", "2016-08-05T08:40:51.620Z"),
		buy(3, "Ann", "2016-08-05T10:40:51.620+02:00"), // the same moment
		buy(7, "zoe", "2017-01-01T00:00:00Z"),
		buy(7, "Ann", "2015-01-01T00:00:00Z"),
		buy(8, odd, "2016-01-01T00:00:00Z"),
		buy(8, "Ann", "2018-01-01T00:00:00Z"),
	}))
}

func newAPI(t *testing.T) *apitest.API {
	t.Helper()
	service := newService(t, nil)
	fill(t, service)
	return apitest.New(t, func(api *httpapi.API) { purchases.Routes(api.System(purchases.System()), service) })
}

func TestReading(t *testing.T) {
	apitest.Run(t, newAPI, "testdata/read.golden", []apitest.Case{
		// what works
		{Name: "users, in the order in which they came", Call: "GET /api/users"},
		{Name: "users, a part, with a slash", Call: "GET /api/users/?skip=1&limit=1"},
		{Name: "users, beyond the end", Call: "GET /api/users?skip=9007199254740991"},
		{Name: "unknown parameters are ignored", Call: "GET /api/users?limit=1&page=2"},
		{Name: "a user", Call: "GET /api/users/Ann"},
		{Name: "a user, unchanged", Call: "GET /api/users/Ann", Header: `If-None-Match: "1"`},
		{Name: "a user whose name must be escaped", Call: "GET /api/users/%C3%A9vry%2F%252F%20%3F"},
		{Name: "products, in the order in which they came", Call: "GET /api/products"},
		{Name: "products, a part", Call: "GET /api/products?skip=2&limit=1000"},
		{Name: "a product", Call: "GET /api/products/3"},
		{Name: "a product with a slash", Call: "GET /api/products/7/"},
		{Name: "by user, newest first", Call: "GET /api/purchases/by_user/Ann"},
		{Name: "by user, a part", Call: "GET /api/purchases/by_user/Ann?skip=1&limit=2"},
		{Name: "by user, escaped", Call: "GET /api/purchases/by_user/%C3%A9vry%2F%252F%20%3F"},
		{Name: "by user, unknown", Call: "GET /api/purchases/by_user/ann"},
		{Name: "by product, newest first", Call: "GET /api/purchases/by_product/7"},
		{Name: "by product, a part", Call: "GET /api/purchases/by_product/7?skip=2"},
		{Name: "by product, unknown", Call: "GET /api/purchases/by_product/9"},
		// 400
		{Name: "limit 0", Call: "GET /api/users?limit=0"},
		{Name: "limit 1001 and a skip below 0", Call: "GET /api/products?limit=1001&skip=-1"},
		{Name: "limit given twice", Call: "GET /api/purchases/by_user/Ann?limit=1&limit=2"},
		{Name: "skip is no number", Call: "GET /api/purchases/by_product/7?skip=x"},
		{Name: "a product's id is none", Call: "GET /api/products/abc"},
		{Name: "a product's id is 0", Call: "GET /api/products/0"},
		{Name: "a product's id is too long", Call: "GET /api/products/99999999999999999999999999999"},
		{Name: "by a product whose id is none", Call: "GET /api/purchases/by_product/+1"},
		{Name: "a name that is not UTF-8", Call: "GET /api/users/%FF"},
		// 404 and 405
		{Name: "an unknown user: case matters", Call: "GET /api/users/ann"},
		{Name: "an unknown product", Call: "GET /api/products/9"},
		{Name: "purchases have no path of their own", Call: "GET /api/purchases/1"},
		{Name: "purchases are listed by something", Call: "GET /api/purchases"},
		{Name: "nothing is removed", Call: "DELETE /api/users/Ann"},
	})
}

func TestWriting(t *testing.T) {
	long := strings.Repeat("é", 256)
	apitest.Run(t, newAPI, "testdata/write.golden", []apitest.Case{
		// what works
		{Name: "user", Call: "POST /api/users", Body: `{"username":"ann","email":"ann@example.com"}`},
		{Name: "user whose name must be escaped", Call: "POST /api/users/", Body: `{"username":"..","email":"a/b@é"}`},
		{Name: "user again with the same key", Before: []string{`POST /api/users {"username":"bob","email":"b@b"}`}, Call: "POST /api/users", Body: `{"username":"bob","email":"b@b"}`, Header: "Idempotency-Key: k"},
		{Name: "product", Call: "POST /api/products", Body: `{"face":"(>_<)","size":"12","price":5}`},
		{Name: "product with an id of its own", Call: "POST /api/products", Body: `{"id":4,"face":"e\u0301 é <b>","size":0,"price":0}`},
		{Name: "product after one with a high id", Before: []string{`POST /api/products {"id":1000,"face":"x","size":1,"price":1}`}, Call: "POST /api/products", Body: `{"id":null,"face":"x","size":1,"price":1}`},
		{Name: "product again with the same key", Before: []string{`POST /api/products {"face":"x","size":1,"price":1}`}, Call: "POST /api/products", Body: `{"face":"x","size":1,"price":1}`, Header: "Idempotency-Key: k"},
		{Name: "purchase now", Call: "POST /api/purchases", Body: `{"product_id":7,"username":"Ann"}`},
		{Name: "purchase with an id and a date", Call: "POST /api/purchases", Body: `{"id":"50","product_id":"7","username":"évry/%2F ?","date":"2016-08-05t08:40:51.62099-01:30"}`},
		{Name: "purchase after one with a high id", Before: []string{`POST /api/purchases {"id":50,"product_id":7,"username":"Ann"}`}, Call: "POST /api/purchases", Body: `{"product_id":7,"username":"Ann","date":null}`},
		{Name: "purchase again with the same key", Before: []string{`POST /api/purchases {"product_id":7,"username":"Ann"}`}, Call: "POST /api/purchases", Body: `{"product_id":7,"username":"Ann"}`, Header: "Idempotency-Key: k"},
		{Name: "a purchase is listed", Before: []string{`POST /api/purchases {"product_id":3,"username":"zoe"}`}, Call: "GET /api/purchases/by_product/3"},
		// 400
		{Name: "user without anything", Call: "POST /api/users", Body: `{}`},
		{Name: "user with everything wrong", Call: "POST /api/users", Body: `{"username":"a\u0007","email":"@"}`},
		{Name: "user with empty texts", Call: "POST /api/users", Body: `{"username":"","email":""}`},
		{Name: "user with long texts", Call: "POST /api/users", Body: `{"username":"` + long + `","email":"a@` + long + `"}`},
		{Name: "user with more", Call: "POST /api/users", Body: `{"username":"bob","email":"b@b","password":"x"}`},
		{Name: "user with a null character", Call: "POST /api/users", Body: `{"username":"a\u0000","email":"b@b"}`},
		{Name: "product with everything wrong", Call: "POST /api/products", Body: `{"id":0,"face":"","size":-1,"price":9007199254740992}`},
		{Name: "product with fractions", Call: "POST /api/products", Body: `{"face":"x","size":1.5,"price":"1e309"}`},
		{Name: "product with null and wrong types", Call: "POST /api/products", Body: `{"face":null,"size":true,"price":[]}`},
		{Name: "purchase with a bad date and a bad id", Call: "POST /api/purchases", Body: `{"id":-1,"product_id":7,"username":"Ann","date":"2016-02-30T00:00:00Z"}`},
		{Name: "purchase of an unknown product", Call: "POST /api/purchases", Body: `{"product_id":9,"username":"Ann"}`},
		{Name: "purchase by an unknown user", Call: "POST /api/purchases", Body: `{"product_id":7,"username":"ann"}`},
		{Name: "purchase by nobody of nothing, with an id that is taken", Call: "POST /api/purchases", Body: `{"id":1,"product_id":-9,"username":""}`},
		{Name: "broken JSON", Call: "POST /api/purchases", Body: `{"product_id":7,`},
		{Name: "not JSON", Call: "POST /api/purchases", Body: `product_id=7`, Header: "Content-Type: application/x-www-form-urlencoded"},
		// 409
		{Name: "user that exists", Call: "POST /api/users", Body: `{"username":"Ann","email":"other@example.com"}`},
		{Name: "product whose id is taken", Call: "POST /api/products", Body: `{"id":7,"face":"x","size":1,"price":1}`},
		{Name: "purchase whose id is taken", Call: "POST /api/purchases", Body: `{"id":1,"product_id":3,"username":"zoe"}`},
		{Name: "an id is not used up by what is refused", Before: []string{}, Call: "POST /api/purchases", Body: `{"id":7,"product_id":7,"username":"Ann"}`},
		{Name: "key used with another body", Before: []string{`POST /api/purchases {"product_id":7,"username":"Ann"}`}, Call: "POST /api/purchases", Body: `{"product_id":3,"username":"Ann"}`, Header: "Idempotency-Key: k"},
	})
}

// TestProtected: what one customer bought is not for everybody.
func TestProtected(t *testing.T) {
	service := newService(t, nil)
	fill(t, service)
	api := apitest.NewWith(t, httpapi.Options{Tokens: apitest.Tokens{}, Mode: httpapi.Protected},
		func(api *httpapi.API) { purchases.Routes(api.System(purchases.System()), service) })
	for call, want := range map[string][3]int{ // nobody, a user, staff
		"GET /api/users":                  {401, 403, 200},
		"GET /api/users/Ann":              {401, 403, 200},
		"GET /api/purchases/by_user/Ann":  {401, 403, 200},
		"GET /api/purchases/by_product/7": {401, 403, 200},
		"GET /api/products":               {200, 200, 200},
		"GET /api/products/7":             {200, 200, 200},
		"POST /api/users {":               {401, 403, 400},
		"POST /api/products {":            {401, 403, 400},
		"POST /api/purchases {":           {401, 403, 400},
	} {
		for i, token := range []string{"", "Authorization: Bearer user-1", "Authorization: Bearer staff-2"} {
			call, body, _ := strings.Cut(call, " {")
			if strings.HasPrefix(call, "POST") {
				body = "{}"
			}
			if w := api.Do(t, call, body, token); w.Code != want[i] {
				t.Errorf("%s with %q: %d, want %d", call, token, w.Code, want[i])
			}
		}
	}
}

// TestWhatIsDropped: each write drops what it makes stale, and nothing else; one
// that is refused drops nothing.
func TestWhatIsDropped(t *testing.T) {
	d := &dropped{}
	service := newService(t, d.drop)
	for _, c := range []struct {
		name  string
		write func() error
		want  []string
		fails bool
	}{
		{"user", func() error {
			_, err := service.AddUser(t.Context(), market.Customer{Username: "Ann", Email: "a@b"})
			return err
		}, []string{market.CustomerKey("Ann")}, false},
		{"user that exists", func() error {
			_, err := service.AddUser(t.Context(), market.Customer{Username: "Ann", Email: "a@b"})
			return err
		}, nil, true},
		{"product", func() error { _, err := service.AddProduct(t.Context(), purchases.NewProduct{Face: "x"}); return err }, []string{market.ProductKey(1)}, false},
		{"bad product", func() error { _, err := service.AddProduct(t.Context(), purchases.NewProduct{}); return err }, nil, true},
		{"purchase", func() error {
			_, err := service.AddPurchase(t.Context(), purchases.NewPurchase{ProductID: 1, Username: "Ann"})
			return err
		}, []string{market.PurchasesOfKey("Ann"), market.BuyersOfKey(1)}, false},
		{"purchase by nobody", func() error {
			_, err := service.AddPurchase(t.Context(), purchases.NewPurchase{ProductID: 1, Username: "x"})
			return err
		}, nil, true},
		{"batch", func() error {
			return service.AddPurchases(t.Context(), []purchases.NewPurchase{{ProductID: 1, Username: "Ann"}, {ProductID: 1, Username: "Ann"}})
		}, []string{market.PurchasesOfKey("Ann"), market.BuyersOfKey(1)}, false},
		{"batch of none", func() error { return service.AddUsers(t.Context(), nil) }, nil, false},
	} {
		d.keys = nil
		if err := c.write(); (err != nil) != c.fails || !slices.Equal(d.keys, c.want) {
			t.Errorf("%s: dropped %q, %v; want %q", c.name, d.keys, err, c.want)
		}
	}
	d.err = context.DeadlineExceeded
	if _, err := service.AddUser(t.Context(), market.Customer{Username: "Bob", Email: "a@b"}); err != nil {
		t.Errorf("a cache that fails undid the write: %v", err)
	}
	if _, err := service.User(t.Context(), "Bob"); err != nil {
		t.Error(err)
	}
}

// TestBatchIsWhole: one bad row, and none is added; its place is told.
func TestBatchIsWhole(t *testing.T) {
	service := newService(t, nil)
	fill(t, service)
	err := service.AddPurchases(t.Context(), []purchases.NewPurchase{{ProductID: 7, Username: "zoe"}, {ProductID: 9, Username: "zoe"}})
	if market.KindOf(err) != market.Invalid || !strings.Contains(err.Error(), "purchase 2 of 2: there is no product 9") {
		t.Errorf("got %v", err)
	}
	if all, err := service.ByUser(t.Context(), "zoe", 0, 10); err != nil || len(all) != 1 {
		t.Errorf("got %v, %v; want the one from before", all, err)
	}
}

// TestTenUnlessAskedForMore checks the length of each list by default and at
// most.
func TestTenUnlessAskedForMore(t *testing.T) {
	service, err := purchases.New(purchases.Options{DB: dbtest.Open(t, "purchases", purchases.Migrations()), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	var users []market.Customer
	var products []purchases.NewProduct
	var bought []purchases.NewPurchase
	for i := range 1001 {
		users = append(users, market.Customer{Username: fmt.Sprint("user", i), Email: "a@b"})
		products = append(products, purchases.NewProduct{Face: "f"})
		bought = append(bought, purchases.NewPurchase{ProductID: 1, Username: "user0"})
	}
	for _, err := range []error{service.AddUsers(t.Context(), users), service.AddProducts(t.Context(), products), service.AddPurchases(t.Context(), bought)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	api := apitest.New(t, func(api *httpapi.API) { purchases.Routes(api.System(purchases.System()), service) })
	for path, field := range map[string]string{"users": "email", "products": "face", "purchases/by_user/user0": "date", "purchases/by_product/1": "date"} {
		for query, want := range map[string]int{"": 10, "?skip=995": 6, "?limit=1000": 1000, "?skip=1&limit=1000": 1000, "?skip=1001": 0} {
			w := api.Do(t, "GET /api/"+path+query, "", "")
			if n := strings.Count(w.Body.String(), field); n != want {
				t.Errorf("%s%s gives %d, want %d", path, query, n, want)
			}
		}
	}
}
