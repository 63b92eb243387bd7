package fuzztest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"pgregory.net/rapid"
)

// request is one call.
type request struct {
	op     *operation
	caller *caller
	method string
	target string // as it is sent: the path and the query
	header [][2]string
	body   []byte
	astray bool // the path does not lead to the operation
	mended bool // nor may this one: the answer may say where the path really is
}

// generator makes requests.
type generator struct {
	random *rand.Rand
	seen   *seen
	mode   string
	count  int
	sent   []*request // what was done with an Idempotency-Key: some are sent again
}

func (g *generator) chance(percent int) bool { return g.random.IntN(100) < percent }

func one[T any](g *generator, of []T) T { return of[g.random.IntN(len(of))] }

// valid makes a request as the document describes it. A careful one shall
// succeed.
func (g *generator) valid(op *operation, by *caller, careful bool) *request {
	q := &request{op: op, caller: by, method: op.method}
	path := op.path
	var query []string
	own := g.owner(op, by, careful)
	for _, ref := range op.Parameters {
		p := ref.Value
		switch {
		case p.In == "path":
			id := g.seen.pick(g.random, noun(op.path, p.Name), own)
			if n := noun(op.path, p.Name); n == "account" && own != "" {
				id = own
			}
			path = strings.Replace(path, "{"+p.Name+"}", url.PathEscape(id), 1)
		case p.Name == "cursor":
			if g.chance(20) {
				query = append(query, "cursor="+g.seen.pick(g.random, "cursor", ""))
			}
		case p.In == "query" && (g.chance(30) || p.Name == "refresh"):
			query = append(query, p.Name+"="+url.QueryEscape(g.parameter(p)))
		case p.Name == "Idempotency-Key" && g.chance(30):
			g.count++
			q.header = append(q.header, [2]string{p.Name, "key-" + strconv.Itoa(g.count)})
		}
	}
	if tag := g.seen.etags[path]; g.chance(40) && tag != "" {
		q.header = append(q.header, [2]string{map[bool]string{true: "If-None-Match", false: "If-Match"}[op.method == http.MethodGet], tag})
	}
	if q.target = path; g.chance(10) {
		q.target += "/"
	}
	if len(query) > 0 {
		q.target += "?" + strings.Join(query, "&")
	}
	if schema := op.body(); schema != nil {
		q.header = append(q.header, [2]string{"Content-Type", "application/json"})
		q.body = []byte(g.value(op, by, schema, "", careful).String())
	}
	return q
}

// owner names whose thing is asked for, if that matters.
func (g *generator) owner(op *operation, by *caller, careful bool) string {
	if careful && (op.need == own || op.need == ownOrStaff && by.kind != member) && by.id != "" {
		return by.id
	}
	return ""
}

func (g *generator) parameter(p *openapi3.Parameter) string {
	s := p.Schema.Value
	switch {
	case len(s.Enum) > 0:
		return fmt.Sprint(one(g, s.Enum))
	case s.Type.Is("integer"):
		return strconv.Itoa(1 + g.random.IntN(50))
	}
	return one(g, []string{"a", "x", "Paris", g.text(20), "1", "%", "_"})
}

// body is the schema of what an operation takes; nil: it takes nothing.
func (op *operation) body() *openapi3.Schema {
	if op.RequestBody == nil {
		return nil
	}
	return op.RequestBody.Value.Content["application/json"].Schema.Value
}

const (
	password = "correct horse battery"
	another  = "a purple bicycle"
)

// value makes what a schema describes. What it cannot say, such as which ids
// exist and which must be new, goes by the name of the field.
func (g *generator) value(op *operation, by *caller, s *openapi3.Schema, name string, careful bool) *node {
	if known := g.known(op, by, name); known != nil && !s.Type.Is("object") {
		return known
	}
	if len(s.AnyOf) > 0 {
		if careful {
			s = s.AnyOf[0].Value
		} else {
			s = one(g, s.AnyOf).Value
		}
	}
	switch {
	case s.Type.Includes("null") && g.chance(15):
		return &node{raw: "null"}
	case s.Type.Is("object"):
		n := &node{object: true}
		for _, member := range slices.Sorted(maps.Keys(s.Properties)) {
			p := s.Properties[member].Value
			shown := strings.HasPrefix(p.Description, "Read-only") || strings.HasPrefix(p.Description, "Never")
			if slices.Contains(s.Required, member) || member == "user" && g.mode == "open" || g.chance(60) && (!careful || !shown && member != "user") {
				n.members = append(n.members, field{member, g.value(op, by, p, member, careful)})
			}
		}
		if more := s.AdditionalProperties.Schema; more != nil {
			for range g.random.IntN(4) {
				g.count++
				n.members = append(n.members, field{"k" + strconv.Itoa(g.count), g.value(op, by, more.Value, "", careful)})
			}
		}
		return n
	case s.Type.Includes("integer"):
		return scalar(1 + g.random.IntN(1000))
	case s.Type.Includes("number"):
		return &node{raw: fmt.Sprintf("%d.%02d", 1+g.random.IntN(80), g.random.IntN(100))}
	case s.Pattern != "":
		return scalar(rapid.StringMatching(s.Pattern).Example(int(g.random.Int32())))
	case s.Format == "date-time":
		return scalar(fmt.Sprintf("20%02d-%02d-%02dT%02d:08:40.%03dZ", 10+g.random.IntN(20), 1+g.random.IntN(12), 1+g.random.IntN(28), g.random.IntN(24), g.random.IntN(1000)))
	case s.Format == "date":
		return scalar(fmt.Sprintf("19%02d-%02d-%02d", g.random.IntN(100), 1+g.random.IntN(12), 1+g.random.IntN(28)))
	case s.Type.Includes("string"):
		longest := 60
		if s.MaxLength != nil && !careful && g.chance(10) {
			longest = int(*s.MaxLength)
		}
		return scalar(g.text(longest))
	}
	return &node{raw: "null"}
}

// known makes what the schema does not tell.
func (g *generator) known(op *operation, by *caller, name string) *node {
	creates := op.method == http.MethodPost
	g.count++
	switch {
	case name == "mail" && (op.path == "/api/user" || op.path == "/api/staff"):
		return scalar("m" + strconv.Itoa(g.count) + "@example.org")
	case name == "mail" && by.mail != "" && g.chance(70):
		return scalar(by.mail)
	case name == "password":
		return scalar(one(g, []string{password, password, password, another}))
	case name == "newPassword":
		return scalar(one(g, []string{password, another}))
	case name == "number_of_items":
		return scalar(1 + g.random.IntN(9))
	case name == "email":
		return scalar("e" + strconv.Itoa(g.count) + "@example.org")
	case name == "scopes":
		return scalar(one(g, []string{"*:read", "property:read", "coupons:read coupons:write", "*:read *:write"}))
	case name == "expires_at":
		return scalar(time.Now().Add(time.Duration(1+g.random.IntN(300)) * 24 * time.Hour).UTC().Format("2006-01-02T15:04:05.000Z"))
	case creates && name == "username" && op.path == "/api/users":
		return scalar("buyer " + strconv.Itoa(g.count))
	case creates && (name == "id" || name == "typeId" && op.path == "/api/type"):
		return scalar(1000 + g.count)
	case (name == "user_id" || name == "account_id") && by.id != "" && op.need != anyone:
		return scalar(by.id)
	case name == "refresh_token" || name == "token":
		return scalar(g.seen.pop(noun(op.path, name)))
	case name == "winning" || name == "bids":
		return &node{raw: "null"}
	}
	switch n := noun(op.path, name); n {
	case "":
	case "bidder", "item", "bid", "username", "mail":
		return scalar(g.seen.pick(g.random, n, ""))
	default:
		id := g.seen.pick(g.random, n, "")
		if g.chance(20) {
			return scalar(id) // an id in a string is one, too
		}
		return &node{raw: id}
	}
	return nil
}

var words = []string{
	"Paris", "Évry", "straße", "İstanbul", "a purple bicycle", "Ω≈ç√", "田中さん", "👩‍👩‍👧‍👦", "שלום", "%", "_", "'", `"`, `\`, "<b>", "&amp;", "\t", "\n", "0", "x", "..", "NULL", "ﬁ",
}

// text is a text of 1 to so many characters.
func (g *generator) text(longest int) string {
	if g.chance(10) {
		s := strings.ReplaceAll(rapid.StringN(1, longest, -1).Example(int(g.random.Int32())), "\x00", "0")
		return s
	}
	s := []rune(one(g, words))
	for len(s) < longest && g.chance(60) {
		s = append(append(s, ' '), []rune(one(g, words))...)
	}
	return string(s[:min(len(s), longest)])
}
