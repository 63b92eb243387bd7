// Package testenv tells tests what the machine has beyond Go, so that a test
// which needs more never passes in silence where it must not: what
// EMPORIUM_TEST_REQUIRE names has to be there.
package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// variables are the parts that a test uses only when told where they are:
// nobody's own database is written to because it happened to run.
var variables = map[string]string{
	"postgres": "EMPORIUM_TEST_POSTGRES_URL",
	"rabbitmq": "EMPORIUM_TEST_RABBITMQ_URL",
	"redis":    "EMPORIUM_TEST_REDIS_URL",
}

// programs are the names under which a part may be installed.
var programs = map[string][]string{
	"chromium": {"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"},
}

// Require tells whether the part ("chromium", "node", "postgres") is there, and
// where: a program's path or a server's address. When it is not, the test logs
// what it left untested and returns; when EMPORIUM_TEST_REQUIRE (names with
// commas) holds the part, the test fails here.
func Require(t testing.TB, part string) (where string, ok bool) {
	t.Helper()
	switch name := variables[part]; {
	case name != "":
		where = os.Getenv(name)
	case part == "netns":
		where = findNetworks()
	default:
		if where = installed(part); where == "" {
			where = find(part)
		}
	}
	if where != "" {
		return where, true
	}
	if required(part) {
		t.Fatalf("EMPORIUM_TEST_REQUIRE asks for %s, which is not here", part)
	}
	t.Logf("NOT TESTED: %s needs %s, which is not here", t.Name(), part)
	return "", false
}

// required says whether EMPORIUM_TEST_REQUIRE names a part.
func required(part string) bool {
	return slices.Contains(strings.Split(os.Getenv("EMPORIUM_TEST_REQUIRE"), ","), part)
}

func find(part string) string {
	names := programs[part]
	if len(names) == 0 {
		names = []string{part}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		if path, err := exec.LookPath(filepath.Join(Tools(), name)); err == nil {
			return path
		}
	}
	return ""
}

// Tools is the folder of the programs that tools/npm pins.
func Tools() string { return filepath.Join(root(), "tools/npm/node_modules/.bin") }

// root is the folder of the checkout: tests run in the folder of their package.
func root() string {
	folder, err := os.Getwd()
	if err != nil {
		return ""
	}
	for at := folder; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			return folder
		}
	}
}

// Rounds is how often a long test repeats itself: EMPORIUM_TEST_ROUNDS, or what
// the test takes to be enough.
func Rounds(t testing.TB, enough int) int {
	t.Helper()
	text := os.Getenv("EMPORIUM_TEST_ROUNDS")
	if text == "" {
		return enough
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("EMPORIUM_TEST_ROUNDS is %q, not a number of rounds", text)
	}
	return n
}
