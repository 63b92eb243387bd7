package testenv_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"emporium/internal/platform/testenv"
)

// witness takes the place of a test and remembers what it was told.
type witness struct {
	testing.TB
	logged string
	fatal  string
}

func (*witness) Helper()      {}
func (*witness) Name() string { return "TestPage" }
func (w *witness) Logf(format string, args ...any) {
	w.logged = fmt.Sprintf(format, args...)
}

func (w *witness) Fatalf(format string, args ...any) {
	w.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func require(part string) (w *witness, where string, ok bool) {
	w = &witness{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		where, ok = testenv.Require(w, part)
	}()
	<-done
	return w, where, ok
}

func TestRequire(t *testing.T) {
	t.Setenv("EMPORIUM_TEST_REQUIRE", "node,abacus")
	t.Setenv("EMPORIUM_TEST_REDIS_URL", "redis://127.0.0.1:1/0")
	t.Setenv("EMPORIUM_TEST_POSTGRES_URL", "")

	if w, _, ok := require("abacus"); ok || !strings.Contains(w.fatal, "abacus") {
		t.Errorf("a required part that is absent: fatal %q", w.fatal)
	}
	if w, _, ok := require("sextant"); ok || w.fatal != "" || !strings.Contains(w.logged, "NOT TESTED: TestPage needs sextant") {
		t.Errorf("an absent part: log %q, fatal %q", w.logged, w.fatal)
	}
	if w, where, ok := require("go"); !ok || where == "" || w.fatal != "" {
		t.Errorf("go: %q, fatal %q", where, w.fatal)
	}
	if _, where, ok := require("redis"); !ok || where != "redis://127.0.0.1:1/0" {
		t.Errorf("redis: %q", where)
	}
	if _, _, ok := require("postgres"); ok {
		t.Error("postgres was found without being told where")
	}
}

func TestRounds(t *testing.T) {
	t.Setenv("EMPORIUM_TEST_ROUNDS", "")
	if n := testenv.Rounds(t, 20); n != 20 {
		t.Errorf("got %d rounds", n)
	}
	t.Setenv("EMPORIUM_TEST_ROUNDS", "3")
	if n := testenv.Rounds(t, 20); n != 3 {
		t.Errorf("got %d rounds", n)
	}
}
