package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

// request appends the n-th request of a run, whole, to buf.
type request func(buf []byte, n uint64) []byte

// load is what one run asks of a server: each connection sends its next request
// as soon as the last one was answered.
//
// One thread waits on all connections with epoll, as wrk does: the generator
// shares the machine with the server, and a goroutine per connection would take
// as much of it as a bare handler does.
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
	fd   int
	out  []byte
	in   []byte // what has come of the answer
	busy bool
}

const answerBytes = 256 << 10 // an answer is at most this long

// run drives the server until the time is over, and waits for what is under way.
func (l load) run() (outcome, error) {
	epoll, err := syscall.EpollCreate1(0)
	if err != nil {
		return outcome{}, err
	}
	defer syscall.Close(epoll)
	clients := make([]*client, l.connections)
	byFD := map[int32]*client{}
	for i := range clients {
		fd, err := dial(l.address)
		if err != nil {
			return outcome{}, err
		}
		defer syscall.Close(fd)
		clients[i] = &client{fd: fd, in: make([]byte, 0, answerBytes)}
		byFD[int32(fd)] = clients[i]
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
		if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
			return outcome{}, err
		}
	}
	done := outcome{next: l.from}
	start := time.Now()
	end := start.Add(l.duration)
	more := func() bool {
		return (l.most == 0 || done.next-l.from < l.most) && (l.duration == 0 || time.Now().Before(end))
	}
	send := func(c *client) error {
		c.out = l.request(c.out[:0], done.next)
		done.next++
		c.in, c.busy = c.in[:0], true
		return writeAll(c.fd, c.out)
	}
	open := 0
	for _, c := range clients {
		if more() {
			if err := send(c); err != nil {
				return outcome{}, err
			}
			open++
		}
	}
	events := make([]syscall.EpollEvent, l.connections)
	for open > 0 {
		n, err := syscall.EpollWait(epoll, events, 20_000)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return outcome{}, err
		}
		if n == 0 {
			return outcome{}, errors.New("no answer in 20 s")
		}
		for _, e := range events[:n] {
			c := byFD[e.Fd]
			complete, err := c.read(l.status)
			if err != nil {
				return outcome{}, err
			}
			if !complete {
				continue
			}
			done.requests++
			if c.busy = false; more() {
				err = send(c)
			} else {
				open--
			}
			if err != nil {
				return outcome{}, err
			}
		}
	}
	done.took = time.Since(start)
	return done, nil
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
	head := "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
	var scratch []byte
	return func(buf []byte, n uint64) []byte {
		scratch = body(scratch[:0], n)
		buf = append(buf, head...)
		buf = strconv.AppendInt(buf, int64(len(scratch)), 10)
		buf = append(buf, headEnd...)
		return append(buf, scratch...)
	}
}
