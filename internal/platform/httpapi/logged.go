package httpapi

import "strings"

// longestLogged is how many bytes of one segment of a path are logged: names and
// ids are shorter, tokens longer.
const longestLogged = 40

// LoggedPath is a path as logs show it: a segment that is not a short plain word
// stands there as a star. Nobody is asked to put a mail address or a token into a
// path, and some do.
func LoggedPath(path string) string {
	from := 0
	for i := range len(path) {
		switch c := path[i]; {
		case c == '/':
			from = i + 1
		case i-from >= longestLogged || !logged(c):
			return starred(path)
		}
	}
	return path
}

func logged(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

func starred(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if len(segment) > longestLogged || strings.ContainsFunc(segment, func(r rune) bool { return r > 127 || !logged(byte(r)) }) {
			segments[i] = "*"
		}
	}
	return strings.Join(segments, "/")
}
