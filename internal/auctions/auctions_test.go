package auctions_test

import (
	"testing"
	"time"

	"emporium/internal/auctions"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/apitest"
)

// fixed is a clock that stands.
func fixed() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }

func newService(t testing.TB) *auctions.Service {
	t.Helper()
	service, err := auctions.New(auctions.Options{DB: dbtest.Open(t, "auctions", auctions.Migrations(), fixed), Now: fixed})
	if err != nil {
		t.Fatal(err)
	}
	return service
}

// newAPI is the bid tracker on a real database: Albert, Berta and Chris (who
// has no bid and is the bidder of account 7); a violin that bid2 wins, a lute
// whose two bids are equal, and a harp without bids.
func newAPI(t *testing.T) *apitest.API {
	t.Helper()
	service := newService(t)
	_, err := service.AddUsers(t.Context(), []auctions.NewUser{{Name: "Albert"}, {Name: "Berta"}, {Name: "Chris", Account: 7}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := service.AddItems(t.Context(), []auctions.NewItem{{Name: "Violin"}, {Name: "Lute"}, {Name: "Harp"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := service.PlaceBids(t.Context(), []auctions.NewBid{
		{Item: "item1", User: "user1", Value: "100"},
		{Item: "item1", User: "user2", Value: "250.50"},
		{Item: "item2", User: "user1", Value: "40"},
		{Item: "item2", User: "user2", Value: "40"},
		{Item: "item1", User: "user1", Value: "99.99"},
	}); err != nil {
		t.Fatal(err)
	}
	return apitest.New(t, func(api *httpapi.API) { auctions.Routes(api.System(auctions.System()), service) })
}

func TestUsers(t *testing.T) {
	apitest.Run(t, newAPI, "testdata/users.golden", []apitest.Case{
		// what works
		{Name: "list", Call: "GET /api/v1/users"},
		{Name: "list with a slash", Call: "GET /api/v1/users/"},
		{Name: "first page", Call: "GET /api/v1/users?limit=2"},
		{Name: "last page", Call: "GET /api/v1/users?limit=2&cursor=c2"},
		{Name: "create", Call: "POST /api/v1/users", Body: `{"name":"Dora","shoe_size":38}`},
		{Name: "create again with the same key", Before: []string{`POST /api/v1/users {"name":"Dora"}`}, Call: "POST /api/v1/users", Body: `{"name":"Dora"}`, Header: "Idempotency-Key: k"},
		{Name: "create with an account of one's own", Call: "POST /api/v1/users", Body: `{"name":"Dora","account_id":8}`, Header: "Authorization: Bearer user-8"},
		{Name: "create with another's account, as staff", Call: "POST /api/v1/users", Body: `{"name":"Dora","account_id":8}`, Header: "Authorization: Bearer staff-1"},
		{Name: "get", Call: "GET /api/v1/users/user1"},
		{Name: "get with a body", Call: "GET /api/v1/users/user1", Body: `{"nonsense`, Header: "Content-Type: text/plain"},
		{Name: "get unchanged", Call: "GET /api/v1/users/user1", Header: `If-None-Match: "1"`},
		{Name: "rename", Call: "PUT /api/v1/users/user1", Body: `{"name":"Alberta"}`},
		{Name: "rename with what a put gave", Call: "PUT /api/v1/users/user1", Body: `{"user_id":"user1","name":"Alberta"}`},
		{Name: "rename to the same", Call: "PUT /api/v1/users/user1", Body: `{"name":"Albert"}`},
		{Name: "rename with the right version", Call: "PUT /api/v1/users/user1", Body: `{"name":"Alberta"}`, Header: `If-Match: "1"`},
		{Name: "items bid on", Call: "GET /api/v1/users/user1/items"},
		{Name: "items bid on, none", Call: "GET /api/v1/users/user3/items"},
		{Name: "items bid on, the first bid gone", Before: []string{"DELETE /api/v1/bids/bid1"}, Call: "GET /api/v1/users/user1/items"},
		{Name: "delete", Call: "DELETE /api/v1/users/user2"},
		{Name: "delete, and winners are chosen again", Before: []string{"DELETE /api/v1/users/user2"}, Call: "GET /api/v1/items"},
		{Name: "delete, and of two equal bids the one changed last does not win", Before: []string{
			`POST /api/v1/bids {"bid":{"item":"item2","value":90,"user":"user3"}}`,
			`PUT /api/v1/bids/bid3 {"bid":{"value":41}}`, `PUT /api/v1/bids/bid3 {"bid":{"value":40}}`,
			"DELETE /api/v1/users/user3",
		}, Call: "GET /api/v1/items/item2?winningOnly=1"},
		{Name: "delete, and its bids are gone", Before: []string{"DELETE /api/v1/users/user2"}, Call: "GET /api/v1/bids"},
		{Name: "delete all, and ids go on", Before: []string{"DELETE /api/v1/users/user1", "DELETE /api/v1/users/user2", "DELETE /api/v1/users/user3"}, Call: "POST /api/v1/users", Body: `{"name":"Dora"}`},
		// 400
		{Name: "create without a name", Call: "POST /api/v1/users", Body: `{}`},
		{Name: "create with an empty name", Call: "POST /api/v1/users", Body: `{"name":""}`},
		{Name: "create with a number for a name", Call: "POST /api/v1/users", Body: `{"name":5}`},
		{Name: "create with null", Call: "POST /api/v1/users", Body: `{"name":null}`},
		{Name: "create with a null character", Call: "POST /api/v1/users", Body: `{"name":"a\u0000b"}`},
		{Name: "rename to nothing", Call: "PUT /api/v1/users/user1", Body: `{"name":""}`},
		{Name: "rename without a name", Call: "PUT /api/v1/users/user1", Body: `{}`},
		{Name: "rename and another id", Call: "PUT /api/v1/users/user1", Body: `{"name":"","user_id":"user2"}`},
		{Name: "bad limit", Call: "GET /api/v1/users?limit=0"},
		{Name: "no content type", Call: "POST /api/v1/users", Body: `{"name":"Dora"}`, Header: "Content-Type: text/plain"},
		// 403
		{Name: "create with an account that cannot be, as staff", Call: "POST /api/v1/users", Body: `{"name":"","account_id":-5}`, Header: "Authorization: Bearer staff-1"},
		{Name: "create with another's account", Call: "POST /api/v1/users", Body: `{"name":"Dora","account_id":8}`, Header: "Authorization: Bearer user-9"},
		// 404
		{Name: "get what is not there", Call: "GET /api/v1/users/user4"},
		{Name: "get zero", Call: "GET /api/v1/users/user0"},
		{Name: "get with a sign", Call: "GET /api/v1/users/user+1"},
		{Name: "get with a leading zero", Call: "GET /api/v1/users/user01"},
		{Name: "get without a prefix", Call: "GET /api/v1/users/1"},
		{Name: "get abc", Call: "GET /api/v1/users/abc"},
		{Name: "get twenty nines", Call: "GET /api/v1/users/user99999999999999999999"},
		{Name: "rename what is not there, with bad values", Call: "PUT /api/v1/users/user4", Body: `{"name":""}`},
		{Name: "items of nobody", Call: "GET /api/v1/users/user4/items"},
		{Name: "delete what is not there", Call: "DELETE /api/v1/users/user4"},
		// 405, 409, 412
		{Name: "patch", Call: "PATCH /api/v1/users/user1"},
		{Name: "create with an account that has one", Call: "POST /api/v1/users", Body: `{"name":"Dora","account_id":"7"}`, Header: "Authorization: Bearer user-7"},
		{Name: "rename with an old version", Call: "PUT /api/v1/users/user1", Body: `{"name":"Alberta"}`, Header: `If-Match: "7"`},
		{Name: "delete with an old version", Call: "DELETE /api/v1/users/user1", Header: `If-Match: "7"`},
	})
}

func TestItems(t *testing.T) {
	apitest.Run(t, newAPI, "testdata/items.golden", []apitest.Case{
		// what works
		{Name: "list", Call: "GET /api/v1/items"},
		{Name: "first page", Call: "GET /api/v1/items?limit=1"},
		{Name: "last page", Call: "GET /api/v1/items?limit=2&cursor=c1"},
		{Name: "create", Call: "POST /api/v1/items", Body: `{"item":{"name":"Drum"}}`},
		{Name: "create again with the same key", Before: []string{`POST /api/v1/items {"item":{"name":"Drum"}}`}, Call: "POST /api/v1/items", Body: `{"item":{"name":"Drum"}}`, Header: "Idempotency-Key: k"},
		{Name: "get", Call: "GET /api/v1/items/item1"},
		{Name: "get without bids", Call: "GET /api/v1/items/item3"},
		{Name: "get zeros", Call: "GET /api/v1/items/item1?complete=0&winningOnly=0"},
		{Name: "get the winner only", Call: "GET /api/v1/items/item1?winningOnly=1"},
		{Name: "get complete", Call: "GET /api/v1/items/item1?complete=1"},
		{Name: "get complete without bids", Call: "GET /api/v1/items/item3?complete=1"},
		{Name: "get complete and the winner only", Call: "GET /api/v1/items/item1?complete=1&winningOnly=1"},
		{Name: "get unchanged", Call: "GET /api/v1/items/item1", Header: `If-None-Match: "4"`},
		{Name: "get unchanged, but another variant", Call: "GET /api/v1/items/item1?complete=1", Header: `If-None-Match: "4"`},
		{Name: "rename", Call: "PUT /api/v1/items/item1", Body: `{"item":{"name":"Viola"}}`},
		{Name: "rename nothing", Call: "PUT /api/v1/items/item1", Body: `{"item":{}}`},
		{Name: "rename with what a get gave", Call: "PUT /api/v1/items/item1", Body: `{"item":{"name":"Viola","winning":"bid2","bids":["bid1","bid2","bid5"]}}`},
		{Name: "rename with what a complete get gave", Call: "PUT /api/v1/items/item2", Body: `{"item_id":"item2","item":{"name":"Big lute","winning":"bid3","bids":[{"bid_id":"bid3","bid":{"item":"item2","value":40.0,"user":"user1"}},{"bid_id":"bid4","bid":{"item":"item2","value":"40","user":"user2"}}]}}`},
		{Name: "rename one without bids with what a get gave", Call: "PUT /api/v1/items/item3", Body: `{"item":{"name":"Big harp","winning":null,"bids":[]}}`},
		{Name: "rename with the version of a variant", Call: "PUT /api/v1/items/item1", Body: `{"item":{"name":"Viola"}}`, Header: `If-Match: "4.complete"`},
		{Name: "delete", Call: "DELETE /api/v1/items/item1"},
		{Name: "delete, and its bids are gone", Before: []string{"DELETE /api/v1/items/item1"}, Call: "GET /api/v1/bids"},
		{Name: "delete all, and ids go on", Before: []string{"DELETE /api/v1/items/item1", "DELETE /api/v1/items/item2", "DELETE /api/v1/items/item3"}, Call: "POST /api/v1/items", Body: `{"item":{"name":"Drum"}}`},
		// 400
		{Name: "create without an item", Call: "POST /api/v1/items", Body: `{"name":"Drum"}`},
		{Name: "create without a name", Call: "POST /api/v1/items", Body: `{"item":{}}`},
		{Name: "create with an empty name", Call: "POST /api/v1/items", Body: `{"item":{"name":""}}`},
		{Name: "create with an array for an item", Call: "POST /api/v1/items", Body: `{"item":[]}`},
		{Name: "rename to nothing", Call: "PUT /api/v1/items/item1", Body: `{"item":{"name":""}}`},
		{Name: "change everything read-only", Call: "PUT /api/v1/items/item1", Body: `{"item_id":"item2","item":{"winning":"bid1","bids":["bid1","bid2"]}}`},
		{Name: "change the winner to none", Call: "PUT /api/v1/items/item1", Body: `{"item":{"winning":null}}`},
		{Name: "change a bid's value here", Call: "PUT /api/v1/items/item2", Body: `{"item":{"bids":["bid3",{"bid_id":"bid4","bid":{"item":"item2","value":41,"user":"user2"}}]}}`},
		{Name: "bids that are none", Call: "PUT /api/v1/items/item9", Body: `{"item":{"bids":[1]}}`},
		{Name: "bad flags", Call: "GET /api/v1/items/item1?complete=true&winningOnly=2"},
		{Name: "a flag twice", Call: "GET /api/v1/items/item1?complete=1&complete=0"},
		// 404
		{Name: "get what is not there", Call: "GET /api/v1/items/item9"},
		{Name: "get complete what is not there", Call: "GET /api/v1/items/item9?complete=1"},
		{Name: "get the winner of what is not there", Call: "GET /api/v1/items/item9?winningOnly=1"},
		{Name: "get a user", Call: "GET /api/v1/items/user1"},
		{Name: "get twenty nines", Call: "GET /api/v1/items/item99999999999999999999"},
		{Name: "rename what is not there, with bad values", Call: "PUT /api/v1/items/item9", Body: `{"item":{"name":""}}`},
		{Name: "delete what is not there", Call: "DELETE /api/v1/items/item9"},
		// 405, 412
		{Name: "post to an item", Call: "POST /api/v1/items/item1", Body: `{}`},
		{Name: "rename with a version from before a bid", Before: []string{`POST /api/v1/bids {"bid":{"item":"item1","value":1,"user":"user1"}}`}, Call: "PUT /api/v1/items/item1", Body: `{"item":{"name":"Viola"}}`, Header: `If-Match: "4"`},
		{Name: "delete with an old version", Call: "DELETE /api/v1/items/item1", Header: `If-Match: "3"`},
	})
}

func TestBids(t *testing.T) {
	const place = `POST /api/v1/bids {"bid":{"item":"item1","value":300,"user":"user1"}}`
	apitest.Run(t, newAPI, "testdata/bids.golden", []apitest.Case{
		// what works
		{Name: "list", Call: "GET /api/v1/bids"},
		{Name: "first page", Call: "GET /api/v1/bids?limit=2"},
		{Name: "last page", Call: "GET /api/v1/bids?limit=2&cursor=c4"},
		{Name: "place", Call: "POST /api/v1/bids", Body: `{"bid":{"item":"item1","value":300.5,"user":"user1"}}`},
		{Name: "place the highest", Before: []string{place}, Call: "GET /api/v1/items/item1"},
		{Name: "place with a string", Call: "POST /api/v1/bids/", Body: `{"bid":{"item":"item1","value":"0.01","user":"user1"}}`},
		{Name: "place with an exponent", Call: "POST /api/v1/bids", Body: `{"bid":{"item":"item1","value":1.8e2,"user":"user1"}}`},
		{Name: "place the largest", Call: "POST /api/v1/bids", Body: `{"bid":{"item":"item1","value":999999999999.99,"user":"user1"}}`},
		{Name: "place a lower one, which does not win", Before: []string{`POST /api/v1/bids {"bid":{"item":"item1","value":250.49,"user":"user1"}}`}, Call: "GET /api/v1/items/item1"},
		{Name: "place an equal one, which does not win", Before: []string{`POST /api/v1/bids {"bid":{"item":"item1","value":"250.5","user":"user1"}}`}, Call: "GET /api/v1/items/item1"},
		{Name: "place again with the same key", Before: []string{place}, Call: "POST /api/v1/bids", Body: `{"bid":{"item":"item1","value":300,"user":"user1"}}`, Header: "Idempotency-Key: k"},
		{Name: "get", Call: "GET /api/v1/bids/bid2"},
		{Name: "get unchanged", Call: "GET /api/v1/bids/bid2", Header: `If-None-Match: "1"`},
		{Name: "change the value", Call: "PUT /api/v1/bids/bid1", Body: `{"bid":{"value":"251"}}`},
		{Name: "change the value, and win", Before: []string{`PUT /api/v1/bids/bid1 {"bid":{"value":251}}`}, Call: "GET /api/v1/items/item1"},
		{Name: "change the winner, and lose", Before: []string{`PUT /api/v1/bids/bid2 {"bid":{"value":1}}`}, Call: "GET /api/v1/items/item1"},
		{Name: "change to equal, which counts from now", Before: []string{`PUT /api/v1/bids/bid1 {"bid":{"value":250.5}}`}, Call: "GET /api/v1/items/item1"},
		{Name: "change and back: the equal one was earlier", Before: []string{`PUT /api/v1/bids/bid3 {"bid":{"value":1}}`, `PUT /api/v1/bids/bid3 {"bid":{"value":40}}`}, Call: "GET /api/v1/items/item2"},
		{Name: "change to the same: still the earlier", Before: []string{`PUT /api/v1/bids/bid3 {"bid":{"value":40.00}}`}, Call: "GET /api/v1/items/item2"},
		{Name: "change the user: still the earlier", Before: []string{`PUT /api/v1/bids/bid3 {"bid":{"user":"user3"}}`}, Call: "GET /api/v1/items/item2?complete=1"},
		{Name: "change the user", Call: "PUT /api/v1/bids/bid1", Body: `{"bid":{"user":"user3"}}`},
		{Name: "change with what a get gave", Call: "PUT /api/v1/bids/bid1", Body: `{"bid_id":"bid1","bid":{"item":"item1","value":101,"user":"user1"}}`},
		{Name: "change nothing", Call: "PUT /api/v1/bids/bid1", Body: `{"bid":{}}`},
		{Name: "change with the right version", Call: "PUT /api/v1/bids/bid1", Body: `{"bid":{"value":101}}`, Header: `If-Match: "1"`},
		{Name: "delete", Call: "DELETE /api/v1/bids/bid2"},
		{Name: "delete the winner", Before: []string{"DELETE /api/v1/bids/bid2"}, Call: "GET /api/v1/items/item1"},
		{Name: "delete the earlier of two equal ones", Before: []string{"DELETE /api/v1/bids/bid3"}, Call: "GET /api/v1/items/item2"},
		{Name: "delete all, and ids go on", Before: []string{"DELETE /api/v1/bids/bid1", "DELETE /api/v1/bids/bid2", "DELETE /api/v1/bids/bid5"}, Call: "POST /api/v1/bids", Body: `{"bid":{"item":"item1","value":1,"user":"user1"}}`},
		{Name: "delete all, and nothing wins", Before: []string{"DELETE /api/v1/bids/bid3", "DELETE /api/v1/bids/bid4"}, Call: "GET /api/v1/items/item2"},
		// 400
		{Name: "place without anything", Call: "POST /api/v1/bids", Body: `{"bid":{}}`},
		{Name: "place without a bid", Call: "POST /api/v1/bids", Body: `{"value":5}`},
		{Name: "place on an unknown item", Call: "POST /api/v1/bids", Body: `{"bid":{"item":"item9","value":5,"user":"user1"}}`},
		{Name: "place for an unknown user", Call: "POST /api/v1/bids", Body: `{"bid":{"item":"item1","value":5,"user":"abc"}}`},
		{Name: "place with everything wrong", Call: "POST /api/v1/bids", Body: `{"bid":{"item":"item99999999999999999999","value":0,"user":"user0"}}`},
		{Name: "place zero", Call: "POST /api/v1/bids", Body: `{"bid":{"item":"item1","value":0,"user":"user1"}}`},
		{Name: "place minus zero", Call: "POST /api/v1/bids", Body: `{"bid":{"item":"item1","value":-0,"user":"user1"}}`},
		{Name: "place less than zero", Call: "POST /api/v1/bids", Body: `{"bid":{"item":"item1","value":-1,"user":"user1"}}`},
		{Name: "place three decimals", Call: "POST /api/v1/bids", Body: `{"bid":{"item":"item1","value":1.234,"user":"user1"}}`},
		{Name: "place too much", Call: "POST /api/v1/bids", Body: `{"bid":{"item":"item1","value":1000000000000,"user":"user1"}}`},
		{Name: "place far too much", Call: "POST /api/v1/bids", Body: `{"bid":{"item":"item1","value":1e309,"user":"user1"}}`},
		{Name: "place NaN", Call: "POST /api/v1/bids", Body: `{"bid":{"item":"item1","value":"NaN","user":"user1"}}`},
		{Name: "place true", Call: "POST /api/v1/bids", Body: `{"bid":{"item":1,"value":true,"user":null}}`},
		{Name: "change to an unknown user and too little", Call: "PUT /api/v1/bids/bid1", Body: `{"bid":{"value":-5,"user":"user9"}}`},
		{Name: "change the item", Call: "PUT /api/v1/bids/bid1", Body: `{"bid":{"item":"item2"}}`},
		{Name: "change the id", Call: "PUT /api/v1/bids/bid1", Body: `{"bid_id":"bid2","bid":{}}`},
		{Name: "change without a bid", Call: "PUT /api/v1/bids/bid1", Body: `{}`},
		{Name: "broken JSON", Call: "POST /api/v1/bids", Body: `{"bid":{"item":`},
		// 404 comes before the values
		{Name: "get what is not there", Call: "GET /api/v1/bids/bid9"},
		{Name: "get abc", Call: "GET /api/v1/bids/abc"},
		{Name: "change what is not there, with bad values", Call: "PUT /api/v1/bids/bid9", Body: `{"bid":{"value":-5}}`},
		{Name: "delete what is not there", Call: "DELETE /api/v1/bids/bid9"},
		// 405, 412
		{Name: "patch", Call: "PATCH /api/v1/bids"},
		{Name: "change with an old version", Call: "PUT /api/v1/bids/bid1", Body: `{"bid":{"value":5}}`, Header: `If-Match: "7"`},
		{Name: "change with an old version and bad values", Call: "PUT /api/v1/bids/bid1", Body: `{"bid":{"value":0}}`, Header: `If-Match: "7"`},
		{Name: "delete with an old version", Call: "DELETE /api/v1/bids/bid1", Header: `If-Match: "7"`},
	})
}
