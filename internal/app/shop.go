package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/edge"
)

// shop is where import and export reach the services: over HTTP when a server
// runs, otherwise in this process on the data folder. Both are the same
// operations.
type shop struct {
	base   string // of a server; "" in this process
	client *http.Client
	app    *App
	token  string
	secret []byte     // proves that this is a command of the deployment; nil: it does not
	letIn  *edge.Edge // says so of the data folder's own commands, which no limit of addresses holds up; nil: nothing is said
}

// reach finds the running server, or opens the service on the data folder.
func reach(ctx context.Context, c *Config, server, token string, g goods) (*shop, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4, ResponseHeaderTimeout: time.Minute}}
	if server != "" {
		return &shop{base: strings.TrimSuffix(server, "/"), client: client, token: token}, nil
	}
	if addresses, err := os.ReadFile(c.file(addressFile)); err == nil {
		base, _, _ := strings.Cut(string(addresses), "\n")
		s := &shop{base: base, client: client, token: token}
		if onThisMachine(base) {
			// Its certificate is for the name under which others know it. Here it is
			// known by its address, which the data folder says, and what is sent there
			// does not leave the machine.
			client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}
		}
		secret := []byte(c.Secret)
		if len(secret) == 0 {
			secret, _ = os.ReadFile(c.file(secretFile)) // without it, the command is counted as anybody
		}
		s.letIn = edge.New(edge.Options{Secret: secret, Now: time.Now})
		if s.alive(ctx) {
			return s, nil
		}
	}
	quiet := *c
	quiet.LogRequest, quiet.Access = false, "open"
	a, err := Open(ctx, &quiet, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), g.service)
	if err != nil {
		return nil, fmt.Errorf("no server runs on %s, and its data cannot be opened: %w", c.Data, err)
	}
	return &shop{app: a}, nil
}

// onThisMachine says whether a server listens on an address of this machine: a
// loopback one, all of them, or one of its interfaces. A folder that came here
// from elsewhere may still name another machine's.
func onThisMachine(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	if ip == nil || ip.IsLoopback() || ip.IsUnspecified() {
		return ip != nil
	}
	own, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(own, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}

func (s *shop) alive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	status, _, err := s.do(ctx, http.MethodGet, "/healthz", nil, "")
	return err == nil && status == http.StatusOK
}

// String says where the rows go or come from.
func (s *shop) String() string {
	if s.app != nil {
		return s.app.config.Data
	}
	return s.base
}

// Close gives back the data folder.
func (s *shop) Close() error {
	if s.app != nil {
		return s.app.Close()
	}
	return nil
}

// do makes one call and reads its answer whole.
func (s *shop) do(ctx context.Context, method, path string, body []byte, key string) (status int, answer []byte, err error) {
	var whole bytes.Buffer
	status, err = s.stream(ctx, method, path, body, key, func(int) io.Writer { return &whole })
	return status, whole.Bytes(), err
}

// stream makes one call and copies its answer, as it comes, to where an answer of
// its status goes.
func (s *shop) stream(ctx context.Context, method, path string, body []byte, key string, to func(status int) io.Writer) (status int, err error) {
	base := s.base
	if s.app != nil {
		base = "http://localhost"
	}
	r, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	if s.secret != nil {
		r.Header.Set("Authorization", httpapi.Prove(s.secret, r, time.Now()))
	}
	if s.app != nil {
		return s.inProcess(r, to)
	}
	if s.letIn != nil {
		s.letIn.Vouch(r.Header, netip.Addr{})
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(to(resp.StatusCode), resp.Body)
	return resp.StatusCode, err
}

// localWriter takes an answer that never leaves the process.
type localWriter struct {
	header http.Header
	status int
	to     func(status int) io.Writer
	err    error
}

func (w *localWriter) Header() http.Header { return w.header }

func (w *localWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *localWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	n, err := w.to(w.status).Write(b)
	w.err = errors.Join(w.err, err)
	return n, err
}

func (s *shop) inProcess(r *http.Request, to func(status int) io.Writer) (status int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the answer broke off")
		}
	}()
	w := &localWriter{header: http.Header{}, to: to}
	s.app.ServeHTTP(w, r)
	return w.status, w.err
}
