package accounts

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"emporium/internal/market"
)

// ClientOptions say where the accounts are. URL and Now are required.
type ClientOptions struct {
	URL      string // "http://accounts:8080": what stands before /.well-known
	Now      func() time.Time
	Issuer   Name                // DefaultName when empty
	Audience Name                // DefaultName when empty
	HTTP     *http.Client        // one that waits at most 5 seconds when nil
	Prove    func(*http.Request) // puts on a request that this is a process of the deployment, see httpapi.Prove
}

// Client tells whose a token is where the accounts run elsewhere. It checks
// signatures itself, with keys that it reads from there, and reads from there what
// ended before its time. Whose an API key is it asks there. While the accounts
// cannot be reached, what was known goes on.
type Client struct {
	url      string
	http     *http.Client
	now      func() time.Time
	verifier *verifier
	apiKeys  answers
	prove    func(*http.Request)

	keys atomic.Pointer[keySet]

	turn chan struct{} // holds one; whoever has taken it may ask for keys, and read and write what follows
	last time.Time     // when keys were asked for, with what came of it
	err  error
}

// keySet is what was read from the accounts.
type keySet struct {
	public map[string]ed25519.PublicKey
	until  time.Time // when to look whether one was taken away
}

var _ market.Tokens = (*Client)(nil)

// askAgain is how long an unknown key waits for the keys to be read again, so
// that tokens made up by anybody do not become requests.
const askAgain = 5 * time.Second

func (k *keySet) has(id string) bool { return k != nil && k.public[id] != nil }

// keysLife is how long keys are taken before they are read again: as long as one
// holds here that the accounts no longer have. While they cannot be reached, the
// keys hold on.
const keysLife = 5 * time.Minute

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
		url: strings.TrimRight(o.URL, "/"), prove: o.Prove, http: o.HTTP, now: o.Now,
		verifier: newVerifier(o.Issuer, o.Audience, o.Now), turn: make(chan struct{}, 1),
	}
	c.verifier.key = c.key
	c.verifier.apiKey = c.identifyKey
	c.verifier.revoked.fetch = c.fetchRevocations
	return c, nil
}

// Identify tells whose a token is; Unavailable when the keys cannot be read.
func (c *Client) Identify(ctx context.Context, token string) (market.Identity, error) {
	return c.verifier.identify(ctx, token)
}

// key gives a key by its id. One caller asks for keys; those whose key is known
// do not wait for it.
func (c *Client) key(ctx context.Context, id string) (ed25519.PublicKey, error) {
	known := c.keys.Load()
	if known.has(id) {
		if c.now().Before(known.until) {
			return known.public[id], nil
		}
		select {
		case c.turn <- struct{}{}:
		default: // somebody else looks
			return known.public[id], nil
		}
	} else {
		select {
		case c.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() { <-c.turn }()
	if known = c.keys.Load(); known.has(id) && c.now().Before(known.until) {
		return known.public[id], nil
	}
	if now := c.now(); c.last.IsZero() || now.Sub(c.last) >= askAgain {
		keys, err := c.fetch(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err() // says nothing of the accounts
		}
		c.last, c.err = now, err
		switch {
		case err == nil:
			known = &keySet{public: keys, until: now.Add(keysLife)}
			c.keys.Store(known)
		case known != nil:
			known = &keySet{public: known.public, until: now.Add(askAgain)}
			c.keys.Store(known)
		}
	}
	if known.has(id) {
		return known.public[id], nil
	}
	if c.err != nil {
		return nil, &market.Error{
			Kind: market.Unavailable, Code: "accounts_unavailable", Detail: "the accounts cannot be reached to check the token",
			RetryAfter: askAgain, Cause: c.err,
		}
	}
	return nil, errors.New("unknown key")
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 1 << 20

func (c *Client) fetch(ctx context.Context) (map[string]ed25519.PublicKey, error) {
	var body keysBody
	if err := c.get(ctx, "/.well-known/jwks.json", "", &body); err != nil {
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
