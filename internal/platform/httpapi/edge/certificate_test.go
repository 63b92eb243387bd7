package edge_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"emporium/internal/platform/httpapi/edge"
	"emporium/internal/platform/httpapi/edge/edgetest"
)

// log keeps what was logged.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// secure is a server whose certificate a test changes.
type secure struct {
	ca        *edgetest.Authority
	cert, key string
	address   string
	log       *log
}

func openSecure(t *testing.T) *secure {
	t.Helper()
	dir := t.TempDir()
	s := &secure{ca: edgetest.NewAuthority(t), cert: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key"), log: &log{}}
	s.ca.Issue(t, "first.example", time.Hour).Write(t, s.cert, s.key)
	c, err := edge.OpenCertificate(edge.CertificateOptions{
		CertFile: s.cert, KeyFile: s.key, Every: 5 * time.Millisecond, Now: time.Now, Log: slog.New(slog.NewTextHandler(s.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- c.Run(ctx) }()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: fine, TLSConfig: c.Config(), ErrorLog: slog.NewLogLogger(quiet.Handler(), 0)}
	done := make(chan error, 1)
	go func() { done <- server.ServeTLS(l, "", "") }()
	t.Cleanup(func() {
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		_ = server.Close()
		<-done
	})
	s.address = l.Addr().String()
	return s
}

// name is the name that the server's certificate is for, "" when it speaks no
// TLS of that version.
func (s *secure) name(t *testing.T, versions ...uint16) string {
	t.Helper()
	config := &tls.Config{RootCAs: s.ca.Pool(), InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}
	if versions != nil {
		config.MinVersion, config.MaxVersion = versions[0], versions[0]
	}
	c, err := tls.Dial("tcp", s.address, config)
	if err != nil {
		return ""
	}
	defer c.Close()
	leaf := c.ConnectionState().PeerCertificates[0]
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: s.ca.Pool(), DNSName: leaf.DNSNames[0], CurrentTime: leaf.NotBefore.Add(time.Second)}); err != nil {
		t.Error(err)
	}
	return leaf.DNSNames[0]
}

func (s *secure) becomes(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); s.name(t) != want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the certificate is for %q, want %q\n%s", s.name(t), want, s.log)
		}
	}
}

// stays waits until something was logged, and sees that the certificate is what
// it was.
func (s *secure) stays(t *testing.T, want, logged string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(s.log.String(), logged); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q was not logged\n%s", logged, s.log)
		}
	}
	if got := s.name(t); got != want {
		t.Errorf("the certificate is for %q, want %q", got, want)
	}
}

func TestCertificateChanges(t *testing.T) {
	s := openSecure(t)
	s.becomes(t, "first.example")
	s.ca.Issue(t, "second.example", time.Hour).Write(t, s.cert, s.key)
	s.becomes(t, "second.example")

	// One file before the other, as tools write them: they do not fit, and the one
	// before stays until the other has come.
	third := s.ca.Issue(t, "third.example", time.Hour)
	if err := os.WriteFile(s.cert, third.Cert, 0o600); err != nil {
		t.Fatal(err)
	}
	s.stays(t, "second.example", "does not match")
	third.Write(t, s.cert, s.key)
	s.becomes(t, "third.example")

	if err := os.WriteFile(s.cert, []byte("-----BEGIN NONSENSE"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.stays(t, "third.example", "failed to find any PEM data")
	if err := os.Remove(s.key); err != nil {
		t.Fatal(err)
	}
	s.ca.Issue(t, "late.example", -time.Minute).Write(t, s.cert, s.key)
	s.stays(t, "third.example", "it expired at")
	if n := strings.Count(s.log.String(), "it expired at"); n != 1 {
		t.Errorf("one fault was logged %d times", n)
	}
	s.ca.Issue(t, "fourth.example", time.Hour).Write(t, s.cert, s.key)
	s.becomes(t, "fourth.example")
	if strings.Contains(s.log.String(), "PRIVATE") {
		t.Error("the log holds a key")
	}
}

func TestOldVersionsAreRefused(t *testing.T) {
	s := openSecure(t)
	for version, want := range map[uint16]string{tls.VersionTLS10: "", tls.VersionTLS11: "", tls.VersionTLS12: "first.example", tls.VersionTLS13: "first.example"} {
		if got := s.name(t, version); got != want {
			t.Errorf("%s: %q, want %q", tls.VersionName(version), got, want)
		}
	}
}

func TestCertificateThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	ca := edgetest.NewAuthority(t)
	one, other := ca.Issue(t, "one.example", time.Hour), ca.Issue(t, "other.example", time.Hour)
	cert, key := filepath.Join(dir, "c"), filepath.Join(dir, "k")
	for name, write := range map[string]func(){
		"does not match": func() {
			one.Write(t, cert, key)
			_ = os.WriteFile(key, other.Key, 0o600)
		},
		"no such file":   func() { _ = os.Remove(cert) },
		"failed to find": func() { _ = os.WriteFile(cert, nil, 0o600) },
		"is a directory": func() { _ = os.Remove(cert); _ = os.Mkdir(cert, 0o700) },
	} {
		_ = os.Remove(cert)
		one.Write(t, cert, key)
		write()
		if _, err := edge.OpenCertificate(edge.CertificateOptions{CertFile: cert, KeyFile: key, Now: time.Now, Log: quiet}); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), cert) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
