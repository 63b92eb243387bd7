package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"emporium/internal/app"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/httpapi"
)

// operation is what the OpenAPI document says of one method of one path.
type operation struct {
	method, path string
	ID           string `json:"operationId"`
	Parameters   []struct {
		Name string `json:"name"`
		In   string `json:"in"`
	} `json:"parameters"`
	RequestBody *struct {
		Content map[string]struct {
			Example map[string]any `json:"example"`
		} `json:"content"`
	} `json:"requestBody"`
}

// operations reads the document that the program serves.
func operations(t *testing.T) (all []operation) {
	t.Helper()
	doc, err := app.Document()
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct {
		Paths map[string]map[string]operation `json:"paths"`
	}
	if err := json.Unmarshal(doc.JSON, &parsed); err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.Sorted(maps.Keys(parsed.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(parsed.Paths[path])) {
			op := parsed.Paths[path][method]
			op.method, op.path = strings.ToUpper(method), path
			all = append(all, op)
		}
	}
	return all
}

// existing fills the parameters of a path with things that are there.
func (op operation) existing() string {
	noun := map[string]string{"/api/v1/users": "user", "/api/v1/items": "item", "/api/v1/bids": "bid"}
	path := op.path
	for prefix, word := range noun {
		if strings.HasPrefix(path, prefix+"/{") {
			return strings.Replace(path, "{id}", word+"1", 1)
		}
	}
	path = strings.ReplaceAll(path, "{username}", "buyer")
	for strings.Contains(path, "{") {
		before, rest, _ := strings.Cut(path, "{")
		_, after, _ := strings.Cut(rest, "}")
		path = before + "1" + after
	}
	return path
}

// openShop opens everything on a new data folder, with one thing of each kind.
// It gives the token of the owner, who is staff.
func openShop(t *testing.T, change ...func(*app.Config)) (*app.App, string) {
	t.Helper()
	c := &app.Config{Data: t.TempDir(), Listen: []string{"127.0.0.1:0"}, Access: "auto", CacheBytes: 1 << 20}
	c.Secret = shopSecret
	c.Token.Life, c.Popular.CacheTTL = app.Millis(3.6e12), app.Millis(3.6e12)
	if server := dbtest.Server(t); server != "" {
		d := &c.Databases
		d.URL = app.Secret(server)
		for service, name := range map[string]*string{
			"accounts": &d.Accounts, "auctions": &d.Auctions, "billing": &d.Billing, "coupons": &d.Coupons,
			"inventory": &d.Inventory, "property": &d.Property, "purchases": &d.Purchases,
		} {
			*name = dbtest.NewName(t, server, service)
		}
	}
	for _, f := range change {
		f(c)
	}
	a, err := app.Open(t.Context(), c, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	call := func(path, body, token string) []byte {
		w := send(a, http.MethodPost, path, strings.NewReader(body), token, "application/json")
		if w.Code >= 300 {
			t.Fatalf("POST %s %s: %d %s", path, body, w.Code, w.Body)
		}
		return w.Body.Bytes()
	}
	call("/api/user/", `{"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":"owner@example.org","password":"correct horse battery"}`, "")
	call("/api/staff", `{"mail":"owner@example.org"}`, asInside)
	token := field(call("/api/user/auth", `{"mail":"owner@example.org","password":"correct horse battery"}`, ""), "access_token")
	for _, thing := range [][2]string{
		{"/coupons", `{"title":"one"}`},
		{"/api/v1/users", `{"name":"one"}`},
		{"/api/v1/items", `{"item":{"name":"one"}}`},
		{"/api/v1/bids", `{"bid":{"item":"item1","value":1,"user":"user1"}}`},
		{"/api/type/", `{"name":"house","description":"d"}`},
		{"/api/property/", `{"name":"one","description":"d","city":"Paris","typeId":1}`},
		{"/api/property/1/rooms", `{"name":"one","description":"d"}`},
		{"/api/movies", `{"title":"one"}`},
		{"/api/users", `{"username":"buyer","email":"b@example.org"}`},
		{"/api/products", `{"id":1,"face":"(-_-)","size":20,"price":100}`},
		{"/api/purchases", `{"id":1,"product_id":1,"username":"buyer"}`},
	} {
		call(thing[0], thing[1], token)
	}
	return a, token
}

func send(h http.Handler, method, path string, body io.Reader, token, contentType string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost/", body)
	parsed, err := url.ParseRequestURI(path)
	if err != nil {
		panic(err)
	}
	r.URL, r.RequestURI = parsed, path
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	authorize(r, token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const (
	shopSecret = "a secret of the tests, long enough"
	asInside   = "inside" // in place of a token: a command of the deployment asks
)

func authorize(r *http.Request, token string) {
	switch token {
	case "":
	case asInside:
		r.Header.Set("Authorization", httpapi.Prove([]byte(shopSecret), r, time.Now()))
	default:
		r.Header.Set("Authorization", "Bearer "+token)
	}
}

// caller gives the one who may call an operation: somebody with a token, or a
// command of the deployment.
func (op operation) caller(token string) string {
	for _, p := range probes() {
		if p.right == inside && p.call == op.method+" "+strings.TrimSuffix(op.path, "/") {
			return asInside
		}
	}
	return token
}

// snapshot is everything that can be read.
func snapshot(t *testing.T, h http.Handler, token string) string {
	t.Helper()
	var all strings.Builder
	for _, op := range operations(t) {
		if op.method != http.MethodGet || op.path == "/.well-known/jwks.json" {
			continue
		}
		w := send(h, http.MethodGet, op.existing(), nil, token, "")
		fmt.Fprintf(&all, "%s %d %s\n", op.existing(), w.Code, w.Body)
	}
	return all.String()
}

// TestBadInput sends what is wrong to every operation: each gets a 4xx that
// says what, never a 500, and nothing changes.
func TestBadInput(t *testing.T) {
	h, token := openShop(t)
	before := snapshot(t, h, token)
	ops := operations(t)
	sent := 0
	refused := func(op operation, path, body, contentType string, statuses ...int) string {
		t.Helper()
		sent++
		w := send(h, op.method, path, strings.NewReader(body), op.caller(token), contentType)
		if !slices.Contains(statuses, w.Code) || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/problem+json") && !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
			t.Errorf("%s %s %.80q (%s): %d %s, want %v", op.method, path, body, contentType, w.Code, w.Body, statuses)
		}
		return w.Body.String()
	}
	for _, op := range ops {
		for _, p := range op.Parameters {
			switch p.In {
			case "path":
				ids := []string{"%00", "%FF", "%C0%80"}
				if p.Name != "username" {
					ids = append(ids, "0", "-1", "99999999999999999999", "+1", "%2B1", "abc", "1e3", "1.0", "0x1", "%20", "user99999999999999999999", "item0", "bid+1", "user01")
				}
				for _, id := range ids {
					refused(op, strings.ReplaceAll(op.path, "{"+p.Name+"}", id), `{}`, "application/json", 400, 404)
				}
			case "query":
				for _, value := range []string{"1&" + p.Name + "=1", "%00", "%FF"} {
					refused(op, op.existing()+"?"+p.Name+"="+value, `{}`, "application/json", 400)
				}
				if p.Name == "limit" {
					for _, limit := range []string{"", "0", "-1", "1001", "1e2", "+1", "x", "99999999999999999999", "1.0"} {
						refused(op, op.existing()+"?limit="+url.QueryEscape(limit), "", "", 400)
					}
				}
			}
		}
		if refused(operation{method: "PATCH"}, op.existing(), "", "", 405); op.RequestBody == nil {
			continue
		}
		badBodies(t, op, refused)
	}
	if after := snapshot(t, h, token); after != before {
		t.Errorf("bad input has changed something:\n%s", firstDifference(before, after))
	}
	t.Logf("%d bad requests to %d operations", sent, len(ops))
}

func badBodies(t *testing.T, op operation, refused func(op operation, path, body, contentType string, statuses ...int) string) {
	t.Helper()
	path := op.existing()
	for _, body := range []string{``, ` `, `{`, `{"a":}`, `[]`, `"x"`, `null`, `5`, `{} {}`, "{\"\xff\":1}", "{\"a\":\"\xc0\x80\"}", `{"a":1,"a":2}`, "\x00", "\ufeff{}", `{'a':1}`, `{"a":NaN}`, strings.Repeat(`{"a":`, 20000)} {
		refused(op, path, body, "application/json", 400)
	}
	for _, media := range []string{"", "text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data", "json", "/", "application/jsonx"} {
		if got := refused(op, path, `{}`, media, 415); !strings.Contains(got, "Expected Content-Type: 'application/json'; got: '"+media+"'") {
			t.Errorf("%s: %s", op.ID, got)
		}
	}
	refused(op, path, `{"a":"`+strings.Repeat("x", 2<<20)+`"}`, "application/json", 413)
	example := op.RequestBody.Content["application/json"].Example
	if len(example) == 0 {
		t.Errorf("%s has no example", op.ID)
	}
	for _, spot := range spots(example, nil) {
		if len(spot) > 1 && spot[0] == "characteristics" {
			continue // the owner's own keys: any number and any text is right
		}
		for _, bad := range []any{map[string]any{"a": 1}, []any{}, true, "a\x00b"} {
			name := spot[len(spot)-1]
			if _, isObject := at(example, spot).(map[string]any); isObject {
				if _, same := bad.(map[string]any); same {
					continue
				}
			}
			if got := refused(op, path, string(replace(t, example, spot, bad)), "application/json", 400); !strings.Contains(got, name) {
				t.Errorf("%s: the answer to a bad %s does not name it: %s", op.ID, name, got)
			}
		}
		if _, number := at(example, spot).(float64); number {
			for _, bad := range []string{"1e309", "-1e309", `"NaN"`, `"Infinity"`, `"0x10"`, `"1_000"`, `""`, `" 1"`, `"１"`} {
				refused(op, path, string(replace(t, example, spot, json.RawMessage(bad))), "application/json", 400)
			}
		}
	}
}

// spots are the ways to each field of an example.
func spots(v any, way []string) (all [][]string) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		here := append(slices.Clone(way), name)
		all = append(append(all, here), spots(object[name], here)...)
	}
	return all
}

func at(v any, way []string) any {
	for _, name := range way {
		v = v.(map[string]any)[name]
	}
	return v
}

func replace(t *testing.T, example map[string]any, way []string, with any) []byte {
	t.Helper()
	raw, err := json.Marshal(example)
	if err != nil {
		t.Fatal(err)
	}
	var whole map[string]any
	if err := json.Unmarshal(raw, &whole); err != nil {
		t.Fatal(err)
	}
	at(whole, way[:len(way)-1]).(map[string]any)[way[len(way)-1]] = with
	if raw, err = json.Marshal(whole); err != nil {
		t.Fatal(err)
	}
	return raw
}

func firstDifference(a, b string) string {
	linesA, linesB := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(linesA), len(linesB)) {
		if linesA[i] != linesB[i] {
			return "before: " + linesA[i] + "\nafter:  " + linesB[i]
		}
	}
	return "a line more or less"
}

// endless is a body that never ends.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	e.read += len(b)
	return len(b), nil
}

// TestHugeBody sends 100 MB, with and without saying so beforehand: 413, and
// not much more than the limit is read.
func TestHugeBody(t *testing.T) {
	h, token := openShop(t)
	for _, op := range operations(t) {
		if op.RequestBody == nil {
			continue
		}
		for _, length := range []int64{100 << 20, -1} {
			body := &endless{}
			r := httptest.NewRequest(op.method, "http://localhost"+op.existing(), body)
			r.ContentLength = length
			r.Header.Set("Content-Type", "application/json")
			authorize(r, op.caller(token))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusRequestEntityTooLarge {
				t.Errorf("%s: %d %s", op.ID, w.Code, w.Body)
			}
			if body.read > 4<<20 {
				t.Errorf("%s: %d bytes were read", op.ID, body.read)
			}
		}
	}
}
