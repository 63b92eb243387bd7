package edge

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// CertificateOptions say where a certificate is.
type CertificateOptions struct {
	CertFile, KeyFile string        // PEM; the certificate with those that lead to its issuer
	Every             time.Duration // how often the files are looked at
	Now               func() time.Time
	Log               *slog.Logger
}

// Certificate is the certificate of a server, as its files have it. When they
// change it changes, from the next connection on; new files that do not fit each
// other, cannot be read or have expired leave the old one in place.
type Certificate struct {
	o     CertificateOptions
	now   atomic.Pointer[tls.Certificate]
	seen  [sha256.Size]byte // what the files held when they were last looked at
	fault string            // what was wrong then
}

// OpenCertificate reads a certificate.
func OpenCertificate(o CertificateOptions) (*Certificate, error) {
	c := &Certificate{o: o}
	pair, sum, err := c.read()
	if err != nil {
		return nil, err
	}
	c.seen = sum
	c.now.Store(pair)
	if err := c.timely(pair); err != nil {
		o.Log.Warn("the certificate does not hold", "file", o.CertFile, "error", err)
	}
	return c, nil
}

func (c *Certificate) read() (*tls.Certificate, [sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	cert, err := os.ReadFile(c.o.CertFile)
	if err != nil {
		return nil, sum, err
	}
	key, err := os.ReadFile(c.o.KeyFile)
	if err != nil {
		return nil, sum, err
	}
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%d\n", len(cert))
	h.Write(cert)
	h.Write(key)
	h.Sum(sum[:0])
	pair, err := tls.X509KeyPair(cert, key) // which also says whether they fit
	if err != nil {
		return nil, sum, fmt.Errorf("%s and %s: %w", c.o.CertFile, c.o.KeyFile, err)
	}
	return &pair, sum, nil
}

// timely says whether a certificate holds now.
func (c *Certificate) timely(pair *tls.Certificate) error {
	now := c.o.Now()
	if now.After(pair.Leaf.NotAfter) {
		return fmt.Errorf("it expired at %s", pair.Leaf.NotAfter.Format(time.RFC3339))
	}
	if now.Before(pair.Leaf.NotBefore) {
		return fmt.Errorf("it holds only from %s on", pair.Leaf.NotBefore.Format(time.RFC3339))
	}
	return nil
}

// Run looks at the files until ctx ends. They are read, not watched: what is
// mounted into a container changes by links that do not tell.
func (c *Certificate) Run(ctx context.Context) error {
	tick := time.NewTicker(c.o.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			c.look(ctx)
		}
	}
}

func (c *Certificate) look(ctx context.Context) {
	pair, sum, err := c.read()
	if err == nil {
		if sum == c.seen {
			c.fault = ""
			return
		}
		err = c.timely(pair)
	}
	if err != nil {
		if what := err.Error(); what != c.fault {
			c.fault = what
			c.o.Log.ErrorContext(ctx, "the new certificate cannot be used, the one before stays", "error", err)
		}
		return
	}
	c.seen, c.fault = sum, ""
	c.now.Store(pair)
	c.o.Log.InfoContext(ctx, "new certificate", "subject", pair.Leaf.Subject.String(), "names", pair.Leaf.DNSNames, "expires", pair.Leaf.NotAfter)
}

var errNoCertificate = errors.New("there is no certificate")

// Config is how a server speaks TLS with the certificate.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if pair := c.now.Load(); pair != nil {
				return pair, nil
			}
			return nil, errNoCertificate
		},
	}
}
