package accounts

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
)

// ParseKey reads an Ed25519 private key from PEM (PKCS #8, RFC 5958), as
// `openssl genpkey -algorithm ed25519` writes it.
func ParseKey(text []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(text)
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
	return key, nil
}

// newSeed makes the secret of a new key.
func newSeed(random io.Reader) ([]byte, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("read randomness: %w", err)
	}
	return seed, nil
}

// keyID names a public key by its thumbprint (RFC 7638, RFC 8037), so that every
// process gives it the same name.
func keyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(key) + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// keyring is the key that signs and all that are taken.
type keyring struct {
	signs   ed25519.PrivateKey
	id      string
	ordered []ed25519.PublicKey // newest first
	public  map[string]ed25519.PublicKey
}

// newKeyring takes keys, the newest first.
func newKeyring(keys ...ed25519.PrivateKey) keyring {
	k := keyring{signs: keys[0], public: map[string]ed25519.PublicKey{}}
	for _, key := range keys {
		public := key.Public().(ed25519.PublicKey)
		k.ordered = append(k.ordered, public)
		k.public[keyID(public)] = public
	}
	k.id = keyID(k.ordered[0])
	return k
}
