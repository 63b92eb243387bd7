package accounts

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// ParseKeys reads Ed25519 private keys from PEM (PKCS #8, RFC 5958), as
// `openssl genpkey -algorithm ed25519` writes them, one after the other. The
// first one signs; tokens of the others are taken.
func ParseKeys(text []byte) ([]ed25519.PrivateKey, error) {
	var keys []ed25519.PrivateKey
	for len(bytes.TrimSpace(text)) > 0 {
		block, rest := pem.Decode(text)
		if block == nil || block.Type != "PRIVATE KEY" {
			return nil, errors.New("the signing key is not a PEM 'PRIVATE KEY'")
		}
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read the signing key: %w", err)
		}
		key, ok := parsed.(ed25519.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("the signing key is a %T, not an Ed25519 one", parsed)
		}
		keys, text = append(keys, key), rest
	}
	if len(keys) == 0 {
		return nil, errors.New("the signing key is not a PEM 'PRIVATE KEY'")
	}
	return keys, nil
}

// keyID names a public key by its thumbprint (RFC 7638, RFC 8037), so that every
// process gives it the same name.
func keyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(key) + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// signingKey signs tokens, or did, or will.
type signingKey struct {
	generation int64 // counts from 1; 0 for a key of the settings
	private    ed25519.PrivateKey
	public     ed25519.PublicKey
	id         string
	made       time.Time
	signs      time.Time // from when on
	tokenLife  time.Duration
	until      time.Time // when the last token that it signed is over; zero while nothing follows it
}

func newSigningKey(private ed25519.PrivateKey) signingKey {
	public := private.Public().(ed25519.PublicKey)
	return signingKey{private: private, public: public, id: keyID(public)}
}

// clockMargin is how far the clocks of processes may be apart.
const clockMargin = time.Minute

// keyring is every key there is, the newest first.
type keyring struct {
	keys  []signingKey
	taken map[string]ed25519.PublicKey // that tokens may be signed with
	read  time.Time
}

// newKeyring takes keys, the newest first, as they are at a time. Each is taken
// until the last token is over that it may have signed before the next began to.
func newKeyring(keys []signingKey, now time.Time) *keyring {
	k := &keyring{taken: map[string]ed25519.PublicKey{}, read: now}
	for i := range keys {
		if i > 0 && keys[i].generation > 0 {
			keys[i].until = keys[i-1].signs.Add(keys[i].tokenLife + clockMargin)
		}
		if !keys[i].until.IsZero() && !now.Before(keys[i].until) {
			continue
		}
		k.keys = append(k.keys, keys[i])
		k.taken[keys[i].id] = keys[i].public
	}
	return k
}

// signer is the newest key whose time has come.
func (k *keyring) signer(now time.Time) *signingKey {
	for i := range k.keys {
		if !now.Before(k.keys[i].signs) {
			return &k.keys[i]
		}
	}
	return &k.keys[len(k.keys)-1]
}

// longest is the longest life of any token that may be about.
func (k *keyring) longest() (life time.Duration) {
	for i := range k.keys {
		life = max(life, k.keys[i].tokenLife)
	}
	return life
}

// lacks says whether a key is gone that was there before.
func (k *keyring) lacks(before *keyring) bool {
	for id := range before.taken {
		if k.taken[id] == nil {
			return true
		}
	}
	return false
}
