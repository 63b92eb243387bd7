package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// request appends the n-th request of a run, whole, to buf.
type request func(buf []byte, n uint64) []byte

// load is what one run asks of a server: each connection sends its next request
// as soon as the last one was answered.
//
// A thread for each processor waits on its share of the connections with epoll,
// as wrk does: the generator shares the machine with the server, and a goroutine
// per connection would take as much of it as a bare handler does.
type load struct {
	address     string
	connections int
	request     request
	status      int // that every answer must have
	duration    time.Duration
	from        uint64 // the number of the first request
	most        uint64 // stop after this many requests; 0: only by duration
}

// outcome is what one run did.
type outcome struct {
	requests uint64
	took     time.Duration
	next     uint64 // the number of the first request that was not sent
}

func (o outcome) rate() float64 { return float64(o.requests) / o.took.Seconds() }

// client is one connection.
type client struct {
	fd  int
	out []byte
	in  []byte // what has come of the answer
}

const answerBytes = 256 << 10 // an answer is at most this long

// run drives the server until the time is over, and waits for what is under way.
func (l load) run() (outcome, error) {
	count := min(runtime.NumCPU(), l.connections)
	threads := make([]*thread, count)
	start := time.Now()
	var wait sync.WaitGroup
	for i := range threads {
		t := &thread{
			load: l, connections: (l.connections + i) / count,
			next: l.from + uint64(i), step: uint64(count),
		}
		threads[i] = t
		wait.Go(func() { t.err = t.run(start.Add(l.duration)) })
	}
	wait.Wait()
	done := outcome{took: time.Since(start)}
	for _, t := range threads {
		if t.err != nil {
			return outcome{}, t.err
		}
		done.requests += t.requests
		done.next = max(done.next, t.next)
	}
	return done, nil
}

// thread drives its share of the connections.
type thread struct {
	load
	connections int
	next, step  uint64 // the number of its next request; every thread has its own
	requests    uint64
	err         error
}

func (t *thread) run(end time.Time) error {
	epoll, err := syscall.EpollCreate1(0)
	if err != nil {
		return err
	}
	defer syscall.Close(epoll)
	clients := map[int32]*client{}
	for range t.connections {
		fd, err := dial(t.address)
		if err != nil {
			return err
		}
		defer syscall.Close(fd)
		clients[int32(fd)] = &client{fd: fd, in: make([]byte, 0, answerBytes)}
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
		if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
			return err
		}
	}
	busy := 0
	for _, c := range clients {
		sent, err := t.send(c, end)
		if err != nil {
			return err
		}
		if sent {
			busy++
		}
	}
	events := make([]syscall.EpollEvent, t.connections)
	for busy > 0 {
		n, err := syscall.EpollWait(epoll, events, 20_000)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("no answer in 20 s")
		}
		for _, e := range events[:n] {
			c := clients[e.Fd]
			complete, err := c.read(t.status)
			if err != nil {
				return err
			}
			if !complete {
				continue
			}
			t.requests++
			sent, err := t.send(c, end)
			if err != nil {
				return err
			}
			if !sent {
				busy--
			}
		}
	}
	return nil
}

// send sends the next request, unless there is to be none.
func (t *thread) send(c *client, end time.Time) (sent bool, err error) {
	if t.most > 0 && t.next-t.from >= t.most || t.duration > 0 && !time.Now().Before(end) {
		return false, nil
	}
	c.out = t.request(c.out[:0], t.next)
	t.next += t.step
	c.in = c.in[:0]
	return true, writeAll(c.fd, c.out)
}

func dial(address string) (int, error) {
	to, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return 0, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())})
	if err == nil {
		err = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	}
	if err == nil {
		err = syscall.SetNonblock(fd, true)
	}
	return fd, err
}

// writeAll writes a request, which is small enough for the socket's buffer to
// take it whole.
func writeAll(fd int, b []byte) error {
	n, err := syscall.Write(fd, b)
	if err == nil && n < len(b) {
		err = errors.New("a request did not fit into the socket")
	}
	return err
}

// read takes what has come, and says whether the answer is complete.
func (c *client) read(want int) (complete bool, err error) {
	n, err := syscall.Read(c.fd, c.in[len(c.in):cap(c.in)])
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return false, nil
	case err != nil:
		return false, err
	case n == 0:
		return false, fmt.Errorf("the connection was closed after %q", clip(c.in))
	}
	c.in = c.in[:len(c.in)+n]
	status, complete, err := answered(c.in)
	if complete && status != want {
		err = fmt.Errorf("wanted a %d, got %q", want, clip(c.in))
	}
	if err == nil && !complete && len(c.in) == cap(c.in) {
		err = errors.New("an answer is too long")
	}
	return complete, err
}

var (
	headEnd   = []byte("\r\n\r\n")
	lengthKey = []byte("\r\nContent-Length: ")
	chunked   = []byte("\r\nTransfer-Encoding: chunked")
	lastChunk = []byte("0\r\n\r\n")
)

// answered says whether b is a whole HTTP/1.1 answer as net/http writes it.
func answered(b []byte) (status int, complete bool, err error) {
	end := bytes.Index(b, headEnd)
	if end < 0 {
		return 0, false, nil
	}
	head, body := b[:end+2], b[end+4:]
	if len(head) < 12 {
		return 0, false, fmt.Errorf("not an answer: %q", clip(b))
	}
	if status, err = strconv.Atoi(string(head[9:12])); err != nil {
		return 0, false, fmt.Errorf("not an answer: %q", clip(b))
	}
	if at := bytes.Index(head, lengthKey); at >= 0 {
		text := head[at+len(lengthKey):]
		text = text[:bytes.IndexByte(text, '\r')]
		length, err := strconv.Atoi(string(text))
		return status, len(body) >= length, err
	}
	if bytes.Contains(head, chunked) {
		// Compact JSON has no line breaks, so only the last chunk looks like this.
		return status, bytes.HasSuffix(body, lastChunk), nil
	}
	return status, true, nil // 204, 304
}

func clip(b []byte) []byte { return b[:min(len(b), 600)] }

// get is a GET of one path.
func get(path string) request {
	whole := []byte("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n")
	return func(buf []byte, _ uint64) []byte { return append(buf, whole...) }
}

// post is a POST of a body that differs from one request to the next.
func post(path string, body func(buf []byte, n uint64) []byte) request {
	head := "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length:     "
	return func(buf []byte, n uint64) []byte {
		buf = append(buf, head...)
		length := len(buf) // it is written backwards, over the spaces before it
		buf = append(buf, headEnd...)
		from := len(buf)
		buf = body(buf, n)
		for size := len(buf) - from; size > 0; size /= 10 {
			length--
			buf[length] = byte('0' + size%10)
		}
		return buf
	}
}
