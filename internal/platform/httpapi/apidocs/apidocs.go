// Package apidocs serves the pages for people: one that says what runs here,
// and the interactive reference of the API. Everything they need is embedded;
// no request leaves the server they came from.
package apidocs

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strconv"

	"emporium/internal/platform/httpapi"
)

// Options says what the pages tell.
type Options struct {
	Title    string    // "Emporium"
	Summary  string    // a sentence or two under it
	Version  string    // of the program, in the foot
	Document string    // address of the OpenAPI document; "/openapi.json" when empty
	SignIn   string    // operation that takes mail and password and answers an access_token; "/api/user/auth" when empty
	Scheme   string    // name of the bearer scheme in the document; "bearer" when empty
	Hint     string    // under the sign-in form, such as where the demo's passwords are; may be empty
	Services []Service // in the order of the page
}

// Service is one system on the page that says what runs here.
type Service struct {
	Name     string
	Summary  string
	Down     bool // it does not run here and has no address: its paths answer 503
	Examples []Example
}

// Example is a GET that a visitor can follow.
type Example struct {
	Label string // "all coupons"; nothing is shown where it is the path
	Path  string // "/coupons"
}

//go:embed pages/*.html
var pages embed.FS

var templates = template.Must(template.ParseFS(pages, "pages/*.html"))

// Mount puts the pages at /, /docs, /apidocs and what they load below
// /docs/assets/. The handle function is that of a ServeMux or of an API.
func Mount(handle func(pattern string, h http.Handler), o Options) error {
	setDefaults(&o)
	files, err := openAssets()
	if err != nil {
		return err
	}
	settings, err := json.Marshal(map[string]any{"document": o.Document, "signIn": o.SignIn, "scheme": o.Scheme})
	if err != nil {
		return fmt.Errorf("write the settings of the reference page: %w", err)
	}
	view := struct {
		Options
		Assets   string
		Settings string
	}{o, files.prefix(), string(settings)}

	home, err := page("home.html", view, httpapi.PagePolicy{})
	if err != nil {
		return err
	}
	docs, err := page("docs.html", view, httpapi.PagePolicy{InlineStyles: true}) // the reference writes its own
	if err != nil {
		return err
	}
	handle("GET /{$}", home)
	for _, path := range []string{"/docs", "/docs/{$}", "/apidocs", "/apidocs/{$}"} {
		handle("GET "+path, docs)
	}
	handle("GET "+files.prefix()+"{name}", files)
	return nil
}

func setDefaults(o *Options) {
	for _, d := range []struct {
		field *string
		value string
	}{
		{&o.Title, "Emporium"},
		{&o.Document, "/openapi.json"},
		{&o.SignIn, "/api/user/auth"},
		{&o.Scheme, "bearer"},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
}

// page renders a template once; what it shows does not change while the
// program runs.
func page(name string, view any, policy httpapi.PagePolicy) (http.Handler, error) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, view); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		httpapi.PageHeaders(h, policy)
		h.Set("Content-Length", strconv.Itoa(b.Len()))
		_, _ = w.Write(b.Bytes())
	}), nil
}
