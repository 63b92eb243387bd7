package httpapi

import (
	"strconv"
	"strings"

	"emporium/internal/market"
)

// ETag is the strong entity tag (RFC 9110, section 8.8.3) of a stored version.
// A resource with several representations names the variant, so that each has
// a tag of its own; a precondition with any of them means the version.
func ETag(version int64, variant ...string) string {
	tag := `"` + strconv.FormatInt(version, 10)
	for _, v := range variant {
		tag += "." + v
	}
	return tag + `"`
}

// parseIfMatch reads an If-Match header. Weak tags never match (RFC 9110,
// section 13.1.1), nor do tags that are not of our making.
func parseIfMatch(header string) market.IfMatch {
	if header == "" {
		return market.IfMatch{}
	}
	m := market.IfMatch{Given: true}
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" {
			m.Any = true
		}
		text, ok := strings.CutPrefix(tag, `"`)
		if !ok {
			continue
		}
		text, _, _ = strings.Cut(strings.TrimSuffix(text, `"`), ".")
		if v, err := strconv.ParseInt(text, 10, 64); err == nil {
			m.Versions = append(m.Versions, v)
		}
	}
	return m
}

// noneMatch says whether an If-None-Match header names the tag, so that a 304
// is due. The comparison is the weak one (RFC 9110, section 13.1.2).
func noneMatch(header, etag string) bool {
	if header == "" || etag == "" {
		return false
	}
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}
