package property_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"emporium/internal/market"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/apitest"
	"emporium/internal/property"
)

// as says that an account asks.
func as(t testing.TB, user market.UserID) context.Context {
	t.Helper()
	return market.WithIdentity(t.Context(), market.Identity{User: user})
}

func newService(t testing.TB) *property.Service {
	t.Helper()
	service, err := property.New(dbtest.Open(t, "property", property.Migrations()))
	if err != nil {
		t.Fatal(err)
	}
	return service
}

func must[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func change(name, city string, of property.TypeID) property.Change {
	return property.Change{
		Name: market.Some(name), Description: market.Some("A description."), City: market.Some(city), Type: market.Some(int64(of)),
	}
}

// fill gives accounts 1 and 2 a property each, with rooms.
func fill(t testing.TB, s *property.Service) {
	t.Helper()
	for _, name := range []string{"House", "Flat"} {
		must[property.Type](t)(s.AddType(t.Context(), property.TypeChange{Name: market.Some(name), Description: market.Some("A description.")}))
	}
	must[property.Property](t)(s.AddProperty(as(t, 1), change("Maison bleue", "Évry", 1)))
	must[property.Property](t)(s.AddProperty(as(t, 2), change("Loft", "Paris", 1)))
	room := property.RoomChange{Name: market.Some("Attic"), Description: market.Some("High up.")}
	room.Characteristics = market.Some(property.Characteristics{"surface_m2": "12.5", "floor": "2", "view": `"canal"`})
	must[property.Room](t)(s.AddRoom(as(t, 1), 1, room))
	room.Characteristics = market.Opt[property.Characteristics]{}
	must[property.Room](t)(s.AddRoom(as(t, 1), 1, room))
	must[property.Room](t)(s.AddRoom(as(t, 2), 2, room))
}

func newAPI(t *testing.T) *apitest.API {
	t.Helper()
	service := newService(t)
	fill(t, service)
	return apiOf(t, service)
}

func apiOf(t *testing.T, service *property.Service) *apitest.API {
	t.Helper()
	return apitest.New(t, func(api *httpapi.API) { property.Routes(api.System(property.System()), service) })
}

const me = "Authorization: Bearer user-1"

func long(n int) string { return `"` + strings.Repeat("é", n) + `"` }

func TestProperties(t *testing.T) {
	const post = "POST /api/property"
	const whole = `{"name":"Mill","description":"By the river.","city":"Évry","typeId":2}`
	apitest.Run(t, newAPI, "testdata/properties.golden", []apitest.Case{
		// what works
		{Name: "list", Call: "GET /api/property/", Header: me},
		{Name: "of a city, whatever the case", Call: "GET /api/property?city=évry", Header: me},
		{Name: "of a city, however its accents are typed", Call: "GET /api/property?city=E%CC%81VRY", Header: me},
		{Name: "of a part of a city's name", Call: "GET /api/property?city=Par", Header: me},
		{Name: "of a city that looks like a pattern", Call: "GET /api/property?city=P%25&colour=red", Header: me},
		{Name: "first page", Call: "GET /api/property?limit=1", Header: me},
		{Name: "last page of a city", Call: "GET /api/property?limit=1&cursor=c1&city=PARIS", Header: me},
		{Name: "create", Call: "POST /api/property/", Header: me, Body: whole},
		{Name: "create with my id, and numbers in strings", Call: post, Header: me, Body: `{"name":"Mill","description":"By the river.","city":"Évry","typeId":"2","userId":"1"}`},
		{Name: "create with texts of 255 characters", Call: post, Header: me, Body: `{"name":` + long(255) + `,"description":"x","city":"x","typeId":1}`},
		{Name: "create again with the same key", Before: []string{post + " " + whole}, Call: post, Header: me + "|Idempotency-Key: k", Body: whole},
		{Name: "get", Call: "GET /api/property/2", Header: me},
		{Name: "get unchanged", Call: "GET /api/property/1", Header: me + `|If-None-Match: "1"`},
		{Name: "update", Call: "PUT /api/property/1", Header: me, Body: `{"name":"Maison rouge","typeId":2}`},
		{Name: "update with what a get gave", Call: "PUT /api/property/1", Header: me, Body: `{"propertyId":1,"name":"Maison bleue","description":"New.","city":"PARIS","typeId":1,"userId":1}`},
		{Name: "update moves it to another city", Before: []string{`PUT /api/property/1 {"city":"Paris"}`}, Call: "GET /api/property?city=paris", Header: me},
		{Name: "update with the right version", Call: "PUT /api/property/1", Header: me + `|If-Match: "1"`, Body: `{"name":"x"}`},
		{Name: "update nothing", Call: "PUT /api/property/1", Header: me, Body: `{}`},
		{Name: "delete", Call: "DELETE /api/property/1", Header: me},
		{Name: "rooms go with it", Before: []string{"DELETE /api/property/1"}, Call: "GET /api/room/1", Header: me},
		{Name: "ids go on after a deletion", Before: []string{post + " " + whole, "DELETE /api/property/3"}, Call: post, Header: me, Body: whole},
		// 400
		{Name: "create with nothing", Call: post, Header: me, Body: `{}`},
		{Name: "create with everything wrong", Call: post, Header: me, Body: `{"name":null,"description":5,"city":[],"typeId":"two","propertyId":1}`},
		{Name: "create with bad values", Call: post, Header: me, Body: `{"name":"","description":` + long(256) + `,"city":"","typeId":3,"userId":2}`},
		{Name: "create of an unknown type", Call: post, Header: me, Body: `{"name":"Mill","description":"x","city":"x","typeId":-1}`},
		{Name: "create for somebody else", Call: post, Header: me, Body: `{"name":"Mill","description":"x","city":"x","typeId":1,"userId":2}`},
		{Name: "update with bad values", Call: "PUT /api/property/1", Header: me, Body: `{"propertyId":2,"name":"","typeId":3,"userId":2}`},
		{Name: "update to null", Call: "PUT /api/property/1", Header: me, Body: `{"name":null,"typeId":null}`},
		{Name: "bad id", Call: "GET /api/property/+1", Header: me},
		{Name: "city twice", Call: "GET /api/property?city=a&city=b", Header: me},
		// 401
		{Name: "list without a token", Call: "GET /api/property"},
		{Name: "create without a token", Call: post, Body: `{}`},
		{Name: "delete with a bad token", Call: "DELETE /api/property/abc", Header: "Authorization: Bearer nobody"},
		// 403 comes after 404 and before the values
		{Name: "update somebody else's", Call: "PUT /api/property/2", Header: me, Body: `{"name":""}`},
		{Name: "delete somebody else's", Call: "DELETE /api/property/2", Header: me + `|If-Match: "7"`},
		{Name: "staff is nobody special in open mode", Call: "DELETE /api/property/2", Header: "Authorization: Bearer staff-1"},
		// 404
		{Name: "get what is not there", Call: "GET /api/property/3", Header: me},
		{Name: "update what is not there", Call: "PUT /api/property/3", Header: me, Body: `{"name":""}`},
		{Name: "delete what is not there", Call: "DELETE /api/property/3", Header: me},
		// 412
		{Name: "update an old version", Call: "PUT /api/property/1", Header: me + `|If-Match: "7"`, Body: `{"name":"x"}`},
		{Name: "delete an old version", Call: "DELETE /api/property/1", Header: me + `|If-Match: "7"`},
	})
}

func TestRooms(t *testing.T) {
	const post = "POST /api/property/1/rooms"
	const whole = `{"name":"Cellar","description":"Low."}`
	keys := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`"k%d":%d`, i, i))
		}
		return `{"characteristics":{` + strings.Join(list, ",") + `}}`
	}
	apitest.Run(t, newAPI, "testdata/rooms.golden", []apitest.Case{
		// what works
		{Name: "list", Call: "GET /api/property/1/rooms", Header: me},
		{Name: "list of somebody else's", Call: "GET /api/property/2/rooms/", Header: me},
		{Name: "first page", Call: "GET /api/property/1/rooms?limit=1", Header: me},
		{Name: "create", Call: post + "/", Header: me, Body: whole},
		{Name: "create with characteristics", Call: post, Header: me, Body: `{"name":"Cellar","description":"Low.","propertyId":1,"characteristics":{"z":1.50,"a":"\u00e9\/","depth":-2,"é":"180","nine":1e9}}`},
		{Name: "create with no characteristics", Call: post, Header: me, Body: `{"name":"Cellar","description":"Low.","characteristics":{}}`},
		{Name: "create again with the same key", Before: []string{post + ` {"name":"Cellar","description":"Low.","characteristics":{"a":1}}`}, Call: post, Header: me + "|Idempotency-Key: k", Body: `{"name":"Cellar","description":"Low.","characteristics":{"a":1}}`},
		{Name: "create in another property with the same key", Before: []string{`POST /api/property {"name":"a","description":"b","city":"c","typeId":2}`, post + " " + whole}, Call: "POST /api/property/3/rooms/", Header: me + "|Idempotency-Key: k", Body: whole},
		{Name: "create again with and without a slash", Before: []string{post + "/ " + whole}, Call: post, Header: me + "|Idempotency-Key: k", Body: whole},
		{Name: "get", Call: "GET /api/room/1", Header: me},
		{Name: "get one without characteristics", Call: "GET /api/room/3", Header: me},
		{Name: "get unchanged", Call: "GET /api/room/1", Header: me + `|If-None-Match: "1"`},
		{Name: "update", Call: "PUT /api/room/1", Header: me, Body: `{"name":"Loft"}`},
		{Name: "update with what a get gave", Call: "PUT /api/room/1", Header: me, Body: `{"roomId":1,"name":"Attic","description":"High.","propertyId":1,"characteristics":{"surface_m2":12.5}}`},
		{Name: "update with 50 keys", Call: "PUT /api/room/2", Header: me, Body: keys(50)},
		{Name: "update with long keys and strings", Call: "PUT /api/room/2", Header: me, Body: `{"characteristics":{` + long(64) + `:` + long(255) + `}}`},
		{Name: "update removes characteristics", Call: "PUT /api/room/1", Header: me, Body: `{"characteristics":{}}`},
		{Name: "delete", Call: "DELETE /api/room/1", Header: me},
		{Name: "ids go on after a deletion", Before: []string{post + " " + whole, "DELETE /api/room/4"}, Call: post, Header: me, Body: whole},
		// 400
		{Name: "create with nothing", Call: post, Header: me, Body: `{}`},
		{Name: "create with everything wrong", Call: post, Header: me, Body: `{"name":1,"description":null,"propertyId":"x","characteristics":{"a":true,"b":null,"c":{},"d":[1],"e":"\u0000"},"roomId":9}`},
		{Name: "create with bad values", Call: post, Header: me, Body: `{"name":"","description":` + long(256) + `,"propertyId":2}`},
		{Name: "create with a list of characteristics", Call: post, Header: me, Body: `{"name":"a","description":"b","characteristics":[1]}`},
		{Name: "update with null characteristics", Call: "PUT /api/room/1", Header: me, Body: `{"characteristics":null}`},
		{Name: "update with 51 keys", Call: "PUT /api/room/1", Header: me, Body: keys(51)},
		{Name: "update with a key twice", Call: "PUT /api/room/1", Header: me, Body: `{"characteristics":{"a":1,"a":2}}`},
		{Name: "update with bad characteristics", Call: "PUT /api/room/1", Header: me, Body: `{"characteristics":{"":1,` + long(65) + `:1,"text":` + long(256) + `,"huge":1e309,"digits":` + strings.Repeat("1", 65) + `}}`},
		{Name: "update with a number that is none", Call: "PUT /api/room/1", Header: me, Body: `{"characteristics":{"a":NaN}}`},
		{Name: "update the property", Call: "PUT /api/room/1", Header: me, Body: `{"propertyId":2,"roomId":2}`},
		{Name: "bad id", Call: "DELETE /api/room/0", Header: me},
		// 401, 403, 404
		{Name: "get without a token", Call: "GET /api/room/1"},
		{Name: "create in somebody else's", Call: "POST /api/property/2/rooms", Header: me, Body: `{"name":"","description":"x"}`},
		{Name: "update somebody else's", Call: "PUT /api/room/3", Header: me, Body: `{"name":""}`},
		{Name: "delete somebody else's", Call: "DELETE /api/room/3", Header: me},
		{Name: "list of what is not there", Call: "GET /api/property/3/rooms", Header: me},
		{Name: "create in what is not there", Call: "POST /api/property/3/rooms", Header: me, Body: `{"name":"","description":"x"}`},
		{Name: "get what is not there", Call: "GET /api/room/4", Header: me},
		{Name: "update what is not there", Call: "PUT /api/room/4", Header: me, Body: `{"name":""}`},
		{Name: "delete what is not there", Call: "DELETE /api/room/4", Header: me},
		// 412
		{Name: "update an old version", Call: "PUT /api/room/1", Header: me + `|If-Match: "7"`, Body: `{"name":"x"}`},
		{Name: "delete an old version", Call: "DELETE /api/room/1", Header: me + `|If-Match: "7"`},
	})
}

func TestTypes(t *testing.T) {
	const post = "POST /api/type"
	const barn = `{"name":"Barn","description":"Wide."}`
	const chosen = `{"typeId":70,"name":"Barn","description":"Wide."}`
	apitest.Run(t, newAPI, "testdata/types.golden", []apitest.Case{
		// what works
		{Name: "list", Call: "GET /api/type/", Header: me},
		{Name: "first page", Call: "GET /api/type?limit=1", Header: me},
		{Name: "create", Call: "POST /api/type/", Header: me, Body: barn},
		{Name: "create with a chosen id", Call: post, Header: me, Body: chosen},
		{Name: "create with a chosen id in a string", Call: post, Header: me, Body: `{"typeId":"5","name":"Barn","description":"Wide."}`},
		{Name: "create with the largest id", Call: post, Header: me, Body: `{"typeId":4503599627370496,"name":"Barn","description":"Wide."}`},
		{Name: "ids go on after a chosen one", Before: []string{post + " " + chosen}, Call: post, Header: me, Body: barn},
		{Name: "ids go on after a chosen one that is gone", Before: []string{post + " " + chosen, "DELETE /api/type/70"}, Call: post, Header: me, Body: barn},
		{Name: "an id below a chosen one is free", Before: []string{post + " " + chosen}, Call: post, Header: me, Body: `{"typeId":60,"name":"Barn","description":"Wide."}`},
		{Name: "create again with the same key", Before: []string{post + " " + chosen}, Call: post, Header: me + "|Idempotency-Key: k", Body: chosen},
		{Name: "get", Call: "GET /api/type/1", Header: me},
		{Name: "get unchanged", Call: "GET /api/type/1", Header: me + `|If-None-Match: "1"`},
		{Name: "update", Call: "PUT /api/type/1", Header: me, Body: `{"name":"Villa"}`},
		{Name: "update with what a get gave", Call: "PUT /api/type/1", Header: me, Body: `{"typeId":1,"name":"House","description":"Big."}`},
		{Name: "delete", Call: "DELETE /api/type/2", Header: me},
		{Name: "delete once it is not in use", Before: []string{
			`POST /api/property {"name":"a","description":"b","city":"c","typeId":2}`, `PUT /api/property/3 {"typeId":1}`,
		}, Call: "DELETE /api/type/2", Header: me},
		// 400
		{Name: "create with nothing", Call: post, Header: me, Body: `{}`},
		{Name: "create with everything wrong", Call: post, Header: me, Body: `{"typeId":1.5,"name":null,"description":{},"x":1}`},
		{Name: "create with bad values", Call: post, Header: me, Body: `{"typeId":0,"name":"","description":` + long(256) + `}`},
		{Name: "create with too large an id", Call: post, Header: me, Body: `{"typeId":9223372036854775807,"name":"a","description":"b"}`},
		{Name: "create with an id of no number of ours", Call: post, Header: me, Body: `{"typeId":99999999999999999999999999999,"name":"a","description":"b"}`},
		{Name: "create with a null id", Call: post, Header: me, Body: `{"typeId":null,"name":"a","description":"b"}`},
		{Name: "update the id", Call: "PUT /api/type/1", Header: me, Body: `{"typeId":2,"name":""}`},
		{Name: "bad id", Call: "GET /api/type/99999999999999999999999999999", Header: me},
		// 401, 404
		{Name: "list without a token", Call: "GET /api/type"},
		{Name: "create without a token", Call: post, Body: barn},
		{Name: "get what is not there", Call: "GET /api/type/3", Header: me},
		{Name: "update what is not there", Call: "PUT /api/type/3", Header: me, Body: `{"name":""}`},
		{Name: "delete what is not there", Call: "DELETE /api/type/3", Header: me},
		// 409
		{Name: "create with an id that is taken", Call: post, Header: me, Body: `{"typeId":1,"name":"Barn","description":"Wide."}`},
		{Name: "create with an id that was taken once", Before: []string{"DELETE /api/type/2"}, Call: post, Header: me, Body: `{"typeId":2,"name":"Barn","description":"Wide."}`},
		{Name: "delete what is in use", Call: "DELETE /api/type/1", Header: me},
		// 412 comes before 409
		{Name: "update an old version", Call: "PUT /api/type/1", Header: me + `|If-Match: "7"`, Body: `{"name":"x"}`},
		{Name: "delete an old version", Call: "DELETE /api/type/1", Header: me + `|If-Match: "7"`},
	})
}

// TestOneIDOnce has 32 callers choose one id, and as many take the next.
func TestOneIDOnce(t *testing.T) {
	api := apiOf(t, newService(t))
	type answer struct {
		code     int
		location string
	}
	call := func(body string) map[answer]int {
		answers := make(chan answer, 32)
		for range cap(answers) {
			go func() {
				w := api.Do(t, "POST /api/type", body, me)
				answers <- answer{w.Code, w.Header().Get("Location")}
			}()
		}
		counts := map[answer]int{}
		for range cap(answers) {
			counts[<-answers]++
		}
		return counts
	}
	chosen := call(`{"typeId":7,"name":"Barn","description":"Wide."}`)
	if chosen[answer{http.StatusCreated, "/api/type/7"}] != 1 || chosen[answer{http.StatusConflict, ""}] != 31 {
		t.Errorf("answers %v, want one 201 and 31 409", chosen)
	}
	if next := call(`{"name":"Barn","description":"Wide."}`); len(next) != 32 {
		t.Errorf("answers %v, want 32 different ids", next)
	}
}

// FuzzCity checks that a property is found by its city however that is written.
func FuzzCity(f *testing.F) {
	for _, s := range []string{"Évry", "İstanbul", "ΣΊΣΥΦΟΣ", "straße", "100%", "_", `\`} {
		f.Add(s)
	}
	service := newService(f)
	fill(f, service)
	f.Fuzz(func(t *testing.T, city string) {
		if strings.ToValidUTF8(city, "") != city || strings.Contains(city, "\x00") {
			return // never comes in
		}
		p, err := service.AddProperty(as(t, 1), change("x", city, 1))
		if market.KindOf(err) == market.Invalid {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for other, err := range service.Properties(t.Context(), city, market.Page{}) {
			found = found || err == nil && other.ID == p.ID
		}
		if !found {
			t.Errorf("%q is not found by its own name", city)
		}
	})
}
