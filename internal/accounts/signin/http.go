package signin

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"emporium/internal/accounts"
	"emporium/internal/market"
	"emporium/internal/platform/database"
)

// Options say what the pages need. Accounts and Now are required.
type Options struct {
	Accounts  *accounts.Service
	Now       func() time.Time
	Providers []Provider
	Public    string                                                                      // the address that people know, "https://shop.example.org"; that of each request when empty
	ReturnTo  []string                                                                    // addresses elsewhere that people may be sent back to with their token, to the letter
	Secure    func(*http.Request) bool                                                    // whether a request came by TLS, to this process or to a trusted proxy; nil: to this process
	Attempted func(w http.ResponseWriter, r *http.Request, signUp bool, mail string) bool // counts a try, and says whether it may go on; nil lets everyone
	Random    io.Reader                                                                   // crypto/rand when nil
	Transport http.RoundTripper                                                           // to providers; http.DefaultTransport when nil
	Log       *slog.Logger                                                                // nil logs nothing
}

// Path is where the pages are, and what they load.
const Path = "/sign-in"

// Pages are the pages on which people sign in.
type Pages struct {
	options Options
	sources map[string]source
	origins *http.CrossOriginProtection
	policy  string
	style   string // address
}

//go:embed pages
var files embed.FS

var templates = template.Must(template.ParseFS(files, "pages/*.html"))

// New makes the pages.
func New(o Options) (*Pages, error) {
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Secure == nil {
		o.Secure = func(r *http.Request) bool { return r.TLS != nil }
	}
	o.Public = strings.TrimSuffix(o.Public, "/")
	p := &Pages{options: o, sources: map[string]source{}, origins: http.NewCrossOriginProtection()}
	if o.Public != "" {
		if err := p.origins.AddTrustedOrigin(o.Public); err != nil {
			return nil, fmt.Errorf("take %q as the public address: %w", o.Public, err)
		}
	}
	for _, provider := range o.Providers {
		p.sources[provider.Name] = newSource(provider, o.Transport, o.Now)
	}
	targets := "'self'"
	for _, address := range o.ReturnTo {
		u, err := url.Parse(address)
		if err != nil {
			return nil, fmt.Errorf("read the address %q to return to: %w", address, err)
		}
		targets += " " + u.Scheme + "://" + u.Host // where browsers hold redirects of a form to its target
	}
	p.policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action " + targets + "; base-uri 'none'; frame-ancestors 'none'"
	sheet, err := files.ReadFile("pages/style.css")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(sheet)
	p.style = Path + "/style.css?" + hex.EncodeToString(sum[:6])
	return p, nil
}

// Mount puts the pages up. The handle function is that of an API.
func (p *Pages) Mount(handle func(pattern string, h http.Handler)) {
	for pattern, h := range map[string]func(*visit){
		"GET " + Path:                               p.showSignIn,
		"POST " + Path:                              p.signIn,
		"GET " + Path + "/new":                      p.showSignUp,
		"POST " + Path + "/new":                     p.signUp,
		"GET " + Path + "/account":                  p.showAccount,
		"POST " + Path + "/out":                     p.signOut,
		"POST " + Path + "/continue":                p.goOn,
		"GET " + Path + "/with/{provider}":          p.begin,
		"GET " + Path + "/with/{provider}/callback": p.callback,
		"POST " + Path + "/link/{provider}":         p.link,
		"POST " + Path + "/unlink/{provider}":       p.unlink,
		"GET " + Path + "/arrival":                  p.showArrival,
		"POST " + Path + "/arrival":                 p.takeArrival,
	} {
		handle(pattern, p.page(h))
	}
	handle("GET "+Path+"/style.css", asset("style.css", "text/css; charset=utf-8"))
	handle("GET "+Path+"/icon.svg", asset("icon.svg", "image/svg+xml"))
}

func asset(name, media string) http.Handler {
	body, err := files.ReadFile("pages/" + name)
	if err != nil {
		panic(err) // it is embedded
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", media)
		h.Set("Content-Length", strconv.Itoa(len(body)))
		h.Set("Cache-Control", "public, max-age=86400")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(body)
	})
}

// maxForm bounds a form, in bytes.
const maxForm = 64 << 10

// visit is one request of a browser.
type visit struct {
	w       http.ResponseWriter
	r       *http.Request
	base    string // "https://shop.example.org"
	secure  bool
	browser string // what this browser is known by, for a while
	token   string // of who is signed in; "" when nobody is
	who     market.Identity
}

// page stands before every page: what must hold for any of them.
func (p *Pages) page(h func(*visit)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", p.policy)
		head.Set("Cache-Control", "no-store")
		head.Set("Referrer-Policy", "same-origin")
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("X-Frame-Options", "DENY")
		head.Set("Cross-Origin-Opener-Policy", "same-origin")
		v := &visit{w: w, r: r}
		var ok bool
		if v.base, v.secure, ok = p.base(r); !ok {
			p.message(v, http.StatusForbidden, "Not over this address", "This address is not encrypted, so passwords and tokens could be read on their way. "+
				"Use https, or have the operator set --public-url.", false)
			return
		}
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if err := r.ParseForm(); err != nil {
				p.message(v, http.StatusBadRequest, "That was not a form", "What was sent cannot be read as a form of this page.", true)
				return
			}
			if p.origins.Check(r) != nil || !p.sameForm(v) {
				p.message(v, http.StatusForbidden, "Please try again", "This form was open for too long, or did not come from this page. Nothing was changed.", true)
				return
			}
		}
		p.recognise(v)
		h(v)
	})
}

// base is the address that a browser knows this server by, and whether it is
// encrypted. It is not ok where others on the way could read along.
func (p *Pages) base(r *http.Request) (base string, secure, ok bool) {
	switch {
	case p.options.Public != "":
		return p.options.Public, strings.HasPrefix(p.options.Public, "https://"), true
	case !plainHost(r.Host):
		return "", false, false
	case p.options.Secure(r):
		return "https://" + r.Host, true, true
	}
	return "http://" + r.Host, false, isLoopback(r.Host)
}

// plainHost says whether a Host header is a host and perhaps a port.
func plainHost(host string) bool {
	u, err := url.Parse("//" + host)
	return err == nil && host != "" && u.Host == host && u.User == nil
}

// view is what a page shows.
type view struct {
	Title     string
	Style     string
	Form      string // proves that a form is of this page
	ReturnTo  string
	Notice    string // what went wrong with the whole
	Text      string
	Again     bool
	Fields    []field
	Providers []button
	Arrival   accounts.Arrival
	Label     string // of the provider that somebody came from
	Mail      string
	Token     string
	Base      string
	Next      string // an own path to go on to
	Away      string // an address elsewhere to go on to
	Linked    []button
}

type button struct{ Name, Label, Href string }

// field is an input with what is wrong with it beside it.
type field struct {
	Name, Label, Type, Value, Fault, Auto, Hint string
	Fixed                                       bool
}

func (p *Pages) show(v *visit, status int, name string, shown view) {
	shown.Style, shown.Base = p.style, v.base
	if v.browser != "" {
		shown.Form = formProof(v.browser)
	}
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, shown); err != nil {
		p.options.Log.ErrorContext(v.r.Context(), "a page cannot be rendered", "page", name, "error", err)
		http.Error(v.w, "something went wrong on our side", http.StatusInternalServerError)
		return
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	v.w.WriteHeader(status)
	_, _ = v.w.Write(b.Bytes())
}

// mayTry counts a try to sign in or up, and answers one that is too many. A mail
// is counted as the API counts it, whatever its case.
func (p *Pages) mayTry(v *visit, signUp bool, mail string) bool {
	if p.options.Attempted == nil || p.options.Attempted(headOnly{v.w.Header()}, v.r, signUp, database.Fold(mail)) {
		return true
	}
	p.message(v, http.StatusTooManyRequests, "Too many tries", "Please wait a while, and try again.", true)
	return false
}

// headOnly keeps the headers of an answer that a page is shown in place of.
type headOnly struct{ head http.Header }

// Header gives the headers.
func (h headOnly) Header() http.Header { return h.head }

// Write drops the body.
func (h headOnly) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader drops the status.
func (h headOnly) WriteHeader(int) {}

func (p *Pages) message(v *visit, status int, title, text string, again bool) {
	p.show(v, status, "message.html", view{Title: title, Text: text, Again: again})
}

// fail says what an error means to a person. Faults of fields stand beside them.
func (p *Pages) fail(v *visit, err error, name string, shown view) {
	status, text := p.explain(v, err)
	refusal, ok := errors.AsType[*market.Error](err)
	if ok {
		for _, f := range refusal.Faults {
			at := slices.IndexFunc(shown.Fields, func(of field) bool { return "body."+of.Name == f.Location })
			if at >= 0 && shown.Fields[at].Fault == "" {
				shown.Fields[at].Fault, text = sentence(f.Message), ""
			}
		}
		for code, of := range map[string]string{"wrong_credentials": "password", "mail_taken": "mail"} {
			at := slices.IndexFunc(shown.Fields, func(f field) bool { return f.Name == of })
			if refusal.Code == code && at >= 0 {
				shown.Fields[at].Fault, text = sentence(refusal.Detail), ""
			}
		}
	}
	shown.Notice = text
	p.show(v, status, name, shown)
}

// explain gives the status and the sentence of an error, and logs what is ours.
func (p *Pages) explain(v *visit, err error) (status int, text string) {
	refusal, ok := errors.AsType[*market.Error](err)
	if !ok {
		p.options.Log.ErrorContext(v.r.Context(), "signing in failed", "path", v.r.URL.Path, "error", err)
		return http.StatusInternalServerError, "Something went wrong on our side. Please try again."
	}
	switch refusal.Kind {
	case market.Unauthenticated:
		status = http.StatusUnauthorized
	case market.Denied:
		status = http.StatusForbidden
	case market.NotFound:
		status = http.StatusNotFound
	case market.Conflict:
		status = http.StatusConflict
	case market.Unavailable:
		status = http.StatusServiceUnavailable
		v.w.Header().Set("Retry-After", strconv.Itoa(max(1, int(refusal.RetryAfter/time.Second))))
	default:
		status = http.StatusBadRequest
	}
	return status, sentence(refusal.Detail)
}

// sentence begins with a capital and ends with a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}
