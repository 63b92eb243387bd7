package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"emporium/internal/market"
)

// noRoutes is the adapter of an API that is only documented: huma makes the
// document, and requests are answered by our own handlers.
type noRoutes struct{}

func (noRoutes) Handle(*huma.Operation, func(huma.Context))   {}
func (noRoutes) ServeHTTP(http.ResponseWriter, *http.Request) {}

func newDocument(o Options) huma.API {
	huma.DefaultArrayNullable = false
	huma.NewError = func(int, string, ...error) huma.StatusError { return &problemDetails{} }
	config := huma.DefaultConfig(o.Title, o.Version)
	config.CreateHooks, config.DocsPath, config.OpenAPIPath, config.SchemasPath = nil, "", "", ""
	config.Info.Description = about
	config.Info.License = &huma.License{Name: "MIT", Identifier: "MIT"}
	config.Servers = []*huma.Server{{URL: "/", Description: "The server that this document comes from."}}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The access_token that POST /api/user/auth answers with."},
	}
	types := config.Components.Schemas
	types.RegisterTypeAlias(reflect.TypeFor[market.Time](), reflect.TypeFor[time.Time]())
	types.RegisterTypeAlias(reflect.TypeFor[market.Money](), reflect.TypeFor[float64]())
	types.RegisterTypeAlias(reflect.TypeFor[market.IfMatch](), reflect.TypeFor[string]())
	types.RegisterTypeAlias(reflect.TypeFor[jsontext.Value](), reflect.TypeFor[any]())
	types.RegisterTypeAlias(reflect.TypeFor[market.Opt[string]](), reflect.TypeFor[string]())
	return huma.NewAPI(config, noRoutes{})
}

const about = "A self-hosted marketplace: coupons, auctions, property and accounts, movies and billing, recent purchases. " +
	"Errors are RFC 9457 problems. Lists are whole and streamed, or paged with `limit` and the `Link` header. " +
	"Single resources carry a strong `ETag`. A POST that creates takes an `Idempotency-Key`."

// problemDetails lends [Problem] to the document as the type of all errors.
type problemDetails struct{ Problem } //nolint:errname // it names the schema in the document

func (*problemDetails) GetStatus() int            { return 0 }
func (*problemDetails) Error() string             { return "" }
func (*problemDetails) ContentType(string) string { return "application/problem+json" }

// document describes an operation from the types of its input and answer.
func document[I, O any](g *Group, op Operation) {
	input := reflect.TypeFor[I]()
	registry := g.api.doc.OpenAPI().Components.Schemas
	aliasOptions(registry, input, map[reflect.Type]bool{})
	o := huma.Operation{
		OperationID: op.ID, Method: op.Method, Path: op.Path, Tags: []string{g.system.Tag},
		Summary: op.Summary, Description: op.Description + "\n\nWho may: " + op.Access.Rule,
		DefaultStatus: op.Status, Errors: op.errors(input), Security: op.security(),
	}
	if reflect.TypeFor[O]() == reflect.TypeFor[Nothing]() {
		o.DefaultStatus = http.StatusNoContent
	}
	if op.Once {
		o.Parameters = append(o.Parameters, &huma.Param{
			Name: "Idempotency-Key", In: "header", Schema: &huma.Schema{Type: "string", MinLength: new(1), MaxLength: new(255)},
			Description: "For 24 hours a repeat with the same key and body returns the first answer and changes nothing.",
		})
	}
	registered := &o
	g.api.doc.OpenAPI().OnAddOperation = []huma.AddOpFunc{func(_ *huma.OpenAPI, added *huma.Operation) { registered = added }}
	huma.Register[I, O](g.api.doc, o, nil)
	finish(registered, op)
	if body, ok := input.FieldByName("Body"); ok && (g.system.IgnoreUnknown || isRaw(body.Type)) {
		acceptUnknown(registry, body.Type)
	}
	nulls(registry, input, map[reflect.Type]bool{})
	nulls(registry, reflect.TypeFor[O](), map[reflect.Type]bool{})
}

// acceptUnknown documents that the objects of a body may carry other fields, by
// not forbidding them: reference pages show an explicit true as one more field.
func acceptUnknown(registry huma.Registry, t reflect.Type) {
	switch {
	case isRaw(t):
		t = t.Field(0).Type
	case isOpt(t):
		t = t.Field(2).Type
	}
	if t.Kind() != reflect.Struct {
		return
	}
	if ref := registry.Schema(t, true, ""); ref.Ref != "" {
		registry.SchemaFromRef(ref.Ref).AdditionalProperties = nil
	}
	for f := range t.Fields() {
		acceptUnknown(registry, f.Type)
	}
}

// nulls documents where null may stand for an object (by the tag
// `null:"object"`) or for one of several types: huma knows that of plain scalars
// alone.
func nulls(registry huma.Registry, t reflect.Type, seen map[reflect.Type]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if isOpt(t) {
		t = t.Field(2).Type
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return
	}
	seen[t] = true
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			s := registry.SchemaFromRef(registry.Schema(t, true, "").Ref)
			switch field := s.Properties[name]; {
			case f.Tag.Get("null") == "object" && field.AnyOf == nil:
				s.Properties[name] = &huma.Schema{AnyOf: []*huma.Schema{{Ref: field.Ref}, {Type: "null"}}, Description: field.Description}
			case field != nil && field.Nullable && field.AnyOf != nil:
				field.Nullable = false
				field.AnyOf = append(field.AnyOf, &huma.Schema{Type: "null"})
			}
		}
		nulls(registry, f.Type, seen)
	}
}

// finish adds what huma does not know.
func finish(o *huma.Operation, op Operation) {
	delete(o.Responses, strconv.Itoa(http.StatusUnprocessableEntity))
	for _, p := range o.Parameters {
		if p.In == "path" && p.Schema.Type == huma.TypeInteger {
			p.Schema.Minimum = new(1.0)
		}
	}
	if o.RequestBody != nil && op.Example != nil {
		o.RequestBody.Content["application/json"].Example = op.Example
	}
	for _, status := range op.TextErrors {
		o.Responses[strconv.Itoa(status)].Content["text/plain"] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	success := o.Responses[strconv.Itoa(o.DefaultStatus)]
	if op.Answer != nil && success.Content["application/json"] != nil {
		success.Content["application/json"].Example = op.Answer
	}
	if tag := success.Headers["ETag"]; tag != nil && op.Method == http.MethodGet {
		o.Parameters = append(o.Parameters, &huma.Param{
			Name: "If-None-Match", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "Answer 304, without a body, while its ETag is one of these.", Example: `"3"`,
		})
		o.Responses[strconv.Itoa(http.StatusNotModified)] = &huma.Response{
			Description: http.StatusText(http.StatusNotModified), Headers: map[string]*huma.Param{"ETag": tag},
		}
	}
}

// errors are the statuses that an operation of this shape can answer with.
func (op Operation) errors(input reflect.Type) []int {
	list := append([]int{http.StatusServiceUnavailable, http.StatusTooManyRequests}, op.Errors...)
	list = append(list, op.TextErrors...)
	plan := planInput(input, bodyRules{ignoreUnknown: true})
	if len(plan.path)+len(plan.query) > 0 {
		list = append(list, http.StatusBadRequest)
	}
	if len(plan.path) > 0 {
		list = append(list, http.StatusNotFound)
	}
	if plan.body != nil {
		list = append(list, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if plan.ifMatch != nil {
		list = append(list, http.StatusPreconditionFailed)
	}
	if op.Once {
		list = append(list, http.StatusConflict)
	}
	if op.Access.Open != Anyone || op.Access.Protected != Anyone {
		list = append(list, http.StatusUnauthorized, http.StatusForbidden)
	}
	if len(list) == 2 {
		list = append(list, http.StatusMethodNotAllowed) // what is left to do wrong
	}
	return list
}

// security says whether a token is needed, useful or neither.
func (op Operation) security() []map[string][]string {
	switch {
	case op.Access.Open != Anyone:
		return []map[string][]string{{"bearer": {}}}
	case op.Access.Protected != Anyone:
		return []map[string][]string{{}, {"bearer": {}}}
	}
	return []map[string][]string{}
}

// aliasOptions documents each market.Opt[T] in a type as a T.
func aliasOptions(registry huma.Registry, t reflect.Type, seen map[reflect.Type]bool) {
	if t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return
	}
	seen[t] = true
	if isRaw(t) {
		registry.RegisterTypeAlias(t, t.Field(0).Type)
		t = t.Field(0).Type
	}
	if isOpt(t) {
		registry.RegisterTypeAlias(t, t.Field(2).Type)
		t = t.Field(2).Type
		if t.Kind() != reflect.Struct {
			return
		}
	}
	for field := range t.Fields() {
		aliasOptions(registry, field.Type, seen)
	}
}

// Document is the OpenAPI document in the forms it is asked for.
type Document struct {
	JSON, YAML, JSON30 []byte
}

// Document writes down every operation that was declared.
func (a *API) Document() (Document, error) {
	o := a.doc.OpenAPI()
	o.Tags = a.tags
	yaml, err := o.YAML()
	if err != nil {
		return Document{}, err
	}
	doc, err := o.MarshalJSON()
	if err != nil {
		return Document{}, err
	}
	old, err := o.Downgrade()
	if err != nil {
		return Document{}, err
	}
	return Document{JSON: indent(doc), YAML: yaml, JSON30: indent(old)}, nil
}

func indent(doc []byte) []byte {
	var b bytes.Buffer
	if json.Indent(&b, doc, "", "  ") != nil {
		return doc
	}
	return append(b.Bytes(), '\n')
}

// MountDocument serves the document at the addresses that clients know. It is
// written when it is first asked for, which takes some 30 ms that no start should
// wait for.
func (a *API) MountDocument() {
	document := sync.OnceValues(a.Document)
	for _, f := range []struct {
		paths, media string
		form         func(Document) []byte
	}{
		{"/openapi.json", "application/json", func(d Document) []byte { return d.JSON }},
		{"/openapi.yaml", "application/yaml", func(d Document) []byte { return d.YAML }},
		{"/openapi-3.0.json /swagger.json /apispec_1.json", "application/json", func(d Document) []byte { return d.JSON30 }},
	} {
		for path := range strings.FieldsSeq(f.paths) {
			a.Handle("GET "+path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				d, err := document()
				if err != nil {
					a.fail(w, r, "", err)
					return
				}
				body := f.form(d)
				w.Header().Set("Content-Type", f.media)
				w.Header().Set("Content-Length", strconv.Itoa(len(body)))
				_, _ = w.Write(body)
			}))
		}
	}
}
