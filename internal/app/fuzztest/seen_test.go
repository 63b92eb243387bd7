package fuzztest_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// seen is what answers have shown so far: what exists, and whose it is.
type seen struct {
	things map[string][]string // by noun: "coupon", "bidder", …
	owner  map[string]string   // the account, by "property:3"
	etags  map[string]string   // by path
}

// mostSeen of a noun are remembered, the latest ones.
const mostSeen = 40

// nouns say what an id is called by, in the paths that begin like this.
var nouns = []struct{ path, id string }{
	{"/coupons", "coupon"},
	{"/api/movies", "movie"},
	{"/api/products", "product"},
	{"/api/recent_purchases", "product"},
	{"/api/purchases", "purchase"},
	{"/api/billing/orders", "order"},
	{"/api/v1/users", "bidder"},
	{"/api/v1/items", "item"},
	{"/api/v1/bids", "bid"},
	{"/api/property", "property"},
	{"/api/room", "room"},
	{"/api/type", "type"},
	{"/api/user/", "account"},
	{"/api/staff/log", ""},
	{"/api/staff", "member"},
	{"/api/personal", "account"},
}

// noun says what a field or a parameter of an operation names.
func noun(path, field string) string {
	switch field {
	case "id":
		for _, n := range nouns {
			if strings.HasPrefix(path, n.path) {
				return n.id
			}
		}
	case "user_id":
		if !strings.HasPrefix(path, "/api/v1") {
			return "account"
		}
		return "bidder"
	case "userId":
		if strings.HasPrefix(path, "/api/staff") && !strings.HasPrefix(path, "/api/staff/log") {
			return "member"
		}
		return "account"
	case "token":
		return "reset"
	case "keyId", "key":
		return "key"
	}
	return map[string]string{
		"account_id": "account", "bid_id": "bid", "item_id": "item", "item": "item", "user": "bidder", "propertyId": "property",
		"roomId": "room", "typeId": "type", "product_id": "product", "username": "username", "mail": "mail", "kid": "kid",
		"refresh_token": "refresh",
	}[field]
}

// text is a JSON scalar as it is written into a path.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// answer is what came back from a call.
type answer struct {
	status int
	header http.Header
	body   []byte
	json   any // nil where the body is none
}

// values are those of a field, wherever it stands.
func (a *answer) values(field string) (all []string) {
	walk(a.json, func(object map[string]any) {
		if s := text(object[field]); s != "" {
			all = append(all, s)
		}
	})
	return all
}

func walk(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(v)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			walk(v[name], visit)
		}
	case []any:
		for _, element := range v {
			walk(element, visit)
		}
	}
}

func decode(body []byte) (v any) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&v) != nil {
		return nil
	}
	return v
}

// take remembers what an answer shows.
func (s *seen) take(q *request, a *answer) {
	if a.status >= http.StatusMultipleChoices {
		return
	}
	path, _, _ := strings.Cut(q.target, "?")
	if tag := a.header.Get("ETag"); tag != "" {
		s.etags[path] = tag
	}
	if _, next, found := strings.Cut(a.header.Get("Link"), "cursor="); found {
		s.add("cursor", next[:strings.IndexAny(next, "&>")])
	}
	if q.op.method == http.MethodDelete {
		if id := path[strings.LastIndexByte(path, '/')+1:]; strings.HasSuffix(q.op.path, "}") {
			n := noun(q.op.path, strings.Trim(q.op.path[strings.LastIndexByte(q.op.path, '/')+1:], "{}"))
			s.things[n] = slices.DeleteFunc(s.things[n], func(have string) bool { return have == id })
		}
		return
	}
	walk(a.json, func(object map[string]any) {
		for _, field := range slices.Sorted(maps.Keys(object)) {
			if n, value := noun(q.op.path, field), text(object[field]); n != "" && value != "" && field != "key" {
				s.add(n, value)
			}
		}
		for _, of := range [][2]string{{"propertyId", "property"}, {"keyId", "key"}} {
			if id, owner := text(object[of[0]]), text(object["userId"]); id != "" && owner != "" {
				s.owner[of[1]+":"+id] = owner
			}
		}
		if id, house := text(object["roomId"]), text(object["propertyId"]); id != "" {
			s.owner["room:"+id] = s.owner["property:"+house]
		}
		if id, owner := text(object["id"]), text(object["user_id"]); id != "" && owner != "" {
			s.owner["order:"+id] = owner
		}
	})
}

func (s *seen) add(noun, value string) {
	have := s.things[noun]
	if slices.Contains(have, value) {
		return
	}
	s.things[noun] = append(have[max(0, len(have)-mostSeen+1):], value)
}

// pick gives something that exists, as far as is known; of an owner's, when one
// is named.
func (s *seen) pick(random *rand.Rand, noun, owner string) string {
	if noun == "order" { // when one is written down is a matter of time: a seed could not repeat it
		return strconv.Itoa(1 + random.IntN(10))
	}
	have := s.things[noun]
	if owner != "" {
		have = slices.DeleteFunc(slices.Clone(have), func(id string) bool { return s.owner[noun+":"+id] != owner })
	}
	switch {
	case len(have) > 0:
	case noun == "cursor":
		return "c0"
	default:
		return strconv.Itoa(1 + random.IntN(3))
	}
	return have[random.IntN(len(have))]
}

// pop gives the latest of what is good for one use.
func (s *seen) pop(noun string) string {
	have := s.things[noun]
	if len(have) == 0 {
		return "none"
	}
	s.things[noun] = have[:len(have)-1]
	return have[len(have)-1]
}
