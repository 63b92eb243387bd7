package accounts

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Argon is what one hash costs.
type Argon struct {
	MemoryKiB uint32
	Passes    uint32
	Lanes     uint8
}

// DefaultArgon is the first choice of OWASP's password storage page for
// argon2id: 19 MiB, two passes, one lane; some 20 ms of one CPU.
var DefaultArgon = Argon{MemoryKiB: 19 << 10, Passes: 2, Lanes: 1}

const (
	saltSize = 16
	hashSize = 32
	// Bounds of what a stored hash may ask for: far above what is ever chosen,
	// and below what would take the process down.
	maxMemoryKiB = 1 << 20
	maxPasses    = 1 << 10
)

// hash is a password's hash with all that it takes to compute it again.
type hash struct {
	cost Argon
	salt []byte
	sum  []byte
}

// String writes the PHC string: $argon2id$v=19$m=19456,t=2,p=1$salt$sum.
func (h hash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.cost.MemoryKiB, h.cost.Passes, h.cost.Lanes, b64.EncodeToString(h.salt), b64.EncodeToString(h.sum))
}

var errNoHash = errors.New("not an argon2id hash")

// parseHash reads what String wrote.
func parseHash(text string) (h hash, err error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, errNoHash
	}
	c := &h.cost
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.MemoryKiB, &c.Passes, &c.Lanes); n != 3 || err != nil {
		return h, errNoHash
	}
	if c.MemoryKiB == 0 || c.MemoryKiB > maxMemoryKiB || c.Passes == 0 || c.Passes > maxPasses || c.Lanes == 0 {
		return h, errNoHash
	}
	b64 := base64.RawStdEncoding.Strict()
	h.salt, err = b64.DecodeString(parts[4])
	if err != nil || len(h.salt) < 8 || len(h.salt) > 64 {
		return h, errNoHash
	}
	h.sum, err = b64.DecodeString(parts[5])
	if err != nil || len(h.sum) < 16 || len(h.sum) > 64 {
		return h, errNoHash
	}
	if h.String() != text { // "m=+1", trailing text: written by something else
		return h, errNoHash
	}
	return h, nil
}

// hasher computes hashes, a few at a time: each takes a CPU and much memory, and
// a crowd that signs in at once must not take either from everybody else.
type hasher struct {
	cost   Argon
	random io.Reader
	slots  chan struct{}
	nobody hash // compared where there is no account, so that it takes as long
	derive func(password string, salt []byte, cost Argon, size uint32) []byte
}

func newHasher(cost Argon, random io.Reader, atOnce int) (*hasher, error) {
	h := &hasher{cost: cost, random: random, slots: make(chan struct{}, atOnce), derive: derive}
	h.nobody = hash{cost: cost, salt: make([]byte, saltSize), sum: make([]byte, hashSize)}
	for _, b := range [][]byte{h.nobody.salt, h.nobody.sum} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("read randomness: %w", err)
		}
	}
	return h, nil
}

func derive(password string, salt []byte, cost Argon, size uint32) []byte {
	return argon2.IDKey([]byte(password), salt, cost.Passes, cost.MemoryKiB, cost.Lanes, size)
}

// compute waits for its turn, unless ctx ends first.
func (h *hasher) compute(ctx context.Context, password string, of hash) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.slots }()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return h.derive(password, of.salt, of.cost, uint32(len(of.sum))), nil
}

// hash gives the PHC string of a password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	made := hash{cost: h.cost, salt: make([]byte, saltSize), sum: make([]byte, hashSize)}
	if _, err := io.ReadFull(h.random, made.salt); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	sum, err := h.compute(ctx, password, made)
	if err != nil {
		return "", err
	}
	made.sum = sum
	return made.String(), nil
}

// matches says whether a password is the one that was hashed.
func (h *hasher) matches(ctx context.Context, password string, of hash) (bool, error) {
	sum, err := h.compute(ctx, password, of)
	return err == nil && subtle.ConstantTimeCompare(sum, of.sum) == 1, err
}
