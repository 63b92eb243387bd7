package testenv_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

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

// TestWireTrouble sends through a network that ends connections in front of what
// is sent, and in the middle of it.
func TestWireTrouble(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	arrived := make(chan string)
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			all, _ := io.ReadAll(c)
			_ = c.Close()
			arrived <- string(all)
		}
	}()
	w := testenv.NewWire(t, l.Addr().String())
	send := func(how testenv.Trouble) string {
		t.Helper()
		w.Trouble(how)
		c, err := net.Dial("tcp", w.Address())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "0123456789"); err != nil {
			t.Fatal(err)
		}
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return <-arrived
	}
	for _, c := range []struct {
		how  testenv.Trouble
		want string
	}{
		{testenv.Trouble{}, "0123456789"},
		{testenv.Trouble{Delay: 10 * time.Millisecond}, "0123456789"},
		{testenv.Trouble{Drop: 1}, ""},
		{testenv.Trouble{Halve: 1}, "01234"},
		{testenv.Trouble{}, "0123456789"},
	} {
		if got := send(c.how); got != c.want {
			t.Errorf("%+v: %q arrived, want %q", c.how, got, c.want)
		}
	}
}

// TestWireDown takes a network down while a connection is made: nothing comes
// through it any more.
func TestWireDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go func() { _, _ = io.Copy(c, c) }()
		}
	}()
	w := testenv.NewWire(t, l.Addr().String())
	for range 500 {
		made := make(chan net.Conn)
		go func() {
			c, err := net.Dial("tcp", w.Address())
			if err != nil {
				t.Error(err)
			}
			made <- c
		}()
		time.Sleep(rand.N(300 * time.Microsecond))
		w.Down(true)
		c := <-made
		if c == nil {
			return
		}
		_, _ = c.Write([]byte("x"))
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Fatal("an answer came through a network that is down")
		}
		_ = c.Close()
		w.Down(false)
	}
}
