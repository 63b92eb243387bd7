package accounts

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

// ClientOptions say where the accounts are. URL and Now are required.
type ClientOptions struct {
	URL      string // "http://accounts:8080": what stands before /.well-known
	Now      func() time.Time
	Issuer   Name         // DefaultName when empty
	Audience Name         // DefaultName when empty
	HTTP     *http.Client // one that waits at most 5 seconds when nil
}

// Client tells whose a token is where the accounts run elsewhere. It checks
// signatures itself, with keys that it reads from there, so it needs the
// accounts only for a key that it has not seen. It cannot know of accounts that
// were deleted: their tokens hold until they expire.
type Client struct {
	url      string
	http     *http.Client
	now      func() time.Time
	verifier *verifier

	turn chan struct{} // holds one; whoever has taken it may read and write what follows
	keys map[string]ed25519.PublicKey
	last time.Time // when keys were asked for, with what came of it
	err  error
}

var _ market.Tokens = (*Client)(nil)

// askAgain is how long an unknown key waits for the keys to be read again, so
// that tokens made up by anybody do not become requests.
const askAgain = 5 * time.Second

// NewClient checks the address and makes a client. It does not connect.
func NewClient(o ClientOptions) (*Client, error) {
	base, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("the accounts' address: %w", err)
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("the accounts' address %q is not one like http://host:port", o.URL)
	}
	if o.Issuer == "" {
		o.Issuer = DefaultName
	}
	if o.Audience == "" {
		o.Audience = DefaultName
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 5 * time.Second}
	}
	c := &Client{
		url: strings.TrimRight(o.URL, "/") + "/.well-known/jwks.json", http: o.HTTP, now: o.Now,
		verifier: newVerifier(o.Issuer, o.Audience, o.Now), turn: make(chan struct{}, 1),
	}
	c.verifier.key = c.key
	return c, nil
}

// Identify tells whose a token is; Unavailable when the keys cannot be read.
func (c *Client) Identify(ctx context.Context, token string) (market.Identity, error) {
	return c.verifier.identify(ctx, token)
}

// key gives a key by its id. One caller asks for keys, the others wait for it.
func (c *Client) key(ctx context.Context, id string) (ed25519.PublicKey, error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-c.turn }()
	if key := c.keys[id]; key != nil {
		return key, nil
	}
	if now := c.now(); c.last.IsZero() || now.Sub(c.last) >= askAgain {
		keys, err := c.fetch(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err() // says nothing of the accounts
		}
		c.last, c.err = now, err
		if err == nil {
			c.keys = keys
		}
	}
	if key := c.keys[id]; key != nil {
		return key, nil
	}
	if c.err != nil {
		return nil, &market.Error{
			Kind: market.Unavailable, Code: "accounts_unavailable", Detail: "the accounts cannot be reached to check the token",
			RetryAfter: askAgain, Cause: c.err,
		}
	}
	return nil, errors.New("unknown key")
}

// maxKeys bounds the answer that holds the keys, in bytes.
const maxKeys = 64 << 10

func (c *Client) fetch(ctx context.Context) (map[string]ed25519.PublicKey, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, http.NoBody)
	if err != nil {
		return nil, err
	}
	httpapi.PassOn(ctx, request.Header)
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("read the keys of tokens: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read the keys of tokens: %s answers %s", c.url, response.Status)
	}
	var body keysBody
	if err := json.UnmarshalRead(io.LimitReader(response.Body, maxKeys), &body); err != nil {
		return nil, fmt.Errorf("read the keys of tokens: %w", err)
	}
	keys := map[string]ed25519.PublicKey{}
	for _, k := range body.Keys {
		public, err := base64.RawURLEncoding.DecodeString(k.Public)
		if k.Type == "OKP" && k.Curve == "Ed25519" && err == nil && len(public) == ed25519.PublicKeySize {
			keys[k.ID] = public
		}
	}
	return keys, nil
}
