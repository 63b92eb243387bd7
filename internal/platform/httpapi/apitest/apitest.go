// Package apitest tests operations over HTTP: tables of calls whose whole
// answers are kept in goldens, and each of which must fit the OpenAPI document.
package apitest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"emporium/internal/platform/httpapi"
)

var update = flag.Bool("update", false, "write the goldens anew")

// API is operations on a test server.
type API struct {
	handler  http.Handler
	document *Document
}

// New makes an API from what routes declares. Tokens of the form "user-7" and
// "staff-7" hold.
func New(t testing.TB, routes func(api *httpapi.API)) *API {
	t.Helper()
	return NewWith(t, httpapi.Options{Tokens: Tokens{}}, routes)
}

// NewWith makes an API that answers as the options say.
func NewWith(t testing.TB, o httpapi.Options, routes func(api *httpapi.API)) *API {
	t.Helper()
	o.Title, o.Version = "Test", "1"
	api := httpapi.New(o)
	routes(api)
	api.Handle("/", http.HandlerFunc(httpapi.NotFound))
	doc, err := api.Document()
	if err != nil {
		t.Fatal(err)
	}
	front := httpapi.Front(api, httpapi.FrontOptions{Now: time.Now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Alias: api.Alias})
	return &API{handler: front, document: NewDocument(t, doc.JSON)}
}

// ServeHTTP answers as a server would.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Do makes one call, fails the test when the answer does not fit the document,
// and gives the answer. The call is "METHOD /path"; a body is JSON unless the
// headers ("Name: value", joined by "|") say otherwise.
func (a *API) Do(t testing.TB, call, body, headers string) *httptest.ResponseRecorder {
	t.Helper()
	method, path, _ := strings.Cut(call, " ")
	request := func() *http.Request {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		r.Header.Set("X-Request-Id", "test")
		for h := range strings.SplitSeq(headers, "|") {
			if name, value, ok := strings.Cut(h, ": "); ok {
				r.Header.Set(name, value)
			}
		}
		return r
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, request())
	a.conforms(t, call, request(), w)
	return w
}

// conforms holds an answer against the document.
func (a *API) conforms(t testing.TB, call string, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	method := r.Method
	r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
	if method == http.MethodHead {
		r.Method = http.MethodGet
	}
	found, _, err := a.document.router.FindRoute(r)
	if err != nil || w.Code == http.StatusMethodNotAllowed {
		return // not an operation: 404 or 405, which the goldens hold
	}
	if err := a.document.Fits(t.Context(), method, found.Path, Answer{Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}); err != nil {
		t.Errorf("%s answers %d, which does not fit the document: %v\n%s", call, w.Code, err, w.Body)
	}
}

// Case is one call of a table.
type Case struct {
	Name   string
	Before []string // calls made first: "METHOD /path", or "METHOD /path {body}"
	Call   string   // "METHOD /path"
	Body   string
	Header string // "Name: value", joined by "|"; also sent with Before
}

// Run makes each call against an API of its own and compares the answers, whole,
// with the golden file.
func Run(t *testing.T, newAPI func(t *testing.T) *API, golden string, cases []Case) {
	t.Helper()
	var got strings.Builder
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			api := newAPI(t)
			for _, before := range c.Before {
				call, body, _ := strings.Cut(before, " {")
				if body != "" {
					body = "{" + body
				}
				if w := api.Do(t, call, body, c.Header); w.Code >= 300 {
					t.Fatalf("%s: %d %s", before, w.Code, w.Body)
				}
			}
			write(&got, c, api.Do(t, c.Call, c.Body, c.Header))
		})
	}
	if !t.Failed() {
		Golden(t, golden, got.String())
	}
}

// quiet are headers that say nothing about the answer.
var quiet = []string{"Content-Length", "X-Request-Id", "X-Content-Type-Options", "Content-Security-Policy"}

func write(b *strings.Builder, c Case, w *httptest.ResponseRecorder) {
	fmt.Fprintf(b, "## %s\n", c.Name)
	for _, before := range c.Before {
		fmt.Fprintf(b, "%s\n", before)
	}
	fmt.Fprintf(b, "%s\n", c.Call)
	if c.Header != "" {
		fmt.Fprintf(b, "%s\n", strings.ReplaceAll(c.Header, "|", "\n"))
	}
	if c.Body != "" {
		fmt.Fprintf(b, "%.200s\n", c.Body)
	}
	fmt.Fprintf(b, "--> %d\n", w.Code)
	header := w.Result().Header
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !slices.Contains(quiet, name) {
			fmt.Fprintf(b, "%s: %s\n", name, strings.Join(header[name], ", "))
		}
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, w.Body.Bytes(), "", "  ") == nil {
		fmt.Fprintf(b, "%s\n", pretty.Bytes())
	} else if w.Body.Len() > 0 {
		fmt.Fprintf(b, "%s\n", w.Body.Bytes())
	}
	b.WriteByte('\n')
}

// Golden compares text with a file, or writes it when the test runs with
// -update.
func Golden(t testing.TB, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v\nwrite it with: go test -run '%s' . -update", err, t.Name())
	}
	if string(want) == got {
		return
	}
	wantLines, gotLines := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	line := 0
	for line < min(len(wantLines), len(gotLines)) && wantLines[line] == gotLines[line] {
		line++
	}
	from := max(0, line-6)
	t.Errorf("%s differs at line %d.\nwant:\n%s\ngot:\n%s\nIf that is right, renew it with: go test -run '%s' . -update",
		file, line+1, excerpt(wantLines, from), excerpt(gotLines, from), t.Name())
}

func excerpt(lines []string, from int) string {
	return strings.Join(lines[min(from, len(lines)):min(from+16, len(lines))], "\n")
}
