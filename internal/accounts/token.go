package accounts

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
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

// badToken is the one answer to any token that does not hold, whatever is wrong
// with it.
func badToken() error {
	return market.Refuse(market.Unauthenticated, "bad_token", "the token does not hold: sign in again")
}

// sign makes a token for an account.
func (k keyring) sign(user market.UserID, issuer, audience Name, now time.Time, life time.Duration, random io.Reader) (string, error) {
	id := make([]byte, 16)
	if _, err := io.ReadFull(random, id); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.RegisteredClaims{
		Subject:   strconv.FormatInt(int64(user), 10),
		Issuer:    string(issuer),
		Audience:  jwt.ClaimStrings{string(audience)},
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(life)),
		ID:        base64.RawURLEncoding.EncodeToString(id),
	})
	token.Header["kid"] = k.id
	signed, err := token.SignedString(k.signs)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed, nil
}

// verifier tells whose a token is. What held is remembered, since checking a
// signature takes a hundred times as long as finding it.
type verifier struct {
	parser *jwt.Parser
	now    func() time.Time
	key    func(ctx context.Context, id string) (ed25519.PublicKey, error)
	exists func(context.Context, market.UserID) error // nil where the accounts are elsewhere
	seen   seen
}

func newVerifier(issuer, audience Name, now func() time.Time) *verifier {
	return &verifier{
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithStrictDecoding(),
			jwt.WithIssuer(string(issuer)), jwt.WithAudience(string(audience)), jwt.WithExpirationRequired(), jwt.WithTimeFunc(now),
		),
		now:  now,
		seen: seen{tokens: map[[sha256.Size]byte]holder{}},
	}
}

// identify is what [market.Tokens] promises.
func (v *verifier) identify(ctx context.Context, token string) (market.Identity, error) {
	if len(token) > maxToken {
		return market.Identity{}, badToken()
	}
	now, sum := v.now(), sha256.Sum256([]byte(token))
	known, removals := v.seen.find(sum)
	if known.user != 0 && now.Before(known.until) {
		return market.Identity{User: known.user}, nil
	}
	user, expires, err := v.check(ctx, token)
	if err != nil {
		return market.Identity{}, err
	}
	until := now.Add(recheck)
	if expires.Before(until) {
		until = expires
	}
	v.seen.add(sum, holder{user, until}, removals)
	return market.Identity{User: user}, nil
}

// check looks at a token itself.
func (v *verifier) check(ctx context.Context, token string) (user market.UserID, expires time.Time, err error) {
	var claims jwt.RegisteredClaims
	_, err = v.parser.ParseWithClaims(token, &claims, func(t *jwt.Token) (any, error) {
		id, ok := t.Header["kid"].(string)
		if !ok || id == "" {
			return nil, errors.New("no key is named")
		}
		return v.key(ctx, id)
	})
	if market.KindOf(err) == market.Unavailable || ctx.Err() != nil {
		return 0, expires, errors.Join(err, ctx.Err())
	}
	if err != nil {
		return 0, expires, badToken()
	}
	n, err := strconv.ParseInt(claims.Subject, 10, 64)
	if err != nil || n <= 0 {
		return 0, expires, badToken()
	}
	user = market.UserID(n)
	if v.exists != nil {
		switch err := v.exists(ctx, user); {
		case market.KindOf(err) == market.NotFound:
			return 0, expires, badToken()
		case err != nil:
			return 0, expires, err
		}
	}
	return user, claims.ExpiresAt.Time, nil
}

// maxSeen bounds the memory of tokens, to some 2 MB.
const maxSeen = 16 << 10

// holder is whose a token is, for as long as that is taken without a new look.
type holder struct {
	user  market.UserID
	until time.Time
}

// seen remembers tokens that held, by their hash: what is in memory cannot be
// used to act for anybody.
type seen struct {
	mu       sync.RWMutex
	tokens   map[[sha256.Size]byte]holder
	removals uint64
}

func (s *seen) find(sum [sha256.Size]byte) (holder, uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tokens[sum], s.removals
}

// add remembers a token, unless an account was removed since removals was read:
// it might be this one's. A full memory is emptied; filling it again costs one
// check each.
func (s *seen) add(sum [sha256.Size]byte, h holder, removals uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removals != removals {
		return
	}
	if len(s.tokens) >= maxSeen {
		clear(s.tokens)
	}
	s.tokens[sum] = h
}

// forget drops the tokens of an account that is gone.
func (s *seen) forget(user market.UserID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removals++
	for sum, h := range s.tokens {
		if h.user == user {
			delete(s.tokens, sum)
		}
	}
}
