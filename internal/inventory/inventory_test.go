package inventory_test

import (
	"context"
	"testing"

	"emporium/internal/inventory"
	"emporium/internal/market"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/apitest"
)

// newAPI is the catalogue on a real database, with two movies.
func newAPI(t *testing.T) *apitest.API {
	t.Helper()
	service, err := inventory.New(dbtest.Open(t, "inventory", inventory.Migrations()))
	if err != nil {
		t.Fatal(err)
	}
	api := apitest.New(t, func(api *httpapi.API) { inventory.Routes(api.System(inventory.System()), service) })
	for _, title := range []string{"Alien", "Été meurtrier 100%"} {
		if _, err := service.AddMovie(context.Background(), inventory.Change{Title: market.Some(title)}); err != nil {
			t.Fatal(err)
		}
	}
	return api
}

func TestMovies(t *testing.T) {
	apitest.Run(t, newAPI, "testdata/movies.golden", []apitest.Case{
		// what works
		{Name: "list", Call: "GET /api/movies"},
		{Name: "list with a slash", Call: "GET /api/movies/"},
		{Name: "search, whatever the case", Call: "GET /api/movies?title=éTÉ"},
		{Name: "search takes percent as it is", Call: "GET /api/movies?title=0%25"},
		{Name: "search takes underscore as it is", Call: "GET /api/movies?title=_"},
		{Name: "first page", Call: "GET /api/movies?limit=1"},
		{Name: "last page", Call: "GET /api/movies?limit=1&cursor=c1"},
		{Name: "create", Call: "POST /api/movies", Body: `{"title":"Brazil","description":"1985"}`},
		{Name: "create without description", Call: "POST /api/movies/", Body: `{"title":"Brazil"}`},
		{Name: "create again with the same key", Before: []string{`POST /api/movies {"title":"Brazil"}`}, Call: "POST /api/movies", Body: `{"title":"Brazil"}`, Header: "Idempotency-Key: k"},
		{Name: "get", Call: "GET /api/movies/1"},
		{Name: "get unchanged", Call: "GET /api/movies/1", Header: `If-None-Match: "1"`},
		{Name: "update", Call: "PUT /api/movies/1", Body: `{"description":"1979"}`},
		{Name: "update with what a get gave", Call: "PUT /api/movies/1", Body: `{"id":1,"title":"Aliens","description":null}`},
		{Name: "update with the right version", Call: "PUT /api/movies/1", Body: `{"title":"Aliens"}`, Header: `If-Match: "1"`},
		{Name: "delete", Call: "DELETE /api/movies/1"},
		{Name: "delete all, and ids go on", Before: []string{"DELETE /api/movies"}, Call: "POST /api/movies", Body: `{"title":"Brazil"}`},
		// 400
		{Name: "create without title", Call: "POST /api/movies", Body: `{"description":"x"}`},
		{Name: "create with an empty title", Call: "POST /api/movies", Body: `{"title":""}`},
		{Name: "create with everything wrong", Call: "POST /api/movies", Body: `{"title":5,"description":{},"year":1979}`},
		{Name: "update to an empty title", Call: "PUT /api/movies/1", Body: `{"title":""}`},
		{Name: "update to null", Call: "PUT /api/movies/1", Body: `{"title":null}`},
		{Name: "update the id", Call: "PUT /api/movies/1", Body: `{"id":2}`},
		{Name: "bad id", Call: "GET /api/movies/abc"},
		// 404 comes before the values, 412 after them
		{Name: "get what is not there", Call: "GET /api/movies/3"},
		{Name: "update what is not there, with bad values", Call: "PUT /api/movies/3", Body: `{"title":""}`},
		{Name: "update with an old version", Call: "PUT /api/movies/1", Body: `{"title":"Aliens"}`, Header: `If-Match: "7"`},
		{Name: "update with an old version and bad values", Call: "PUT /api/movies/1", Body: `{"title":""}`, Header: `If-Match: "7"`},
		{Name: "delete what is not there", Call: "DELETE /api/movies/3"},
		{Name: "delete with an old version", Call: "DELETE /api/movies/1", Header: `If-Match: "7"`},
		{Name: "patch", Call: "PATCH /api/movies/1"},
	})
}
