// Package httpapi is how services speak HTTP: typed operations, whose types are
// the single source of what is read, of what is answered and of the OpenAPI
// document. It judges the shape of requests; what values mean is judged by the
// services.
package httpapi

import (
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"emporium/internal/market"
)

// Options says how an API answers.
type Options struct {
	Mode           Mode          // who may do what; [Open] when empty
	Tokens         market.Tokens // tells who a token belongs to; nil: no token holds
	Log            *slog.Logger  // where faults of the server go; nil: nowhere
	Secret         []byte        // what processes of the deployment know each other by; nil: no proof holds
	Now            func() time.Time
	From           func(*http.Request) string // the address that a request comes from; its connection's when nil
	Limits         *Limits                    // how often operations may be called; nil: as often as one likes
	AtOnce         int                        // how many calls each system works on at the same time; 0: any number
	Title, Version string
}

// API holds the operations of all services: those that run here with their
// handlers, the others for the document alone.
type API struct {
	options Options
	mux     *http.ServeMux
	routes  map[string]*route
	aliases map[string]string // of what is at a path and below it: see [API.Alias]
	doc     huma.API
	tags    []*huma.Tag
}

// New makes an API without operations.
func New(o Options) *API {
	if o.Mode == "" {
		o.Mode = Open
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the one default
	}
	if o.From == nil {
		o.From = func(r *http.Request) string { return r.RemoteAddr }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &API{options: o, mux: http.NewServeMux(), routes: map[string]*route{}, aliases: map[string]string{}, doc: newDocument(o)}
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
	work   chan struct{} // holds one for each call that is worked on; nil: any number
}

// System opens the group of a system.
func (a *API) System(s System) *Group {
	if !slices.ContainsFunc(a.tags, func(t *huma.Tag) bool { return t.Name == s.Tag }) {
		a.tags = append(a.tags, &huma.Tag{Name: s.Tag, Description: s.Description})
	}
	g := &Group{api: a, system: s}
	if a.options.AtOnce > 0 {
		g.work = make(chan struct{}, a.options.AtOnce)
	}
	return g
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
	Keys        ForKeys
	Once        bool    // it creates: takes an Idempotency-Key
	Attempt     Attempt // counted more strictly; the subject is what the method Subject of its input gives
	OnBehalf    bool    // it asks other services in its caller's name: see [PassToken]
	MaxBody     int64   // bytes; 1 MiB when 0
	Example     any     // a body to send
	Answer      any     // a body of success
}

const defaultMaxBody = 1 << 20

// handler answers one operation; an error that it returns is written as a
// problem.
type handler func(w http.ResponseWriter, r *http.Request) error

// route is all methods of one path.
type route struct {
	alias   string
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
	writeProblem(w, r, rt.alias, &statusError{
		status: http.StatusMethodNotAllowed, code: "method_not_allowed",
		detail: clip(r.Method) + " is not allowed here; allowed are " + rt.allow,
	})
}

// mount puts the handler of an operation on the mux.
func (g *Group) mount(op Operation, h handler) {
	alias := g.system.ErrorAlias
	fixed, _, _ := strings.Cut(op.Path, "/{")
	g.api.aliases[fixed] = alias
	if g.system.Absent {
		return
	}
	g.api.answer(op.Method, op.Path, alias, func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			g.api.fail(w, r, alias, err)
		}
	})
}

// answer mounts one method of a path, with and without a trailing slash.
func (a *API) answer(method, path, alias string, h http.HandlerFunc) {
	rt := a.routes[path]
	if rt == nil {
		rt = &route{alias: alias, methods: map[string]http.HandlerFunc{}}
		a.routes[path] = rt
		a.mux.Handle(path, rt)
		if !strings.HasSuffix(path, "/{$}") {
			a.mux.Handle(path+"/{$}", slashed(rt))
		}
	}
	rt.methods[method] = h
	allowed := sortedKeys(rt.methods)
	if rt.methods[http.MethodGet] != nil {
		allowed = append(allowed, http.MethodHead)
	}
	rt.allow = strings.Join(append(allowed, http.MethodOptions), ", ")
}

// slashed answers at a path that ends in a slash as it is sent. The mux takes an
// encoded one for it, and then deleting the movie "/" would delete them all.
func slashed(rt *route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.EscapedPath(), "/") {
			NotFound(w, r)
			return
		}
		rt.ServeHTTP(w, r)
	})
}

// Alias names the member that repeats the detail in errors at a path, for those
// that no operation answers: it is that of the system to which the path belongs.
func (a *API) Alias(path string) string {
	for path != "" {
		if alias, ok := a.aliases[path]; ok {
			return alias
		}
		path = path[:max(0, strings.LastIndexByte(path, '/'))]
	}
	return ""
}

// Handle mounts a plain handler, such as a page, at a path of its own. With a
// method ("GET /docs") it answers that one alone, with and without a trailing
// slash. A path that ends in a slash takes all below it.
func (a *API) Handle(pattern string, h http.Handler) {
	if method, path, ok := strings.Cut(pattern, " "); ok {
		if path != "/{$}" {
			path = strings.TrimSuffix(path, "/{$}")
		}
		a.answer(method, path, "", h.ServeHTTP)
		return
	}
	a.mux.Handle(pattern, h)
}

// ServeHTTP answers a request by its operation.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
