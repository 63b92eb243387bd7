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

// parseIfMatch reads the lines of an If-Match header. Weak tags never match (RFC 9110,
// section 13.1.1), nor do tags that are not of our making.
func parseIfMatch(header []string) market.IfMatch {
	var m market.IfMatch
	for _, line := range header {
		for tag := range strings.SplitSeq(line, ",") {
			if tag = strings.TrimSpace(tag); tag == "" {
				continue
			}
			m.Given = true
			if tag == "*" {
				m.Any = true
			}
			text, ok := strings.CutPrefix(tag, `"`)
			text, closed := strings.CutSuffix(text, `"`)
			text, _, _ = strings.Cut(text, ".")
			if v, err := ParseID(text); ok && closed && err == nil {
				m.Versions = append(m.Versions, v)
			}
		}
	}
	return m
}

// noneMatch says whether the lines of an If-None-Match header name the tag, so
// that a 304 is due. The comparison is the weak one (RFC 9110, section 13.1.2).
func noneMatch(header []string, etag string) bool {
	for _, line := range header {
		for tag := range strings.SplitSeq(line, ",") {
			tag = strings.TrimSpace(tag)
			if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}
