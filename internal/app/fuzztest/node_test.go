package fuzztest_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
)

// node is a JSON value that can also be written wrongly: with numbers that no
// type holds, and the same key twice.
type node struct {
	raw     string // of a scalar, or of what is no JSON at all
	object  bool
	members []field
}

type field struct {
	name  string
	value *node
}

func scalar(v any) *node {
	raw, _ := json.Marshal(v)
	return &node{raw: string(raw)}
}

func (n *node) String() string {
	if !n.object {
		return n.raw
	}
	var b strings.Builder
	b.WriteByte('{')
	for i, f := range n.members {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(f.name)
		b.Write(name)
		b.WriteByte(':')
		b.WriteString(f.value.String())
	}
	b.WriteByte('}')
	return b.String()
}

// all are a value and those in it.
func (n *node) all() []*node {
	list := []*node{n}
	for _, f := range n.members {
		list = append(list, f.value.all()...)
	}
	return list
}

// oddValues stand where others belong.
var oddValues = []string{
	"null", "true", "false", "0", "-1", "-0", "1.5", "1.0", "1e3", "1E+2", "0.1e1", "1e-400", "1e400", "-1e400", "1e99999999999", "100.005", "0.00",
	"2147483647", "2147483648", "4294967296", "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
	"999999999999.99", "1000000000000", "123456789012345678901234567890", "0." + strings.Repeat("0", 400) + "1", strings.Repeat("9", 5000),
	`""`, `" "`, `"null"`, `"1"`, `"1e3"`, `"-0"`, `"１"`, `"NaN"`, `"Infinity"`, `"0x10"`, `"1_000"`, `" 1"`, `"1e400"`, `"1e-2"`, `"` + strings.Repeat("9", 400) + `"`,
	`"\u0000"`, `"a\u0000b"`, `"\ud800"`, `"\udc00\ud800"`, "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", `"\u202Eabc"`, `"\ufeff"`, `"\r\n"`, `"e\u0301"`, `"\u1E9E\u0130\u0131"`,
	`"💩👩‍👩‍👧‍👦"`, `"'; DROP TABLE coupons; --"`, `"<script>alert(1)</script>"`, `"%s%n%d"`, `"../../../etc/hosts"`, `"${jndi:ldap://x}"`,
	`"2016-08-05T08:40:51.620+02:00"`, `"2023-02-29T00:00:00.000Z"`, `"0000-00-00"`, `"0000-01-01T00:00:00.000Z"`, `"9999-12-31T23:59:59.999999Z"`,
	`"9999-12-31T23:59:60.000Z"`, `"10000-01-01T00:00:00.000Z"`, `"-0001-01-01T00:00:00Z"`, `"2016-08-05"`, `"1899-12-31"`, `"2999-01-01"`, `"2016-08-05T08:40:51.1234567Z"`,
	`"2016-08-05t08:40:51.620z"`, `"0001-01-01T00:00:00.000+23:59"`, `"9999-12-31T23:59:59.999-23:59"`,
	`"user0"`, `"user01"`, `"USER1"`, `"item999999999999999999999"`, `"bid-1"`, `"item1\u0000"`, `"a@b"`, `"@"`, `"a@b@c"`, `"A@EXAMPLE.ORG"`,
	"[]", "{}", "[[]]", `[1]`, `{"a":1}`, `{"":""}`, `[null]`, "", "undefined", "NaN", "01", "+1", ".5", "1.", "'a'", "/**/1", "tru",
}

// spoil changes one thing of a value.
func (g *generator) spoil(root *node) {
	n := one(g, root.all())
	if n.object && len(n.members) > 0 {
		i := g.random.IntN(len(n.members))
		switch g.random.IntN(6) {
		case 0: // a field missing
			n.members = append(n.members[:i], n.members[i+1:]...)
			return
		case 1: // twice
			n.members = append(n.members, n.members[i])
			return
		case 2: // another's case
			n.members[i].name = strings.ToUpper(n.members[i].name)
			return
		case 3: // one more
			name := one(g, []string{"version", "role", "staff", "id", "__proto__", "", " ", "a\x00b", "userId", "password_hash", strings.Repeat("x", 3000), "é"})
			n.members = append(n.members, field{name, &node{raw: g.odd()}})
			return
		case 4: // many more
			for range 300 {
				n.members = append(n.members, field{g.text(30), &node{raw: "1"}})
			}
			return
		}
		n = n.members[i].value
	}
	*n = node{raw: g.odd()}
}

func (g *generator) odd() string {
	switch g.random.IntN(12) {
	case 0:
		return scalar(strings.Repeat("é", one(g, []int{255, 256, 1000, 1001, 100000, 100001}))).raw
	case 1:
		return strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000)
	case 2:
		return strings.Repeat("[", 20000) + strings.Repeat("]", 20000)
	}
	return one(g, oddValues)
}

// tear changes a body as text.
func tear(random *rand.Rand, body string) string {
	at := random.IntN(len(body) + 1)
	switch random.IntN(12) {
	case 0:
		return ""
	case 1:
		return body[:at]
	case 2:
		return body + "}"
	case 3:
		return body + body
	case 4:
		return "\ufeff" + body
	case 5:
		return "[" + body + "]"
	case 6:
		return body[:at] + string([]byte{byte(random.IntN(256))}) + body[at:]
	case 7:
		return body[:at] + "\x00" + body[at:]
	case 8:
		return strings.Join(strings.Split(body, ""), "\x00")
	case 9:
		return body[:max(0, len(body)-1)] + `,"more":"` + strings.Repeat("x", 1<<20) + `"}`
	case 10:
		return "\r\n\t " + body + strings.Repeat(" ", 1000)
	}
	return []string{"null", "5", `"x"`, "[]", "{}", "{", "<a/>", "a=1&b=2", "\x1f\x8b\x08\x00"}[random.IntN(9)]
}
