package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	jsonexp "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

// tokens knows one token.
type tokens struct{}

func (tokens) Identify(_ context.Context, token string) (market.Identity, error) {
	if token == "seven" {
		return market.Identity{User: 7}, nil
	}
	return market.Identity{}, market.Refuse(market.Unauthenticated, "bad_token", "the token does not hold")
}

type shape struct {
	Side httpapi.Float `json:"side"`
}

type thingBody struct {
	Name  string                     `json:"name" minLength:"1"`
	Note  market.Opt[string]         `json:"note,omitzero" nullable:"true"`
	Count market.Opt[httpapi.Int]    `json:"count,omitzero" nullable:"true"`
	Price market.Opt[httpapi.Number] `json:"price,omitzero"`
	Shape market.Opt[shape]          `json:"shape,omitzero" null:"object"`
	Extra jsontext.Value             `json:"extra,omitzero"`
}

type thingInput struct {
	Body thingBody
}

type thingOutput struct {
	Name  string  `json:"name"`
	Note  *string `json:"note" nullable:"true"`
	Shape *shape  `json:"shape" null:"object"`
	Seen  string  `json:"seen"`
}

type ByID struct {
	ID int64 `path:"id" noun:"Thing ID"`
}

type changeInput struct {
	ByID
	httpapi.IfMatch
	Body thingBody
}

type listInput struct {
	httpapi.PageInput
	Complete httpapi.Flag `query:"complete"`
}

func newAPI() *httpapi.API {
	api := httpapi.New(httpapi.Options{Tokens: tokens{}, Title: "Test", Version: "1"})
	g := api.System(httpapi.System{Name: "things", Tag: "Things", Description: "Things.", ErrorAlias: "message"})
	httpapi.Register(g, httpapi.Operation{ID: "create-thing", Method: "POST", Path: "/things", Summary: "Create", Description: "Create.", Access: httpapi.SignUp, Status: 201, Once: true, MaxBody: 1024},
		func(ctx context.Context, in *thingInput) (*httpapi.Created[thingOutput], error) {
			return &httpapi.Created[thingOutput]{Location: "/things/1", ETag: httpapi.ETag(1), Body: show(ctx, in.Body)}, nil
		})
	httpapi.Register(g, httpapi.Operation{ID: "get-thing", Method: "GET", Path: "/things/{id}", Summary: "Get", Description: "Get.", Access: httpapi.ReadCatalogue},
		func(_ context.Context, in *ByID) (*httpapi.Thing[thingOutput], error) {
			switch in.ID {
			case 404:
				return nil, market.Refuse(market.NotFound, "unknown_thing", "no thing has the id %d", in.ID)
			case 500:
				return nil, errors.New("SELECT secret FROM nowhere")
			case 501:
				panic("oh")
			}
			return &httpapi.Thing[thingOutput]{ETag: httpapi.ETag(3), Body: thingOutput{Name: "t"}}, nil
		})
	httpapi.Register(g, httpapi.Operation{ID: "change-thing", Method: "PUT", Path: "/things/{id}", Summary: "Change", Description: "Change.", Access: httpapi.WriteProperty},
		func(ctx context.Context, in *changeInput) (*httpapi.Thing[thingOutput], error) {
			if err := in.If.Check(3); err != nil {
				return nil, err
			}
			return &httpapi.Thing[thingOutput]{ETag: httpapi.ETag(4), Body: show(ctx, in.Body)}, nil
		})
	httpapi.Register(g, httpapi.Operation{ID: "delete-thing", Method: "DELETE", Path: "/things/{id}", Summary: "Delete", Description: "Delete.", Access: httpapi.WriteCatalogue},
		func(context.Context, *ByID) (*httpapi.Nothing, error) { return &httpapi.Nothing{}, nil })
	httpapi.RegisterList(g, httpapi.Operation{ID: "list-things", Method: "GET", Path: "/things", Summary: "List", Description: "List.", Access: httpapi.ReadCatalogue},
		func(_ context.Context, in *listInput) (*httpapi.List[int64], error) {
			return &httpapi.List[int64]{Page: in.Page(), ID: func(n int64) int64 { return n }, Items: count(httpapi.Ahead(in.Page()), 5, -1)}, nil
		})
	httpapi.RegisterList(g, httpapi.Operation{ID: "list-broken", Method: "GET", Path: "/broken/{id}", Summary: "List", Description: "List.", Access: httpapi.ReadCatalogue},
		func(_ context.Context, in *ByID) (*httpapi.List[int64], error) {
			return &httpapi.List[int64]{ID: func(n int64) int64 { return n }, Items: count(market.Page{}, 1_000_000, in.ID)}, nil
		})
	strict := api.System(httpapi.System{Name: "strict", Tag: "Strict", Description: "Strict.", StrictQuery: true})
	httpapi.Register(strict, httpapi.Operation{ID: "get-strict", Method: "GET", Path: "/strict", Summary: "Get", Description: "Get.", Access: httpapi.ReadCatalogue},
		func(context.Context, *struct{}) (*httpapi.Nothing, error) { return &httpapi.Nothing{}, nil })
	httpapi.Register(strict, httpapi.Operation{ID: "change-named", Method: "PUT", Path: "/named/{id}", Summary: "Change", Description: "Change.", Access: httpapi.ReadCatalogue},
		func(context.Context, *namedInput) (*httpapi.Nothing, error) { return &httpapi.Nothing{}, nil })
	absent := api.System(httpapi.System{Name: "absent", Tag: "Absent", Description: "Absent.", ErrorAlias: "error", Absent: true})
	httpapi.Register(absent, httpapi.Operation{ID: "get-absent", Method: "GET", Path: "/absent", Summary: "Get", Description: "Get.", Access: httpapi.ReadCatalogue},
		func(context.Context, *struct{}) (*httpapi.Nothing, error) { return &httpapi.Nothing{}, nil })
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a page") })
	api.Handle("GET /page", page)
	api.Handle("GET /page/{$}", page) // said or not, it is the same
	api.Handle("GET /{$}", page)
	return api
}

// name is an id that nothing has.
type name string

func (name) UnmarshalText(b []byte) error {
	return market.Refuse(market.NotFound, "unknown_name", "no name is '%s'", b)
}

type ByName struct {
	ID name `path:"id" noun:"Name"`
}

type namedInput struct {
	ByName
	Body thingBody
}

func count(page market.Page, to, breakAt int64) iter.Seq2[int64, error] {
	return market.Chunks(page, func(n int64) int64 { return n }, func(after int64, limit int) ([]int64, error) {
		var rows []int64
		for n := after + 1; n <= to && len(rows) < limit; n++ {
			if n == breakAt {
				return nil, errors.New("the disk is gone")
			}
			rows = append(rows, n)
		}
		return rows, nil
	})
}

func show(ctx context.Context, b thingBody) thingOutput {
	seen := fmt.Sprintf("note=%v/%v count=%v price=%v extra=%s user=%d", b.Note.Set, b.Note.Null, b.Count.Value, b.Price.Value, b.Extra, market.IdentityOf(ctx).User)
	if k := market.OnceKeyOf(ctx); k != nil {
		seen += fmt.Sprintf(" once=%s/%s/%s/%d", k.Key, k.Caller, k.Operation, len(k.Body))
	}
	return thingOutput{Name: b.Name, Note: b.Note.Ptr(), Shape: b.Shape.Ptr(), Seen: seen}
}

const auth = "Authorization: Bearer seven"

func TestAnswers(t *testing.T) {
	h := front(newAPI())
	for _, c := range []struct {
		method, path, body string
		headers            string // "Name: value" joined by "|"
		status             int
		want               string // in the body, or in a header as "Name: value"
	}{
		// what works
		{"GET", "/things/1", "", "", 200, `{"name":"t","note":null,"shape":null,"seen":""}`},
		{"GET", "/things/1/", "", "", 200, `"name":"t"`},
		{"GET", "/things/1", "", "", 200, `Etag: "3"`},
		{"HEAD", "/things/1", "", "", 200, ``},
		{"GET", "/things/1", "", `If-None-Match: "2", W/"3"`, 304, ``},
		{"GET", "/things/1", "", `If-None-Match: "2"`, 200, ``},
		{"POST", "/things", `{"name":"a","note":null,"count":"5","price":180.50,"extra":{"x": 1}}`, "", 201, `note=true/true count=5 price=180.50 extra={\"x\": 1} user=0`},
		{"POST", "/things/", `{"name":"a"}`, "Content-Type: application/vnd.x+json; charset=utf-8", 201, `note=false/false`},
		{"POST", "/things", `{"name":"a"}`, "Idempotency-Key: k|" + auth, 201, `once=k/user:7/create-thing/12`},
		{"POST", "/things", `{"name":"a"}`, "Idempotency-Key: k|Authorization: Bearer old", 201, `once=k/anyone/create-thing/12`},
		{"POST", "/things", `{"name":"a","shape":{"side":"1e1"}}`, "", 201, `"shape":{"side":10}`},
		{"POST", "/things", `{"name":"a","shape":null}`, "", 201, `"shape":null`},
		{"DELETE", "/things/1", "", "", 204, ``},
		{"PUT", "/things/1", `{"name":"a"}`, auth + `|If-Match: "3"`, 200, `Etag: "4"`},
		{"PUT", "/things/1", `{"name":"a"}`, auth + `|If-Match: "3.complete"`, 200, ``},
		{"OPTIONS", "/things/1", "", "", 204, `Allow: DELETE, GET, PUT, HEAD, OPTIONS`},
		// lists
		{"GET", "/things", "", "", 200, `[1,2,3,4,5]`},
		{"GET", "/things?limit=2", "", "", 200, `[1,2]`},
		{"GET", "/things?limit=2&complete=1", "", "", 200, `Link: </things?complete=1&cursor=c2&limit=2>; rel="next"`},
		{"GET", "/things?limit=2&cursor=c3", "", "", 200, `[4,5]`},
		{"GET", "/things?unknown=1", "", "", 200, ``},
		// tokens
		{"PUT", "/things/1", `{"name":"a"}`, "", 401, `Www-Authenticate: Bearer`},
		{"PUT", "/things/x", `{`, "Authorization: Bearer eight", 401, `does not hold`},
		{"PUT", "/things/1", `{"name":"a"}`, "Authorization: Basic seven", 401, ``},
		// ids
		{"GET", "/things/abc", "", "", 400, `"detail":"Thing ID must be a positive integer; got 'abc'"`},
		{"GET", "/things/0", "", "", 400, ``},
		{"GET", "/things/-1", "", "", 400, ``},
		{"GET", "/things/+1", "", "", 400, ``},
		{"GET", "/things/%2B1", "", "", 400, ``},
		{"GET", "/things/1e3", "", "", 400, ``},
		{"GET", "/things/99999999999999999999", "", "", 400, ``},
		{"GET", "/things/9223372036854775807", "", "", 200, ``},
		{"GET", "/things/%00", "", "", 400, `null`},
		{"GET", "/things/%FF", "", "", 400, `UTF-8`},
		{"PUT", "/things/abc", `{`, auth + "|Content-Type: text/plain", 400, `Thing ID`},
		// content type, size, JSON
		{"POST", "/things", `{"name":"a"}`, "Content-Type: text/plain", 415, `"detail":"Expected Content-Type: 'application/json'; got: 'text/plain'"`},
		{"POST", "/things", `{"name":"a"}`, "Content-Type: ", 415, `got: ''`},
		{"POST", "/things", `{"name":"` + strings.Repeat("a", 2000) + `"}`, "", 413, `"message":"the body is larger than 1 KiB"`},
		{"POST", "/things", `{"name":"` + strings.Repeat("a", 2000) + `"}`, "", 413, `Connection: close`},
		{"POST", "/things", `{"name":"a"}`, "Content-Type: application/json; charset", 201, ``},
		{"POST", "/things", `{"name":"a","shape":{"side":-0}}`, "", 201, `"side":0`},
		{"POST", "/things", ``, "", 400, `needs a body`},
		{"POST", "/things", `{`, "", 400, `not valid JSON`},
		{"POST", "/things", `{"name":"a"} x`, "", 400, `not valid JSON`},
		{"POST", "/things", `{"name":"a","name":"b"}`, "", 400, `not valid JSON`},
		{"POST", "/things", "{\"name\":\"\xff\"}", "", 400, `not valid JSON`},
		{"POST", "/things", `{"name":NaN}`, "", 400, `not valid JSON`},
		{"POST", "/things", `[]`, "", 400, `the body must be an object; got an array`},
		{"POST", "/things", `null`, "", 400, `the body must be an object; got null`},
		// shape, all at once
		{"POST", "/things", `{"nam":1,"count":"x","note":5}`, "", 400, `"detail":"4 faults: nam is not a field here; count must be a number; got 'x'; note must be a string; got a number; name is required"`},
		{"POST", "/things", `{"name":null}`, "", 400, `name must not be null`},
		{"POST", "/things", `{"name":"a\u0000b"}`, "", 400, `null character`},
		{"POST", "/things", `{"name":"a","count":1.5}`, "", 400, `count must be a whole number; got 1.5`},
		{"POST", "/things", `{"name":"a","count":1e30}`, "", 400, `count is too large`},
		{"POST", "/things", `{"name":"a","count":"NaN"}`, "", 400, `count must be a number; got 'NaN'`},
		{"POST", "/things", `{"name":"a","shape":{"side":1e309}}`, "", 400, `"location":"body.shape.side"`},
		{"POST", "/things", `{"name":"a","shape":{}}`, "", 400, `shape.side is required`},
		{"POST", "/things", `{"name":"a"}`, "Idempotency-Key: " + strings.Repeat("k", 256), 400, `Idempotency-Key`},
		// queries
		{"GET", "/things?limit=0", "", "", 400, `limit must be an integer from 1 to 1000; got '0'`},
		{"GET", "/things?limit=", "", "", 400, `query.limit`},
		{"GET", "/things?limit=1&limit=2", "", "", 400, `given 2 times`},
		{"GET", "/things?cursor=x", "", "", 400, `cursor must be`},
		{"GET", "/things?complete=2", "", "", 400, `complete must be 0 or 1`},
		{"GET", "/things?limit=%zz", "", "", 400, `query`},
		{"GET", "/strict?%ff=1", "", "", 400, `"detail":"unknown query parameter '�'"`},
		{"GET", "/strict?b=1&a=2", "", "", 400, `"errors":[{"location":"query.a","message":"unknown query parameter 'a'"},{"location":"query.b"`},
		{"GET", "/things?limit=", "", "", 400, `"value":""`},
		{"POST", "/things", `{"name":"a","count":"x"}`, "", 400, `"errors":[{"location":"body.count","message":"count must be a number; got 'x'","value":"x"}]`},
		{"GET", "/things/1?a=%zz", "", "", 200, ``}, // it knows none
		// names that nothing has: said after the body was judged
		{"PUT", "/named/nothing", `{"name":"a"}`, "", 404, `no name is 'nothing'`},
		{"PUT", "/named/nothing", `{"name":"a"}`, "Content-Type: text/plain", 415, ``},
		{"PUT", "/named/nothing", `{}`, "", 400, `name is required`},
		{"PUT", "/named/%FF", `{}`, "Content-Type: text/plain", 400, `UTF-8`},
		// outside operations
		{"GET", "/page/", "", "", 200, `a page`},
		{"HEAD", "/page", "", "", 200, ``},
		{"OPTIONS", "/page", "", "", 204, `Allow: GET, HEAD, OPTIONS`},
		{"POST", "/page/", "", "", 405, `Allow: GET, HEAD, OPTIONS`},
		{"POST", "/", "", "", 405, `Allow: GET, HEAD, OPTIONS`},
		{"GET", "/things/1/nothing", "", "", 404, `"message":"there is nothing`},
		{"GET", "/absent/1", "", "", 404, `"error":"there is nothing`},
		{"GET", "/thingsx", "", "", 404, `"instance":"/thingsx"}`},
		{"GET", "/things/501", "", "", 500, `"message":"something went wrong on our side; request `},
		// the rest
		{"GET", "/things/404", "", "", 404, `"type":"urn:emporium:problem:unknown_thing","title":"Not Found","status":404,"detail":"no thing has the id 404","instance":"/things/404","message":"no thing has the id 404"`},
		{"GET", "/things/500", "", "", 500, `is in the log`},
		{"GET", "/things/501", "", "", 500, `is in the log`},
		{"GET", "/nothing", "", "", 404, `no_such_path`},
		{"GET", "/things/%2F", "", "", 404, `no_such_path`},
		{"DELETE", "/things/%2F", "", "", 404, `no_such_path`},
		{"GET", "/page/%2f", "", "", 404, `no_such_path`},
		{"PATCH", "/things/1", "", "", 405, `Allow: DELETE, GET, PUT, HEAD, OPTIONS`},
		{"PATCH", "/things/1", "", "", 405, `"message":"PATCH is not allowed here`},
		{"PUT", "/things/1", `{"name":"a"}`, auth + `|If-Match: "2"`, 412, `changed since`},
		{"PUT", "/things/1", `{"name":"a"}`, auth + `|If-Match: W/"3"`, 412, ``},
		{"PUT", "/things/1", `{"name":"a"}`, auth + `|If-Match: "+3"`, 412, ``},
		{"PUT", "/things/1", `{"name":"a"}`, auth + `|If-Match: "3`, 412, ``},
		{"PUT", "/things/1", `{"name":"a"}`, auth + `|If-Match: "1"|If-Match: "3"`, 200, `"4"`},
		{"GET", "/things/1", ``, `If-None-Match: "1"|If-None-Match: "3"`, 304, ``},
		{"GET", "/broken/1", "", "", 500, ``},
		{"HEAD", "/broken/500000", "", "", 200, ``}, // no more is read than says what it is
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			if c.body != "" || c.method == "POST" {
				r.Header.Set("Content-Type", "application/json")
			}
			for h := range strings.SplitSeq(c.headers, "|") {
				if name, value, ok := strings.Cut(h, ": "); ok {
					if name == "Content-Type" {
						r.Header.Del(name)
					}
					r.Header.Add(name, value)
				}
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			all := w.Body.String()
			for name, values := range w.Header() {
				all += "\n" + name + ": " + strings.Join(values, ",")
			}
			if w.Code != c.status || !strings.Contains(all, c.want) {
				t.Fatalf("%d, want %d with %s in:\n%s", w.Code, c.status, c.want, all)
			}
			if strings.Contains(all, "SELECT") {
				t.Fatal("SQL in the answer")
			}
			if w.Code >= 400 && c.method != "HEAD" && w.Header().Get("Content-Type") != "application/problem+json" {
				t.Fatalf("content type %s", w.Header().Get("Content-Type"))
			}
		})
	}
}

// An error after the first byte must not look like the end of the list.
func TestBrokenStreamBreaksOff(t *testing.T) {
	server := httptest.NewServer(front(newAPI()))
	defer server.Close()
	resp, err := http.Get(server.URL + "/broken/500000")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Fatalf("a broken list was read to its end: %d bytes", len(body))
	}
}

func TestEveryOperationDeclaresAccess(t *testing.T) {
	for _, access := range []httpapi.Access{{}, {Open: httpapi.Anyone}, {Protected: httpapi.Staff}, {Open: httpapi.Anyone, Protected: httpapi.Within + 1}} {
		op := httpapi.Operation{ID: "x", Method: "GET", Path: "/x", Summary: "X", Description: "X.", Access: access}
		for kind, register := range map[string]func(*httpapi.Group){
			"thing": func(g *httpapi.Group) {
				httpapi.Register(g, op, func(context.Context, *struct{}) (*httpapi.Nothing, error) { return nil, nil })
			},
			"list": func(g *httpapi.Group) {
				httpapi.RegisterList(g, op, func(context.Context, *httpapi.PageInput) (*httpapi.List[int], error) { return nil, nil })
			},
			"object": func(g *httpapi.Group) {
				httpapi.RegisterObject(g, op, func(context.Context, *httpapi.PageInput) (*httpapi.Object[int], error) { return nil, nil })
			},
		} {
			func() {
				defer func() {
					if said := recover(); said == nil || !strings.Contains(fmt.Sprint(said), "who may call") {
						t.Errorf("a %s that declares %+v: %v", kind, access, said)
					}
				}()
				register(httpapi.New(httpapi.Options{}).System(httpapi.System{Tag: "x"}))
			}()
		}
	}
}

// A proof holds for one call, for a minute, where it is taken at all.
func TestProof(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	secret := []byte("a secret of at least 32 characters")
	api := func(secret []byte) http.Handler {
		a := httpapi.New(httpapi.Options{Mode: httpapi.Protected, Secret: secret, Now: func() time.Time { return now }})
		g := a.System(httpapi.System{Tag: "x"})
		nothing := func(context.Context, *struct{}) (*httpapi.Nothing, error) { return &httpapi.Nothing{}, nil }
		for _, op := range []httpapi.Operation{
			{ID: "a", Method: "GET", Path: "/inside", Access: httpapi.ReadPurchases},
			{ID: "b", Method: "POST", Path: "/inside", Access: httpapi.ManageStaff},
			{ID: "c", Method: "GET", Path: "/outside", Access: httpapi.WriteCatalogue},
			{ID: "d", Method: "GET", Path: "/signed-in", Access: httpapi.ReadProperty},
		} {
			op.Summary, op.Description = "X", "X."
			httpapi.Register(g, op, nothing)
		}
		return a
	}
	prove := func(secret []byte, call string, at time.Time) string {
		method, path, _ := strings.Cut(call, " ")
		return httpapi.Prove(secret, httptest.NewRequest(method, path, nil), at)
	}
	for _, c := range []struct {
		why, call, proof string
		secret           []byte
		status           int
	}{
		{"right", "GET /inside", prove(secret, "GET /inside", now), secret, 204},
		{"right", "POST /inside", prove(secret, "POST /inside", now.Add(-59*time.Second)), secret, 204},
		{"too old", "GET /inside", prove(secret, "GET /inside", now.Add(-61*time.Second)), secret, 401},
		{"too early", "GET /inside", prove(secret, "GET /inside", now.Add(61*time.Second)), secret, 401},
		{"of another method", "POST /inside", prove(secret, "GET /inside", now), secret, 401},
		{"of another path", "GET /inside", prove(secret, "GET /else", now), secret, 401},
		{"of another query", "GET /inside?a=1", prove(secret, "GET /inside", now), secret, 401},
		{"of another secret", "GET /inside", prove([]byte("another"), "GET /inside", now), secret, 401},
		{"of no secret", "GET /inside", prove(nil, "GET /inside", now), nil, 401},
		{"malformed", "GET /inside", "Emporium x.y", secret, 401},
		{"malformed", "GET /inside", "Emporium", secret, 401},
		{"as a token", "GET /inside", "Bearer" + strings.TrimPrefix(prove(secret, "GET /inside", now), "Emporium"), secret, 401},
		{"where none is taken", "GET /outside", prove(secret, "GET /outside", now), secret, 401},
		{"where none is taken", "GET /signed-in", prove(secret, "GET /signed-in", now), secret, 401},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Authorization", c.proof)
		w := httptest.NewRecorder()
		api(c.secret).ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("a proof %s for %s: %d, want %d: %s", c.why, c.call, w.Code, c.status, w.Body)
		}
	}
}

func TestDocument(t *testing.T) {
	doc, err := newAPI().Document()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"openapi": "3.1.0"`, `"operationId": "change-thing"`, `"$ref": "#/components/schemas/ThingBody"`, `"minimum": 1`, `"type": "null"`, `"name": "If-None-Match"`, `"304"`} {
		if !strings.Contains(string(doc.JSON), want) {
			t.Errorf("no %s in\n%s", want, doc.JSON)
		}
	}
	if regexp.MustCompile(`"type": \[\s*""`).Match(doc.JSON) {
		t.Error("a number that may be null has a type without a name")
	}
	if strings.Contains(string(doc.JSON), `"422"`) {
		t.Error("422 is documented, and never answered")
	}
	if !strings.Contains(string(doc.JSON30), `"openapi": "3.0.3"`) {
		t.Error("no 3.0.3 copy")
	}
}

func front(api *httpapi.API) http.Handler {
	api.Handle("/", http.HandlerFunc(httpapi.NotFound))
	return httpapi.Front(api, httpapi.FrontOptions{Now: time.Now, Log: slog.New(slog.DiscardHandler), Alias: api.Alias})
}

// TestEither holds the two shapes of a member, as the server writes them and as
// the document's examples do.
func TestEither(t *testing.T) {
	type either = httpapi.Either[[]string, []int]
	for _, c := range []struct {
		in   either
		want string
	}{
		{either{First: &[]string{"a"}}, `["a"]`},
		{either{Second: &[]int{1}}, `[1]`},
		{either{Second: new([]int)}, `[]`},
	} {
		server, err := jsonexp.Marshal(c.in)
		if err != nil || string(server) != c.want {
			t.Errorf("the server writes %s, %v; want %s", server, err, c.want)
		}
		example, err := json.Marshal(c.in)
		if err != nil || string(example) != c.want {
			t.Errorf("an example is %s, %v; want %s", example, err, c.want)
		}
	}
}
