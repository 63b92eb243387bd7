package accounts

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"emporium/internal/market"
)

// Name is who signs tokens and who they are for, as their claims iss and aud
// have it.
type Name string

// DefaultName stands where no other is set.
const DefaultName Name = "emporium"

// maxToken is far above what any token of ours takes, in bytes.
const maxToken = 4 << 10

// recheck is how long a token that held is taken without being looked at again:
// as long as an account deleted by another process can still act in this one.
const recheck = time.Minute

// recheckStaff is the same for the tokens of staff, who may do more.
const recheckStaff = 5 * time.Second

// badToken is the one answer to any token that does not hold, whatever is wrong
// with it.
func badToken() error {
	return market.Refuse(market.Unauthenticated, "bad_token", "the token does not hold: sign in again")
}

// claims are what a token says. Whether one is staff is said by the token, so
// that it is known where the accounts are not; where they are, it must also still
// be so.
type claims struct {
	jwt.RegisteredClaims
	Staff      bool   `json:"staff,omitempty"`
	Session    string `json:"sid,omitempty"` // that can renew it
	Generation int64  `json:"gen,omitempty"` // of the account's tokens
}

// id is what ends the token when it is revoked.
func (c *claims) id() string {
	if c.Session != "" {
		return c.Session
	}
	return c.ID
}

// grant is what a token is made of.
type grant struct {
	user       market.UserID
	staff      bool
	session    string
	generation int64
	life       time.Duration
}

// sign makes a token.
func (k *signingKey) sign(g grant, issuer, audience Name, now time.Time, random io.Reader) (string, error) {
	id, err := randomID(random)
	if err != nil {
		return "", err
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{Staff: g.staff, Session: g.session, Generation: g.generation, RegisteredClaims: jwt.RegisteredClaims{
		Subject:   strconv.FormatInt(int64(g.user), 10),
		Issuer:    string(issuer),
		Audience:  jwt.ClaimStrings{string(audience)},
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(g.life)),
		ID:        id,
	}})
	token.Header["kid"] = k.id
	signed, err := token.SignedString(k.private)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed, nil
}

// randomID names a token or a session: 16 random bytes in base64url.
func randomID(random io.Reader) (string, error) {
	b, err := randomBytes(random, 16)
	return base64.RawURLEncoding.EncodeToString(b), err
}

func randomBytes(random io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, fmt.Errorf("read randomness: %w", err)
	}
	return b, nil
}

// verifier tells whose a token is. What held is remembered, since checking a
// signature takes a hundred times as long as finding it.
type verifier struct {
	parser  *jwt.Parser
	now     func() time.Time
	key     func(ctx context.Context, id string) (ed25519.PublicKey, error)
	account func(context.Context, market.UserID) (standing, error) // NotFound when there is no such account; nil where the accounts are elsewhere
	apiKey  func(ctx context.Context, key string) (holder, error)
	revoked *revoked
	seen    seen
}

// standing is what an account's tokens are held against.
type standing struct {
	staff      bool
	generation int64
}

func newVerifier(issuer, audience Name, now func() time.Time) *verifier {
	v := &verifier{
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithStrictDecoding(),
			jwt.WithIssuer(string(issuer)), jwt.WithAudience(string(audience)), jwt.WithExpirationRequired(), jwt.WithTimeFunc(now),
		),
		now:  now,
		seen: seen{tokens: map[string]*holder{}},
	}
	v.revoked = newRevoked(now, func() { v.seen.forget(v.revoked.ends) })
	return v
}

// identify is what [market.Tokens] promises.
func (v *verifier) identify(ctx context.Context, token string) (market.Identity, error) {
	if len(token) > maxToken {
		return market.Identity{}, badToken()
	}
	if err := v.revoked.refresh(ctx); err != nil {
		return market.Identity{}, err
	}
	now := v.now()
	known, removals := v.seen.find(token)
	if known != nil && now.Before(known.until) {
		return known.identity(), nil
	}
	check, again := v.check, recheck
	if isKey(token) {
		check, again = v.apiKey, keyRecheck
	}
	h, err := check(ctx, token)
	if err != nil {
		return market.Identity{}, err
	}
	if h.staff {
		again = min(again, recheckStaff)
	}
	h.until = now.Add(again)
	if h.expires.Before(h.until) {
		h.until = h.expires
	}
	v.seen.add(strings.Clone(token), &h, removals) // not the whole head of its request
	return h.identity(), nil
}

// check looks at a token itself.
func (v *verifier) check(ctx context.Context, token string) (holder, error) {
	var said claims
	_, err := v.parser.ParseWithClaims(token, &said, func(t *jwt.Token) (any, error) {
		id, ok := t.Header["kid"].(string)
		if !ok || id == "" {
			return nil, errors.New("no key is named")
		}
		return v.key(ctx, id)
	})
	if market.KindOf(err) == market.Unavailable || ctx.Err() != nil {
		return holder{}, errors.Join(err, ctx.Err())
	}
	if err != nil {
		return holder{}, badToken()
	}
	n, err := strconv.ParseInt(said.Subject, 10, 64)
	if err != nil || n <= 0 {
		return holder{}, badToken()
	}
	h := holder{user: market.UserID(n), staff: said.Staff, token: said.id(), session: said.Session, generation: said.Generation, expires: said.ExpiresAt.Time}
	if v.revoked.ends(h) {
		return holder{}, badToken()
	}
	if v.account != nil {
		now, err := v.account(ctx, h.user)
		switch {
		case market.KindOf(err) == market.NotFound:
			return holder{}, badToken()
		case err != nil:
			return holder{}, err
		case now.generation != h.generation:
			return holder{}, badToken()
		}
		h.staff = h.staff && now.staff
	}
	return h, nil
}

// maxSeen bounds the memory of tokens, to some 10 MB.
const maxSeen = 16 << 10

// holder is whose a token is, for as long as that is taken without a new look.
type holder struct {
	user       market.UserID
	staff      bool
	apiKey     int64 // its id, when it is an API key
	scopes     market.Scopes
	token      string // what ends it when it is revoked
	session    string
	generation int64
	expires    time.Time
	until      time.Time
}

func (h *holder) identity() market.Identity {
	return market.Identity{User: h.user, Staff: h.staff, Scopes: h.scopes, Key: h.apiKey}
}

// seen remembers tokens that held. To find one takes a tenth of what its SHA-256
// would, and requests bring them into memory as they are anyway.
type seen struct {
	mu       sync.RWMutex
	tokens   map[string]*holder
	removals uint64
}

func (s *seen) find(token string) (*holder, uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tokens[token], s.removals
}

// add remembers a token, unless an account was removed since removals was read:
// it might be this one's. A full memory is emptied; filling it again costs one
// check each.
func (s *seen) add(token string, h *holder, removals uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removals != removals {
		return
	}
	if len(s.tokens) >= maxSeen {
		clear(s.tokens)
	}
	s.tokens[token] = h
}

// forget drops the tokens of which gone is true.
func (s *seen) forget(gone func(holder) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removals++
	for token, h := range s.tokens {
		if gone(*h) {
			delete(s.tokens, token)
		}
	}
}
