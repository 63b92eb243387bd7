package coupons_test

import (
	"strings"
	"testing"
	"time"

	"emporium/internal/coupons"
	"emporium/internal/market"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/apitest"
)

// now is the clock of the tests.
func now() time.Time { return time.Date(2020, 2, 29, 12, 0, 0, 123456789, time.UTC) }

func newService(tb testing.TB) *coupons.Service {
	tb.Helper()
	service, err := coupons.New(coupons.Options{DB: dbtest.Open(tb, "coupons", coupons.Migrations(), now), Now: now})
	if err != nil {
		tb.Fatal(err)
	}
	return service
}

func newOn(tb testing.TB, service *coupons.Service) *apitest.API {
	tb.Helper()
	return apitest.New(tb, func(api *httpapi.API) { coupons.Routes(api.System(coupons.System()), service) })
}

func add(tb testing.TB, service *coupons.Service, d coupons.Draft) {
	tb.Helper()
	if _, err := service.AddCoupon(tb.Context(), d); err != nil {
		tb.Fatal(err)
	}
}

// whole is a valid coupon that says everything.
var whole = coupons.Draft{
	Category: market.Some("Food"), Code: market.Some("PAIN10"), Description: market.Some("Ten percent off all bread."),
	Merchant: market.Some("Boulangerie du Port"), Title: market.Some("10% off"),
	Store: market.Some(coupons.Store{
		Lat: new(48.85661412), Long: new(2.352222), City: new("Paris"), Phone: new("+33 1 23 45 67 89"),
		State: new("Île-de-France"), Street: new("1 rue de la Paix"), Zip: new("75002"),
	}),
	ExpireAt: market.Some("2016-09-05T08:40:51.620Z"), PublishedAt: market.Some("2016-08-05T08:40:51.620Z"),
}

// newAPI has two coupons: a whole and valid one, and an invalid one of which
// little is known.
func newAPI(t *testing.T) *apitest.API {
	t.Helper()
	service := newService(t)
	add(t, service, whole)
	add(t, service, coupons.Draft{Title: market.Some("gone"), ExpireAt: market.Some("2016-08-05T08:40:51.620Z")})
	return newOn(t, service)
}

func TestCoupons(t *testing.T) {
	const all = `{"category":"Toys","couponcode":"T5","description":"d","merchant":"m","title":"t","store":{"lat":1.23456789,"long":"-2.5","city":"c","phone":"p","state":"s","street":"r","zip":"z"},"expire_at":"2020-01-02T03:04:05.6Z","published_at":"2020-01-01T00:00:00.123999Z"}`
	apitest.Run(t, newAPI, "testdata/coupons.golden", []apitest.Case{
		// 200
		{Name: "list", Call: "GET /coupons"},
		{Name: "list with a slash", Call: "GET /coupons/?limit=1"},
		{Name: "list of what is empty", Before: []string{"DELETE /coupons/1", "DELETE /coupons/2"}, Call: "GET /coupons"},
		{Name: "valid", Call: "GET /coupons?status=valid"},
		{Name: "invalid", Call: "GET /coupons?status=invalid"},
		{Name: "equal dates are valid", Before: []string{`PUT /coupons/2 {"published_at":"2016-08-05T08:40:51.620999Z"}`}, Call: "GET /coupons?status=valid&limit=1&cursor=c1"},
		{Name: "first page", Call: "GET /coupons?limit=1"},
		{Name: "last page", Call: "GET /coupons?limit=1&cursor=c1"},
		{Name: "page of a status", Call: "GET /coupons?status=invalid&limit=1"},
		{Name: "get", Call: "GET /coupons/1"},
		{Name: "get with a slash", Call: "GET /coupons/2/"},
		{Name: "get with the tag of an older one", Call: "GET /coupons/2", Header: `If-None-Match: "7"`},
		{Name: "head", Call: "HEAD /coupons/1"},
		{Name: "get with a body", Call: "GET /coupons/2", Body: `{`},
		{Name: "update a text", Call: "PUT /coupons/1", Body: `{"title":"20% off"}`},
		{Name: "update texts to null", Call: "PUT /coupons/1", Body: `{"category":null,"couponcode":null,"description":null,"merchant":null,"title":null}`},
		{Name: "update nothing", Call: "PUT /coupons/1/", Body: `{}`},
		{Name: "update with what a get gave", Call: "PUT /coupons/2", Body: `{"id":2,"category":null,"couponcode":null,"description":null,"merchant":null,"title":"back","store":null,"expire_at":"2016-08-05T08:40:51.620Z","published_at":"2020-02-29T12:00:00.123Z"}`},
		{Name: "update with the id as text", Call: "PUT /coupons/1", Body: `{"id":"1"}`},
		{Name: "update ignores unknown fields", Call: "PUT /coupons/2", Body: `{"colour":"red","store":{"floor":3}}`},
		{Name: "update replaces the whole store", Call: "PUT /coupons/1", Body: `{"store":{"city":"Lyon"}}`},
		{Name: "update to an empty store", Call: "PUT /coupons/1", Body: `{"store":{}}`},
		{Name: "update to no store", Call: "PUT /coupons/1", Body: `{"store":null}`},
		{Name: "update with the right version", Call: "PUT /coupons/2", Body: `{"title":"x"}`, Header: `If-Match: "1"`},
		{Name: "update a date makes it invalid", Before: []string{`PUT /coupons/1 {"expire_at":"2016-08-05T08:40:51.619Z"}`}, Call: "GET /coupons?status=invalid&limit=1"},
		// 201
		{Name: "create", Call: "POST /coupons", Body: all},
		{Name: "created", Before: []string{"POST /coupons " + all}, Call: "GET /coupons/3"},
		{Name: "created from nothing", Before: []string{"POST /coupons/ {}"}, Call: "GET /coupons/3"},
		{Name: "created from nulls", Before: []string{`POST /coupons {"category":null,"couponcode":null,"description":null,"merchant":null,"title":null,"store":null,"expire_at":null,"published_at":null}`}, Call: "GET /coupons/3"},
		{Name: "created with an empty store", Before: []string{`POST /coupons {"store":{}}`}, Call: "GET /coupons/3"},
		{Name: "created with a store of nulls", Before: []string{`POST /coupons {"store":{"lat":null,"long":null,"city":null,"phone":null,"state":null,"street":null,"zip":null}}`}, Call: "GET /coupons/3"},
		{Name: "created with one date", Before: []string{`POST /coupons {"published_at":"2021-01-01T00:00:00.0Z"}`}, Call: "GET /coupons/3"},
		{Name: "created at the edges", Before: []string{`POST /coupons {"title":"","description":"𝄞\" 'x' <b>\n","store":{"lat":90,"long":-180.0000004},"expire_at":"9999-12-31T23:59:59.999999Z","published_at":"0001-01-01T00:00:00.0Z"}`}, Call: "GET /coupons/3"},
		{Name: "created next to zero", Before: []string{`POST /coupons {"store":{"lat":-0,"long":-0.0000004}}`}, Call: "GET /coupons/3"},
		{Name: "created with small and long coordinates", Before: []string{`POST /coupons {"store":{"lat":0.0000014999,"long":1.2345675000000001e2}}`}, Call: "GET /coupons/3"},
		{Name: "created ignoring the id and unknown fields", Before: []string{`POST /coupons {"id":77,"title":"t","colour":{"a":[1]}}`}, Call: "GET /coupons/3"},
		{Name: "create after the last was deleted", Before: []string{"DELETE /coupons/2", "DELETE /coupons/1"}, Call: "POST /coupons", Body: `{}`},
		{Name: "create with a charset", Call: "POST /coupons", Body: `{}`, Header: "Content-Type: application/json; charset=utf-8"},
		{Name: "create with another JSON type", Call: "POST /coupons", Body: `{}`, Header: "Content-Type: application/vnd.coupon+json"},
		{Name: "create again with the same key", Before: []string{`POST /coupons {"title":"a"}`}, Call: "POST /coupons", Body: `{"title":"a"}`, Header: "Idempotency-Key: k"},
		// 204, 304
		{Name: "delete", Call: "DELETE /coupons/1"},
		{Name: "delete the right version", Call: "DELETE /coupons/1/", Header: `If-Match: "1"`},
		{Name: "options", Call: "OPTIONS /coupons"},
		{Name: "get unchanged", Call: "GET /coupons/1", Header: `If-None-Match: "1"`},
		// 400: ids
		{Name: "id is a word", Call: "GET /coupons/abc"},
		{Name: "id is zero", Call: "GET /coupons/0"},
		{Name: "id is negative", Call: "DELETE /coupons/-1"},
		{Name: "id has a sign", Call: "GET /coupons/+1"},
		{Name: "id has an exponent", Call: "GET /coupons/1e3"},
		{Name: "id is too large", Call: "PUT /coupons/99999999999999999999", Body: `{`},
		// 400: queries
		{Name: "unknown parameter", Call: "GET /coupons?page=2"},
		{Name: "unknown parameters and a bad value", Call: "GET /coupons?b=1&a=2&status=old"},
		{Name: "unknown parameter of one coupon", Call: "GET /coupons/1?status=valid"},
		{Name: "unknown parameter of a new coupon", Call: "POST /coupons?dry=1", Body: `{}`},
		{Name: "bad status", Call: "GET /coupons?status=expired"},
		{Name: "status in capitals", Call: "GET /coupons?status=VALID"},
		{Name: "empty status", Call: "GET /coupons?status="},
		{Name: "two statuses", Call: "GET /coupons?status=valid&status=invalid"},
		{Name: "bad limit", Call: "GET /coupons?limit=1001"},
		{Name: "bad cursor", Call: "GET /coupons?cursor=2"},
		// 400: bodies
		{Name: "no body", Call: "POST /coupons", Header: "Content-Type: application/json"},
		{Name: "malformed", Call: "POST /coupons", Body: `{"title":`},
		{Name: "not an object", Call: "POST /coupons", Body: `[{}]`},
		{Name: "null", Call: "PUT /coupons/1", Body: `null`},
		{Name: "field given twice", Call: "POST /coupons", Body: `{"title":"a","title":"b"}`},
		{Name: "invalid UTF-8", Call: "POST /coupons", Body: "{\"title\":\"\xff\"}"},
		{Name: "null character", Call: "POST /coupons", Body: `{"store":{"city":"a\u0000"}}`},
		{Name: "wrong types", Call: "POST /coupons", Body: `{"category":1,"couponcode":true,"description":[],"merchant":{},"title":2.5,"store":"here","expire_at":1470386451,"published_at":{}}`},
		{Name: "wrong types in the store", Call: "PUT /coupons/1", Body: `{"store":{"lat":"north","long":true,"city":1,"zip":75002}}`},
		{Name: "coordinates that are no numbers", Call: "POST /coupons", Body: `{"store":{"lat":"NaN","long":1e309}}`},
		{Name: "coordinates out of bounds", Call: "POST /coupons", Body: `{"store":{"lat":90.000001,"long":-1e300}}`},
		{Name: "date without decimals", Call: "POST /coupons", Body: `{"expire_at":"2016-08-05T08:40:51Z"}`},
		{Name: "date with an offset", Call: "POST /coupons", Body: `{"published_at":"2016-08-05T08:40:51.620+02:00"}`},
		{Name: "dates that do not exist", Call: "POST /coupons", Body: `{"expire_at":"2016-02-30T08:40:51.620Z","published_at":"2016-12-31T23:59:60.0Z"}`},
		{Name: "change to a bad date", Call: "PUT /coupons/1", Body: `{"expire_at":""}`},
		{Name: "change a date to null", Call: "PUT /coupons/1", Body: `{"expire_at":null}`},
		{Name: "change the id, and all else is wrong too", Call: "PUT /coupons/1", Body: `{"id":2,"title":"` + strings.Repeat("é", 1001) + `","store":{"lat":91,"city":"` + strings.Repeat("x", 1001) + `"},"expire_at":"soon"}`},
		{Name: "change the id to null", Call: "PUT /coupons/1", Body: `{"id":null}`},
		{Name: "long idempotency key", Call: "POST /coupons", Body: `{}`, Header: "Idempotency-Key: " + strings.Repeat("k", 256)},
		{Name: "a bad change changes nothing", Before: []string{}, Call: "GET /coupons/2"},
		// 404
		{Name: "get what is not there", Call: "GET /coupons/3"},
		{Name: "get the largest id", Call: "GET /coupons/9223372036854775807"},
		{Name: "change what is not there, with a bad date", Call: "PUT /coupons/3", Body: `{"expire_at":"2016-08-05"}`, Header: `If-Match: "7"`},
		{Name: "delete what is not there", Call: "DELETE /coupons/3"},
		{Name: "delete twice", Before: []string{"DELETE /coupons/1"}, Call: "DELETE /coupons/1"},
		{Name: "below a coupon", Call: "GET /coupons/1/store"},
		// 405, 409, 412, 413, 415
		{Name: "patch", Call: "PATCH /coupons/1", Body: `{}`},
		{Name: "delete all", Call: "DELETE /coupons"},
		{Name: "another body with the same key", Before: []string{`POST /coupons {"title":"a"}`}, Call: "POST /coupons", Body: `{"title":"b"}`, Header: "Idempotency-Key: k"},
		{Name: "change an old version", Call: "PUT /coupons/1", Body: `{"title":"x"}`, Header: `If-Match: "7"`},
		{Name: "change an old version to a bad date", Call: "PUT /coupons/1", Body: `{"expire_at":"x"}`, Header: `If-Match: "7"`},
		{Name: "delete an old version", Call: "DELETE /coupons/1", Header: `If-Match: "7"`},
		{Name: "large body", Call: "POST /coupons", Body: `{"title":"` + strings.Repeat("x", 1<<20) + `"}`},
		{Name: "no JSON", Call: "POST /coupons", Body: `title=x`, Header: "Content-Type: application/x-www-form-urlencoded"},
		{Name: "no JSON for what is not there", Call: "PUT /coupons/3", Body: `{}`, Header: "Content-Type: text/plain"},
	})
}
