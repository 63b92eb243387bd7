package edge

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Origins are the other sites whose pages may ask this server from a browser
// (CORS). The zero value is none.
type Origins struct {
	any         bool
	named       map[string]bool
	credentials bool
}

// ParseOrigins reads origins such as https://shop.example, or * for any.
// Cookies and client certificates go along only where credentials says so, and
// never to any origin at all.
func ParseOrigins(texts []string, credentials bool) (Origins, error) {
	o := Origins{named: map[string]bool{}, credentials: credentials}
	for _, text := range texts {
		if text == "*" {
			o.any = true
			continue
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
			return Origins{}, fmt.Errorf("%q is not an origin such as https://shop.example (without a path or a slash at the end), or *", text)
		}
		if u.Port() == "443" && u.Scheme == "https" || u.Port() == "80" && u.Scheme == "http" {
			return Origins{}, fmt.Errorf("%q: browsers leave out the port that goes without saying", text)
		}
		o.named[strings.ToLower(text)] = true
	}
	if credentials && (o.any || len(o.named) == 0) {
		return Origins{}, errors.New("credentials need origins by name, not *")
	}
	return o, nil
}

// Some says whether any origin may ask.
func (o Origins) Some() bool { return o.any || len(o.named) > 0 }

func (o Origins) allow(origin string) bool { return o.any || o.named[origin] }

// What browsers may send and read beyond what goes without saying.
const (
	allowMethods  = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
	allowHeaders  = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-Id, Traceparent, Tracestate"
	exposeHeaders = "ETag, Link, Location, Retry-After, RateLimit, RateLimit-Policy, WWW-Authenticate, X-Request-Id"
)

// Handler answers preflights, and says in answers who may read them.
func (o Origins) Handler(next http.Handler) http.Handler {
	if !o.Some() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		origin := r.Header.Get("Origin")
		preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
		if !o.any {
			h.Add("Vary", "Origin") // also without one: a cache may hold this answer for others
		}
		if preflight {
			h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
		}
		if origin == "" || !o.allow(origin) {
			next.ServeHTTP(w, r)
			return
		}
		if o.any {
			origin = "*"
		}
		h.Set("Access-Control-Allow-Origin", origin)
		if o.credentials {
			h.Set("Access-Control-Allow-Credentials", "true")
		}
		if !preflight {
			h.Set("Access-Control-Expose-Headers", exposeHeaders)
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", allowMethods)
		h.Set("Access-Control-Allow-Headers", allowHeaders)
		h.Set("Access-Control-Max-Age", "600")
		w.WriteHeader(http.StatusNoContent)
	})
}

// Secure tells browsers to come by TLS alone from now on, where a request came
// by it.
func Secure(next http.Handler, hsts string) http.Handler {
	if hsts == "" {
		return next
	}
	value := []string{hsts}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil {
			w.Header()["Strict-Transport-Security"] = value
		}
		next.ServeHTTP(w, r)
	})
}

// Redirect sends whoever comes without TLS to the same place with it. The port
// is left out where it is TLS's own.
func Redirect(port string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostOf(r.Host)
		if host == "" {
			http.Error(w, "the request names no host to be sent to", http.StatusBadRequest)
			return
		}
		if port != "443" {
			host += ":" + port
		}
		w.Header().Set("Connection", "close")
		target := url.URL{Scheme: "https", Host: host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, target.String(), http.StatusPermanentRedirect)
	})
}

// hostOf is a Host header's name or address without its port; "" when it is
// neither.
func hostOf(header string) string {
	u, err := url.Parse("//" + header)
	if err != nil || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return ""
	}
	name := u.Hostname()
	if ip, err := netip.ParseAddr(name); err == nil {
		if ip.Is6() {
			return "[" + ip.WithZone("").String() + "]"
		}
		return name
	}
	for _, c := range []byte(name) {
		if c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return ""
		}
	}
	return name
}
