package fuzztest_test

import (
	"net/http"
	"net/url"
	stdpath "path"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// oddIDs stand in a path where an id belongs.
var oddIDs = []string{
	"0", "-1", "+1", "%2B1", "1e3", "1.0", "0x1", "007", "%31", "1%20", "%201", "abc", "9223372036854775807", "9223372036854775808", "99999999999999999999",
	"%00", "1%00", "%FF", "%C0%80", "%ED%A0%80", "\xff", "%2F", "1%2F2", "..%2f..%2fetc", "%2e%2e", "%2E", "1;a=b", "é", "%F0%9F%92%A9", "user0", "user01", "USER1",
	"item+1", "bid999999999999999999999", "item1", "user1", "bid1", "'%20OR%20'1'='1", "*", "null", "%7Bid%7D", "{id}", "1,2", "~", "%25", "%252F", "%0d%0aX:%20y", "true", "１",
}

// oddQueries stand behind the path.
var oddQueries = []string{
	"x=1", "&&&==", "=", "a=1;b=2", "%zz=1", "a=%zz", "limit", "limit=1&limit=2", "limit=1&cursor=c", "limit=1&cursor=c1y2p0ij32e8e7", "limit=1000", "winningOnly=1&complete=1",
	"skip=9007199254740991&limit=1000", "skip=1&skip=1", "status=valid&status=valid", "q=x", "?", "#", "a[]=1", "%F0%9F%92%A9=1", strings.Repeat("a=1&", 500),
}

// oddParameters are what a parameter of the query says.
var oddParameters = []string{
	"", "%00", "%FF", "%C0%80", "%zz", "-1", "0", "2", "+1", "%2B1", "01", "1e2", "1.0", "1001", "x", "true", "yes", "null", "sold", "%25_%5C", "9007199254740991", "9007199254740992", "9223372036854775807",
	"9223372036854775808", "99999999999999999999", "c", "c-1", "c0", "C1", "c+1", "c1%00", "c1y2p0ij32e8e7", "c1y2p0ij32e8e8", "czzzzzzzzzzzzz", strings.Repeat("x", 4000), "%F0%9F%92%A9",
}

// oddChoices are none of those that a parameter names.
var oddChoices = []string{"", "%00", "2", "-1", "true", "sold", "0&x=1", "00", "VALID"}

// oddHeaders come with a request.
var oddHeaders = [][2]string{
	{"If-Match", "*"},
	{"If-Match", `"1"`},
	{"If-Match", `W/"1"`},
	{"If-Match", `"1", "2"`},
	{"If-Match", "1"},
	{"If-Match", `"`},
	{"If-Match", ""},
	{"If-Match", ",,,"},
	{"If-Match", `"99999999999999999999"`},
	{"If-Match", "\xff"},
	{"If-None-Match", "*"},
	{"If-None-Match", `"1"`},
	{"If-None-Match", `W/"1"`},
	{"If-None-Match", "1"},
	{"If-None-Match", `"`},
	{"If-None-Match", "\xff"},
	{"If-Modified-Since", "Sat, 01 Jan 2050 00:00:00 GMT"},
	{"If-Unmodified-Since", "Sat, 01 Jan 2000 00:00:00 GMT"},
	{"If-Range", `"1"`},
	{"Range", "bytes=0-10"},
	{"Range", "bytes=-1"},
	{"Range", "bytes=10-0"},
	{"Range", "bytes=0-1,2-3"},
	{"Range", "items=1"},
	{"Accept", "text/html"},
	{"Accept", "application/xml;q=1"},
	{"Accept", "*/*;q=0"},
	{"Accept", "garbage"},
	{"Accept", "application/problem+json"},
	{"Accept", "text/plain"},
	{"Accept", "application/json;q=abc, */"},
	{"Accept-Encoding", "gzip"},
	{"Accept-Encoding", "identity;q=0"},
	{"Accept-Language", "\xff"},
	{"Idempotency-Key", " "},
	{"Idempotency-Key", strings.Repeat("k", 255)},
	{"Idempotency-Key", strings.Repeat("k", 256)},
	{"Idempotency-Key", "\xff"},
	{"Idempotency-Key", "é"},
	{"X-Request-Id", "a b"},
	{"X-Request-Id", strings.Repeat("r", 200)},
	{"X-Request-Id", "\xff"},
	{"Traceparent", "00-0-0-0"},
	{"Traceparent", "x"},
	{"X-Forwarded-For", "1.2.3.4"},
	{"Forwarded", "for=\"[::1]\""},
	{"X-Real-Ip", "x"},
	{"X-Http-Method-Override", "DELETE"},
	{"X-Original-Url", "/api/staff"},
	{"X-User-Id", "1"},
	{"X-Staff", "true"},
	{"Proxy-Authorization", "Bearer x"},
	{"Cookie", "session=1; __Host-session=x"},
	{"Origin", "https://elsewhere.example"},
	{"Origin", "null"},
	{"Sec-Fetch-Site", "cross-site"},
	{"Content-Encoding", "gzip"},
	{"Content-Type", "text/plain"},
	{"Content-Type", "application/json; charset=latin1"},
	{"Content-Type", "application/json;"},
	{"Content-Type", "application/merge-patch+json"},
	{"Content-Type", "multipart/form-data"},
	{"Content-Type", ""},
	{"Content-Type", "\xff"},
	{"Upgrade", "websocket"},
	{"TE", "trailers"},
}

// spoiled makes a request with one thing that is not as it should be.
func (g *generator) spoiled(op *operation, by *caller) *request {
	q := g.valid(op, by, true)
	if op.body() != nil && g.chance(60) {
		if g.chance(70) {
			root := g.value(op, by, op.body(), "", true)
			g.spoil(root)
			q.body = []byte(root.String())
		} else {
			q.body = []byte(tear(g.random, string(q.body)))
		}
		return q
	}
	path, _, _ := strings.Cut(q.target, "?")
	switch g.random.IntN(8) {
	case 0, 1:
		if segments := strings.Split(op.path, "/"); slices.ContainsFunc(segments, isParameter) {
			for i := range segments {
				if !isParameter(segments[i]) {
					continue
				}
				if segments[i] = one(g, oddIDs); g.chance(5) {
					segments[i] = strings.Repeat("9", 3000)
				}
			}
			q.target = strings.Join(segments, "/")
			plain, err := url.PathUnescape(q.target)
			q.mended = err == nil && stdpath.Clean(plain) != plain
			break
		}
		fallthrough
	case 2:
		q.target, q.astray = g.elsewhere(op, path), true
	case 3, 4:
		query := one(g, oddQueries)
		if known := op.query(); len(known) > 0 && g.chance(70) {
			p, odd := one(g, known), oddParameters
			if len(p.Schema.Value.Enum) > 0 {
				odd = oddChoices
			}
			query = p.Name + "=" + one(g, odd)
		}
		q.target = path + "?" + query
	case 5:
		for _, method := range []string{"HEAD", "OPTIONS", "PATCH", "TRACE", "QUERY", "get", "PROPFIND", "POST", "DELETE", "PUT"} {
			if head := method == http.MethodHead && op.method != http.MethodGet && slices.Contains(op.methods, http.MethodGet); !head && !slices.Contains(op.methods, method) && g.chance(40) {
				q.method = method
				break
			}
		}
	default:
		for range 1 + g.random.IntN(3) {
			q.header = append(q.header, one(g, oddHeaders))
		}
	}
	return q
}

// query are the parameters of the query.
func (op *operation) query() (list []*openapi3.Parameter) {
	for _, p := range op.Parameters {
		if p.Value.In == "query" {
			list = append(list, p.Value)
		}
	}
	return list
}

func isParameter(segment string) bool { return strings.HasPrefix(segment, "{") }

// elsewhere is an address near that of an operation.
func (g *generator) elsewhere(op *operation, path string) string {
	at := strings.LastIndexByte(path, '/')
	near := []string{
		path + "//", "/" + path, path + "/x", path + "/../" + path, path[:at] + "/.." + path[at:], path[:at] + "/." + path[at:], path[:at] + "/" + path[at:], strings.ToUpper(path),
		path + "/%2e%2e", path + "%zz", path + "%", path + "/" + strings.Repeat("a/", 500), strings.ReplaceAll(path, "/", "%2F"), path + "/%00", "/." + path, path + "/..",
	}
	if !strings.HasSuffix(op.path, "}") { // else it is another id
		near = append(near, path+"%2F", path+";x", path+"%0a", path+"\xff", path+".json")
	}
	return one(g, near)
}

// again sends an earlier request, with the same Idempotency-Key: as it was, by
// somebody else, or with another body.
func (g *generator) again(others []*caller) *request {
	q := *one(g, g.sent)
	switch g.random.IntN(4) {
	case 0:
		q.caller = one(g, others)
	case 1:
		q.body = []byte(g.value(q.op, q.caller, q.op.body(), "", true).String())
	case 2:
		q.body = []byte(tear(g.random, string(q.body)))
	}
	return &q
}

// documented says whether it is the operation that answers.
func (q *request) documented() bool {
	return !q.astray && (q.method == q.op.method || q.method == http.MethodHead && q.op.method == http.MethodGet)
}
