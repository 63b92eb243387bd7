package app_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/app/programtest"
)

// ways are how callers hold a server up: with half a head, and with a body that
// does not end.
var ways = []string{
	"GET /api/movies HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
	"POST /api/movies HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n",
	"POST /api/movies HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nf4240\r\n",
}

// holdUp sends slowly on many connections until the test ends, and gives how many
// of them are still open.
func holdUp(t *testing.T, p *programtest.Program, many int) *atomic.Int64 {
	t.Helper()
	var open atomic.Int64
	conns := make([]net.Conn, many)
	for i := range conns {
		// From as many addresses of this machine as need be.
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%200))}, Timeout: 20 * time.Second}
		c, err := d.DialContext(t.Context(), "tcp", p.Address())
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = c
		_, _ = io.WriteString(c, ways[i%len(ways)])
		open.Add(1)
		go func() {
			_, _ = io.Copy(io.Discard, c) // ends when the server closes it
			open.Add(-1)
		}()
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			for _, c := range conns {
				_, _ = c.Write([]byte{'a'})
			}
			select {
			case <-stop:
				return
			case <-time.After(300 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
		for _, c := range conns {
			_ = c.Close()
		}
	})
	return &open
}

// served asks many times, each time on a connection of its own, and gives the
// longest that an answer took.
func served(t *testing.T, p *programtest.Program) (longest time.Duration) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	for i := range 60 {
		start := time.Now()
		resp, err := client.Post(p.URL+"/api/movies", "application/json", strings.NewReader(fmt.Sprintf(`{"title":"Film %d"}`, i)))
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("request %d: %s", i, resp.Status)
		}
		longest = max(longest, time.Since(start))
	}
	return longest
}

// 2,000 connections send slowly, and others are served as if they did not; in
// the end they are closed, however busily they send.
func TestSlowSenders(t *testing.T) {
	p := programtest.Start(t, "--data="+t.TempDir(), "--log-requests=false", "--limit-header-time=6s", "--limit-request-time=8s")
	open := holdUp(t, p, 2000)
	if n := open.Load(); n < 1300 { // those with half a head may have been cut off meanwhile, where the machine is busy
		t.Fatalf("%d connections are open", n)
	}
	longest := served(t, p)
	t.Logf("the longest of 60 took %s, with %d slow connections left", longest, open.Load())
	if longest > 5*time.Second {
		t.Errorf("one took %s", longest)
	}
	for deadline := time.Now().Add(60 * time.Second); open.Load() > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d slow connections are still open", open.Load())
		}
	}
}

// Where there may be fewer connections than slow senders, those who have sent no
// whole head make room for those who do.
func TestSlowSendersMakeRoom(t *testing.T) {
	p := programtest.Start(t, "--data="+t.TempDir(), "--log-requests=false", "--limit-connections=1500", "--limit-header-time=60s")
	open := holdUp(t, p, 2000)
	served(t, p)
	for deadline := time.Now().Add(30 * time.Second); open.Load() > 1500; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are open, of 1500", open.Load())
		}
	}
}

// Who does not read a long answer is let go, by a service and by a gateway, in
// the time that was set; who reads it slowly gets all of it.
func TestSlowReaders(t *testing.T) {
	const coupons, size = 120, 100_000 // more than the system takes for somebody who does not read
	p := programtest.Start(t, "--data="+t.TempDir(), "--limit-answer-time=1s", "coupons")
	for range coupons {
		if status, answer := post(t, p.URL+"/coupons", `{"description":"`+strings.Repeat("a", size)+`"}`); status != http.StatusCreated {
			t.Fatalf("%d %s", status, answer)
		}
	}
	front := programtest.Start(t, "--data="+t.TempDir(), "--limit-answer-time=1s", "--coupons-url="+p.URL, "gateway")
	for name, server := range map[string]*programtest.Program{"service": p, "gateway": front} {
		read := func(first, between time.Duration) (got int) {
			conn, err := server.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
			_ = conn.SetDeadline(time.Now().Add(40 * time.Second))
			_, _ = io.WriteString(conn, "GET /coupons HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			time.Sleep(first)
			for piece := make([]byte, 256<<10); ; time.Sleep(between) {
				n, err := io.ReadFull(conn, piece)
				if got += n; err != nil {
					return got
				}
			}
		}
		if got := read(4*time.Second, 0); got >= coupons*size {
			t.Errorf("%s: who did not read for 4 s got all %d bytes", name, got)
		}
		if got := read(0, 60*time.Millisecond); got < coupons*size {
			t.Errorf("%s: who read all the time was cut off after %d of %d bytes", name, got, coupons*size)
		}
	}
}

// The time to read an answer does not pass while its request still comes.
func TestAnswerToSlowSender(t *testing.T) {
	s := startTLS(t, "--limit-answer-time=500ms")
	for _, two := range []bool{false, true} {
		in, out := io.Pipe()
		go func() {
			for _, piece := range []string{`{"title"`, `:"Slow`, ` Film`, `"}`} {
				time.Sleep(400 * time.Millisecond)
				_, _ = io.WriteString(out, piece)
			}
			_ = out.Close()
		}()
		resp, err := s.client(t, two).Post(s.URL+"/api/movies", "application/json", in)
		if err != nil {
			t.Errorf("HTTP/2 %t: %v", two, err)
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("HTTP/2 %t: %s", two, resp.Status)
		}
	}
}

// What is too large is refused before it has come.
func TestHugeSenders(t *testing.T) {
	p := programtest.Start(t, "--data="+t.TempDir(), "--limit-header-bytes=8192")
	for name, c := range map[string]struct{ head, more, want string }{
		"head":            {"GET /api/movies HTTP/1.1\r\nHost: localhost\r\nX-Huge: ", "aaaaaaaa", "431"},
		"many headers":    {"GET /api/movies HTTP/1.1\r\nHost: localhost\r\n", "A: b\r\n", "431"},
		"announced body":  {"POST /api/movies HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1099511627776\r\n\r\n", "", "413"},
		"chunked body":    {"POST /api/movies HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", "8\r\naaaaaaaa\r\n", "413"},
		"negative length": {"POST /api/movies HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", "", "400"},
	} {
		conn, err := p.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		go func() {
			_, err := io.WriteString(conn, c.head)
			chunk := strings.Repeat(c.more, 1024)
			for sent := 0; err == nil && chunk != "" && sent < 16<<20; sent += len(chunk) {
				_, err = io.WriteString(conn, chunk)
			}
		}()
		answer := make([]byte, 12)
		if _, err := io.ReadFull(conn, answer); err != nil || !strings.HasSuffix(string(answer), c.want) {
			t.Errorf("%s: %q %v, want %s", name, answer, err, c.want)
		}
		_ = conn.Close()
	}
}
