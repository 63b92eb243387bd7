package httpapi_test

import (
	"strings"
	"testing"

	"emporium/internal/platform/httpapi"
)

func TestLoggedPath(t *testing.T) {
	for path, want := range map[string]string{
		"":                                   "",
		"/":                                  "/",
		"/api/movies/7":                      "/api/movies/7",
		"/.well-known/jwks.json":             "/.well-known/jwks.json",
		"/api/user/zoe@example.com":          "/api/user/*",
		"/api/user/zoe@example.com/x/":       "/api/user/*/x/",
		"/a b/c\nd":                          "/*/*",
		"/é/\xff/x":                          "/*/*/x",
		"/" + strings.Repeat("x", 40):        "/" + strings.Repeat("x", 40),
		"/" + strings.Repeat("x", 41) + "/y": "/*/y",
		"x@y":                                "*",
	} {
		if got := httpapi.LoggedPath(path); got != want {
			t.Errorf("%q is logged as %q, want %q", path, got, want)
		}
	}
}
