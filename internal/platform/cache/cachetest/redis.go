package cachetest

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"emporium/internal/platform/testenv"
)

// Prefix makes a prefix for keys in Redis that nobody else has, and removes what
// stands under it when the test ends.
func Prefix(tb testing.TB, url string) string {
	tb.Helper()
	name := "emporium-test-" + rand.Text() + ":"
	tb.Cleanup(func() {
		o, err := rueidis.ParseURL(url)
		if err != nil {
			tb.Error(err)
			return
		}
		o.DisableCache = true
		client, err := rueidis.NewClient(o)
		if err != nil {
			tb.Error(err)
			return
		}
		defer client.Close()
		var cursor uint64
		for {
			page, err := client.Do(context.Background(), client.B().Scan().Cursor(cursor).Match(name+"*").Count(1000).Build()).AsScanEntry()
			if err != nil {
				tb.Error(err)
				return
			}
			if len(page.Elements) > 0 {
				if err := client.Do(context.Background(), client.B().Del().Key(page.Elements...).Build()).Error(); err != nil {
					tb.Error(err)
				}
			}
			if cursor = page.Cursor; cursor == 0 {
				return
			}
		}
	})
	return name
}

// Server is a Redis that the test started and may do anything to.
type Server struct {
	tb     testing.TB
	folder string
	port   string
	args   []string
	cmd    *exec.Cmd
}

// StartRedis starts a Redis on a free port, with more arguments if need be. It
// is killed when the test ends. Not ok: there is no redis-server here, and that
// is said.
func StartRedis(tb testing.TB, more ...string) (_ *Server, ok bool) {
	tb.Helper()
	program, ok := testenv.Require(tb, "redis-server")
	if !ok {
		return nil, false
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	s := &Server{tb: tb, folder: tb.TempDir(), port: port, args: append([]string{program}, more...)}
	tb.Cleanup(s.Kill)
	s.Start()
	return s, true
}

// Address is the server's host and port.
func (s *Server) Address() string { return "127.0.0.1:" + s.port }

// URL is the server's address for those who need no password.
func (s *Server) URL() string { return "redis://" + s.Address() }

// Start starts a server that was killed, on the same port and files, and waits
// until it answers.
func (s *Server) Start() {
	s.tb.Helper()
	args := append([]string{"--port", s.port, "--bind", "127.0.0.1", "--dir", s.folder, "--save", "", "--daemonize", "no"}, s.args[1:]...)
	s.cmd = exec.Command(s.args[0], args...)
	if err := s.cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", s.Address())
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(time.Second))
			_, _ = io.WriteString(conn, "PING\r\n")
			answer := make([]byte, 5)
			_, err = io.ReadFull(conn, answer)
			_ = conn.Close()
			if err == nil && (answer[0] == '+' || strings.HasPrefix(string(answer), "-NOAU")) {
				return
			}
		}
		if time.Now().After(deadline) {
			s.tb.Fatalf("redis-server does not answer: %v", err)
		}
	}
}

// Kill ends the server with SIGKILL.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Signal sends the server a signal: SIGSTOP pauses it with its connections open.
func (s *Server) Signal(what syscall.Signal) {
	s.tb.Helper()
	if err := s.cmd.Process.Signal(what); err != nil {
		s.tb.Fatal(err)
	}
}
