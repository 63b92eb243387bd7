package fuzztest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// caller is somebody who asks.
type caller struct {
	name  string
	kind  kind
	mail  string
	token string
	id    string // the account
}

// join makes those who call: nobody is there yet.
func (r *round) join() {
	r.owner = &caller{name: "OWNER", kind: account}
	r.stranger = &caller{name: "STRANGER", kind: account}
	r.staff = &caller{name: "STAFF", kind: member}
	r.key = &caller{name: "KEY", kind: keyed}
	r.inside = &caller{name: "INSIDE", kind: within}
	r.nobody = &caller{name: "NOBODY", kind: nobody}
	r.garbage = &caller{name: "GARBAGE", kind: garbage}
	r.callers = []*caller{r.nobody, r.garbage, r.stranger, r.owner, r.key, r.staff, r.inside}
	r.revive()
}

// revive lets those call again whose account, key or token a request has ended.
func (r *round) revive() {
	for _, c := range []*caller{r.owner, r.stranger, r.staff} {
		for !r.known(c) {
			if r.signIn(c) {
				continue
			}
			r.born++
			c.mail = fmt.Sprintf("%s%d@example.org", strings.ToLower(c.name), r.born)
			r.ask(r.nobody, "POST", "/api/user", `{"firstName":"A","lastName":"B","birthDate":"1990-01-02","mail":"`+c.mail+`","password":"`+password+`"}`)
		}
	}
	if r.ask(r.key, "GET", "/api/user/key", "").status != http.StatusOK {
		made := r.ask(r.owner, "POST", "/api/user/"+r.owner.id+"/keys", `{"name":"narrow","scopes":"property:read"}`)
		r.key.token, r.key.id = strings.Join(made.values("key"), ""), r.owner.id
	}
	forged := strings.Split(r.owner.token, ".")
	r.tokens = []string{
		"Bearer", "Bearer ", "Bearer x", "Basic YTpi", "Bearer a.b.c", "Emporium 1.x", r.owner.token, "Bearer " + r.owner.token + "x", "bearer " + strings.ToUpper(r.owner.token),
		"Bearer " + forged[0] + ".eyJzdWIiOiIxIiwic3RhZmYiOnRydWV9." + forged[2], "Bearer eyJhbGciOiJub25lIn0." + forged[1] + ".", "Bearer emk_" + strings.Repeat("0", 40), "\xff", "Bearer \xff", "Bearer " + strings.Repeat("a", 8000),
	}
}

// known says whether the token of c holds, and makes staff of who shall be.
func (r *round) known(c *caller) bool {
	if c.token == "" || r.ask(c, "GET", "/api/user/key", "").status != http.StatusNotFound {
		return false
	}
	if c.kind != member || r.ask(c, "GET", "/api/staff?limit=1", "").status == http.StatusOK {
		return true
	}
	r.ask(r.inside, "POST", "/api/staff", `{"mail":"`+c.mail+`"}`)
	c.token = "" // it does not say so yet
	return false
}

// signIn gives c a token, and finds out its account.
func (r *round) signIn(c *caller) bool {
	for _, word := range []string{password, another} {
		a := r.ask(r.nobody, "POST", "/api/user/auth?refresh=1", `{"mail":"`+c.mail+`","password":"`+word+`"}`)
		if a.status != http.StatusOK {
			continue
		}
		c.token = a.values("access_token")[0]
		r.seen.add("refresh", a.values("refresh_token")[0])
		walk(r.ask(c, "GET", "/api/user", "").json, func(object map[string]any) {
			if object["mail"] == c.mail {
				c.id = text(object["userId"])
			}
		})
		return true
	}
	return false
}

// ask makes a call that belongs to no operation under test.
func (r *round) ask(c *caller, method, path, body string) *answer {
	q := &request{caller: c, method: method, target: path, body: []byte(body)}
	if body != "" {
		q.header = [][2]string{{"Content-Type", "application/json"}}
	}
	a, err := r.send(q)
	if err != nil {
		r.t.Fatalf("%s %s: %v\n%s", method, path, err, r.program.Output())
	}
	return a
}

// able are those of whom an operation asks for no more than they are.
func (r *round) able(op *operation) []*caller {
	switch op.need {
	case anyone:
		return r.callers
	case signedIn:
		return []*caller{r.owner, r.stranger, r.staff}
	case own, ownOrStaff:
		if op.path == "/api/user/key" {
			return []*caller{r.key}
		}
		able := []*caller{r.owner, r.stranger}
		if op.need == ownOrStaff {
			able = append(able, r.staff)
		}
		return able
	case staff:
		return []*caller{r.staff}
	case staffOrInside:
		return []*caller{r.staff, r.inside}
	case inside:
		return []*caller{r.inside}
	}
	return nil
}

// suited is one of those, who has such a thing as the operation is about.
func (r *round) suited(op *operation) *caller {
	able := r.able(op)
	has := slices.DeleteFunc(slices.Clone(able), func(c *caller) bool {
		of := r.generator.owner(op, c, true)
		for _, p := range op.Parameters {
			n := noun(op.path, p.Value.Name)
			if of != "" && p.Value.In == "path" && n != "account" && n != "order" && !slices.ContainsFunc(r.seen.things[n], func(id string) bool { return r.seen.owner[n+":"+id] == of }) {
				return true
			}
		}
		return false
	})
	if len(has) == 0 {
		has = able
	}
	return one(r.generator, has)
}

// ends says whether a request may have ended somebody's token.
func (q *request) ends() bool {
	return q.op.method != http.MethodGet && slices.ContainsFunc([]string{"/api/user/", "/api/staff", "/api/signing-keys"}, func(path string) bool { return strings.HasPrefix(q.op.path, path) })
}
