// Package httpapi is how services speak HTTP: typed operations, whose types are
// the single source of what is read, of what is answered and of the OpenAPI
// document. It judges the shape of requests; what values mean is judged by the
// services.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"emporium/internal/market"
)

// Options says how an API answers.
type Options struct {
	Mode           Mode          // who may do what; [Open] when empty
	Tokens         market.Tokens // tells who a token belongs to; nil: no token holds
	Log            *slog.Logger  // where faults of the server go; nil: nowhere
	Title, Version string
}

// API holds the operations of all services: those that run here with their
// handlers, the others for the document alone.
type API struct {
	options Options
	mux     *http.ServeMux
	routes  map[string]*route
	doc     huma.API
	tags    []*huma.Tag
}

// New makes an API without operations.
func New(o Options) *API {
	if o.Mode == "" {
		o.Mode = Open
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &API{options: o, mux: http.NewServeMux(), routes: map[string]*route{}, doc: newDocument(o)}
}

// Mode is how the API decides who may do what.
func (a *API) Mode() Mode { return a.options.Mode }

// System is one of the systems behind the API, and what its clients expect.
type System struct {
	Name          string // the service: "inventory"
	Tag           string // its heading in the document
	Description   string // under the heading
	ErrorAlias    string // the member of an error that repeats its detail: "error", "message" or ""
	IgnoreUnknown bool   // unknown fields of bodies are ignored, rather than a 400
	StrictQuery   bool   // an unknown query parameter is a 400, rather than ignored
	Absent        bool   // it does not run here: document its operations only
}

// Group is where one system declares its operations.
type Group struct {
	api    *API
	system System
}

// System opens the group of a system.
func (a *API) System(s System) *Group {
	if !slices.ContainsFunc(a.tags, func(t *huma.Tag) bool { return t.Name == s.Tag }) {
		a.tags = append(a.tags, &huma.Tag{Name: s.Tag, Description: s.Description})
	}
	return &Group{api: a, system: s}
}

// Operation describes one method of one path, beside the types that its handler
// carries.
type Operation struct {
	ID          string // "get-movie": unique, stable
	Method      string
	Path        string // "/api/movies/{id}", without a trailing slash
	Summary     string
	Description string
	Access      Access
	Status      int   // of success; 200 when 0
	Errors      []int // statuses beyond those that every operation of its shape has
	TextErrors  []int // of these, those whose body may be a [TextError]
	Once        bool  // it creates: takes an Idempotency-Key
	MaxBody     int64 // bytes; 1 MiB when 0
	Example     any   // a body to send
	Answer      any   // a body of success
}

const defaultMaxBody = 1 << 20

// handler answers one operation; an error that it returns is written as a
// problem.
type handler func(w http.ResponseWriter, r *http.Request) error

// route is all methods of one path.
type route struct {
	methods map[string]http.HandlerFunc
	allow   string
}

func (rt *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h, ok := rt.methods[r.Method]; ok {
		h(w, r)
		return
	}
	if r.Method == http.MethodHead && rt.methods[http.MethodGet] != nil {
		rt.methods[http.MethodGet](w, r)
		return
	}
	w.Header().Set("Allow", rt.allow)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	writeProblem(w, r, aliasFor(r), &statusError{
		status: http.StatusMethodNotAllowed, code: "method_not_allowed",
		detail: clip(r.Method) + " is not allowed here; allowed are " + rt.allow,
	})
}

// mount puts a handler on the mux, with and without a trailing slash.
func (g *Group) mount(op Operation, h handler) {
	if g.system.Absent {
		return
	}
	rt := g.api.routes[op.Path]
	if rt == nil {
		rt = &route{methods: map[string]http.HandlerFunc{}}
		g.api.routes[op.Path] = rt
		var root http.Handler = rt
		if g.system.ErrorAlias != "" {
			root = withAlias(g.system.ErrorAlias, rt)
		}
		g.api.mux.Handle(op.Path, root)
		g.api.mux.Handle(op.Path+"/{$}", root)
	}
	alias := g.system.ErrorAlias
	rt.methods[op.Method] = func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			g.api.fail(w, r, alias, err)
		}
	}
	allowed := sortedKeys(rt.methods)
	if rt.methods[http.MethodGet] != nil {
		allowed = append(allowed, http.MethodHead)
	}
	rt.allow = strings.Join(append(allowed, http.MethodOptions), ", ")
}

type aliasKey struct{}

// withAlias marks requests for the one answer that is given outside an
// operation: 405.
func withAlias(alias string, rt *route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rt.methods[r.Method] == nil {
			r = r.WithContext(context.WithValue(r.Context(), aliasKey{}, alias))
		}
		rt.ServeHTTP(w, r)
	})
}

func aliasFor(r *http.Request) string {
	alias, _ := r.Context().Value(aliasKey{}).(string)
	return alias
}

// Handle mounts a plain handler, such as a page, at a path of its own. A path
// that ends in a slash takes all below it.
func (a *API) Handle(pattern string, h http.Handler) { a.mux.Handle(pattern, h) }

// ServeHTTP answers a request by its operation.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
