package app_test

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"emporium/internal/app"
	"emporium/internal/app/programtest"
	"emporium/internal/platform/httpapi/edge/edgetest"
)

// shopOverTLS is the program with a certificate.
type shopOverTLS struct {
	*programtest.Program
	ca             *edgetest.Authority
	cert, key, dir string
}

func startTLS(t *testing.T, args ...string) *shopOverTLS {
	t.Helper()
	dir := t.TempDir()
	s := &shopOverTLS{ca: edgetest.NewAuthority(t), cert: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key"), dir: filepath.Join(dir, "data")}
	s.ca.Issue(t, "shop.example", time.Hour).Write(t, s.cert, s.key)
	s.Program = programtest.Start(t, append([]string{"--data=" + s.dir, "--tls-cert=" + s.cert, "--tls-key=" + s.key, "--tls-look=20ms"}, args...)...)
	return s
}

// client speaks HTTP/2 where it is offered, and trusts the test's authority.
func (s *shopOverTLS) client(t *testing.T, two bool) *http.Client {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(!two)
	protocols.SetHTTP2(two)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.ca.Pool()}, Protocols: &protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func TestTLS(t *testing.T) {
	s := startTLS(t, "--tls-redirect=127.0.0.1:0", "--log-format=json")
	if !strings.HasPrefix(s.URL, "https://") {
		t.Fatal(s.URL)
	}
	for _, two := range []bool{true, false} {
		resp, err := s.client(t, two).Get(s.URL + "/api/movies")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || string(body) != "[]" || (resp.ProtoMajor == 2) != two {
			t.Errorf("%s %d %s %v", resp.Proto, resp.StatusCode, body, err)
		}
		if hsts := resp.Header.Get("Strict-Transport-Security"); hsts != "max-age=31536000" {
			t.Errorf("HSTS is %q", hsts)
		}
	}
	at := regexp.MustCompile(`"from":"(http://[^"]+)"`)
	from := at.FindStringSubmatch(s.Output())
	for deadline := time.Now().Add(10 * time.Second); from == nil; from = at.FindStringSubmatch(s.Output()) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not say where it redirects from\n%s", s.Output())
		}
		time.Sleep(10 * time.Millisecond)
	}
	resp, err := s.client(t, false).Post(from[1]+"/api/movies?x=%20y", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if want := s.URL + "/api/movies?x=%20y"; resp.StatusCode != http.StatusPermanentRedirect || resp.Header.Get("Location") != want {
		t.Errorf("%d to %s, want %s", resp.StatusCode, resp.Header.Get("Location"), want)
	}
	// Commands of the same data folder reach it, although no name is told.
	if status, out, errs := command(t, "", "export", "movies", "--data="+s.dir); status != 0 || !strings.Contains(out, "[") {
		t.Errorf("export: %d %q %q", status, out, errs)
	}
	// One that is named has to prove its name.
	if status, out, errs := command(t, "", "export", "movies", "--data="+s.dir, "--server="+s.URL); status != 1 || !strings.Contains(errs, "certificate") {
		t.Errorf("export from a server whose issuer nobody knows: %d %q %q", status, out, errs)
	}
	if curl, err := exec.LookPath("curl"); err == nil {
		ca := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(ca, s.ca.PEM(), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), curl, "-sS", "--http2", "--cacert", ca, "-w", " %{http_version}", s.URL+"/health").CombinedOutput()
		if err != nil || string(out) != `"healthy" 2` {
			t.Errorf("curl: %s %v", out, err)
		}
	} else {
		t.Log("NOT TESTED: curl is not here")
	}
	s.ca.Issue(t, "new.example", time.Hour).Write(t, s.cert, s.key)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := tls.Dial("tcp", s.Address(), &tls.Config{RootCAs: s.ca.Pool()})
		if err != nil {
			t.Fatal(err)
		}
		name := c.ConnectionState().PeerCertificates[0].DNSNames[0]
		_ = c.Close()
		if name == "new.example" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the certificate is still for %s\n%s", name, s.Output())
		}
	}
	if err := s.Stop(); err != nil {
		t.Errorf("%v\n%s", err, s.Output())
	}
}

// A certificate goes unlooked at only where nobody can stand in between.
func TestServersOfThisMachine(t *testing.T) {
	bases := map[string]bool{
		"https://127.0.0.1:8080": true, "https://127.9.9.9:1": true, "https://[::1]:8080": true, "https://[::]:443": true, "https://0.0.0.0:443": true,
		"https://203.0.113.7:8080": false, "https://[2001:db8::7]:443": false, "https://shop.example": false, "https://127.0.0.1.shop.example": false,
		"https://localhost:8080": false, "https://127.0.0.1@shop.example": false, "": false, "%": false,
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range own {
		if n, ok := a.(*net.IPNet); ok {
			bases["https://"+net.JoinHostPort(n.IP.String(), "8080")] = true
		}
	}
	for base, want := range bases {
		if got := app.OnThisMachine(base); got != want {
			t.Errorf("%q: %t, want %t", base, got, want)
		}
	}
}

// What is under way when the program is told to stop is finished, over HTTP/2
// too, and new connections are not taken.
func TestStopOverTLS(t *testing.T) {
	s := startTLS(t)
	client := s.client(t, true)
	in, out := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/movies", in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answered := make(chan error, 1)
	go func() {
		resp, err := client.Do(r)
		if err == nil {
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				err = errors.New(resp.Status)
			}
		}
		answered <- err
	}()
	if _, err := io.WriteString(out, `{"title":`); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // it has arrived
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	time.Sleep(500 * time.Millisecond) // the listener is closed
	if c, err := s.Dial(t.Context()); err == nil {
		_ = c.Close()
		t.Error("a new connection was taken")
	}
	_, _ = io.WriteString(out, `"Alien"}`)
	_ = out.Close()
	if err := <-answered; err != nil {
		t.Errorf("what was under way: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("%v\n%s", err, s.Output())
	}
}

// frame is a frame of HTTP/2 (RFC 9113, section 4.1).
func frame(kind, flags byte, stream uint32, payload ...byte) []byte {
	head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return append(binary.BigEndian.AppendUint32(head, stream), payload...)
}

// A caller who opens streams and breaks them off at once, again and again, is
// sent away, and others are answered.
func TestRapidReset(t *testing.T) {
	s := startTLS(t, "--limit-streams=50")
	c, err := tls.Dial("tcp", s.Address(), &tls.Config{RootCAs: s.ca.Pool(), NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	var settings, goAway sync.Once
	most, away := make(chan uint32, 1), make(chan uint32, 1)
	go func() {
		defer settings.Do(func() { close(most) })
		defer goAway.Do(func() { close(away) })
		head := make([]byte, 9)
		for {
			if _, err := io.ReadFull(c, head); err != nil {
				return
			}
			payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
			if _, err := io.ReadFull(c, payload); err != nil {
				return
			}
			switch {
			case head[3] == 4 && head[4] == 0: // SETTINGS
				for i := 0; i+6 <= len(payload); i += 6 {
					if binary.BigEndian.Uint16(payload[i:]) == 3 {
						settings.Do(func() { most <- binary.BigEndian.Uint32(payload[i+2:]) })
					}
				}
			case head[3] == 7 && len(payload) >= 8: // GOAWAY
				goAway.Do(func() { away <- binary.BigEndian.Uint32(payload[4:]) })
			}
		}
	}()
	_, _ = io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	_, _ = c.Write(frame(4, 0, 0))
	if n := <-most; n != 50 {
		t.Errorf("%d streams may be open, want 50", n)
	}
	// GET /coupons over https, for the host x: HPACK with its static table.
	get := append([]byte{0x82, 0x87, 0x44, 8}, "/coupons"...)
	get = append(get, 0x41, 9)
	get = append(get, "localhost"...)
	var sent error
	for stream := uint32(1); stream < 200_000 && sent == nil; stream += 2 {
		_, sent = c.Write(append(frame(1, 5, stream, get...), frame(3, 0, stream, 0, 0, 0, 8)...)) // HEADERS, RST_STREAM: cancel
		if stream%2000 == 1 {
			select {
			case code := <-away:
				if code != 11 { // ENHANCE_YOUR_CALM
					t.Errorf("sent away with error %d, want 11", code)
				}
				sent = io.EOF
			default:
			}
		}
	}
	if sent == nil {
		t.Error("100,000 streams were opened and broken off")
	}
	resp, err := s.client(t, true).Get(s.URL + "/coupons")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("others are answered with %d", resp.StatusCode)
	}
}
