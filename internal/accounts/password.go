package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
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
	cost   Argon
	pepper string // the name of the pepper that was mixed in; "" for none
	salt   []byte
	sum    []byte
}

// String writes the PHC string: $argon2id$v=19$m=19456,t=2,p=1$salt$sum. With a
// pepper, its name stands behind the cost: p=1,keyid=…
func (h hash) String() string {
	b64, pepper := base64.RawStdEncoding, ""
	if h.pepper != "" {
		pepper = ",keyid=" + h.pepper
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d%s$%s$%s", argon2.Version,
		h.cost.MemoryKiB, h.cost.Passes, h.cost.Lanes, pepper, b64.EncodeToString(h.salt), b64.EncodeToString(h.sum))
}

var errNoHash = errors.New("not an argon2id hash")

// parseHash reads what String wrote.
func parseHash(text string) (h hash, err error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, errNoHash
	}
	c := &h.cost
	parts[3], h.pepper, _ = strings.Cut(parts[3], ",keyid=")
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

// pepper is a secret that is mixed into passwords before they are hashed: who has
// the hashes alone cannot even begin to guess.
type pepper struct {
	name   string // tells it from others, and nothing of it
	secret []byte
}

func newPeppers(given [][]byte) (peppers []pepper) {
	for _, secret := range given {
		name := hmac.New(sha256.New, secret)
		name.Write([]byte("emporium pepper name"))
		peppers = append(peppers, pepper{base64.RawStdEncoding.EncodeToString(name.Sum(nil)[:6]), secret})
	}
	return peppers
}

// hasher computes hashes, a few at a time: each takes a CPU and much memory, and
// a crowd that signs in at once must not take either from everybody else.
type hasher struct {
	cost    Argon
	random  io.Reader
	slots   chan struct{}
	peppers []pepper // the first goes into new hashes
	nobody  string   // compared where there is no account, so that it takes as long
	derive  func(password string, salt []byte, cost Argon, size uint32) []byte
}

func newHasher(cost Argon, random io.Reader, atOnce int, peppers []pepper) (*hasher, error) {
	h := &hasher{cost: cost, random: random, slots: make(chan struct{}, atOnce), peppers: peppers, derive: derive}
	nobody := h.plan()
	for _, b := range [][]byte{nobody.salt, nobody.sum} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("read randomness: %w", err)
		}
	}
	h.nobody = nobody.String()
	return h, nil
}

func derive(password string, salt []byte, cost Argon, size uint32) []byte {
	return argon2.IDKey([]byte(password), salt, cost.Passes, cost.MemoryKiB, cost.Lanes, size)
}

// plan is how a hash is made today.
func (h *hasher) plan() hash {
	made := hash{cost: h.cost, salt: make([]byte, saltSize), sum: make([]byte, hashSize)}
	if len(h.peppers) > 0 {
		made.pepper = h.peppers[0].name
	}
	return made
}

// outdated says whether a hash would be made in another way today.
func (h *hasher) outdated(of hash) bool {
	today := h.plan()
	return of.cost != today.cost || of.pepper != today.pepper
}

// errNoPepper is a hash whose pepper was taken out of the settings.
var errNoPepper = errors.New("a password was hashed with a pepper that is not among the settings")

// season mixes the pepper of a hash into a password.
func (h *hasher) season(password string, of hash) (string, error) {
	if of.pepper == "" {
		return password, nil
	}
	for _, p := range h.peppers {
		if p.name == of.pepper {
			mac := hmac.New(sha256.New, p.secret)
			mac.Write([]byte(password))
			return string(mac.Sum(nil)), nil
		}
	}
	return password, errNoPepper
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
	made := h.plan()
	if _, err := io.ReadFull(h.random, made.salt); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	seasoned, err := h.season(password, made)
	if err != nil {
		return "", err
	}
	if made.sum, err = h.compute(ctx, seasoned, made); err != nil {
		return "", err
	}
	return made.String(), nil
}

// matches says whether a password is the one that was hashed. One whose pepper is
// gone matches nothing, in the same time; errNoPepper says so.
func (h *hasher) matches(ctx context.Context, password string, of hash) (bool, error) {
	seasoned, missing := h.season(password, of)
	sum, err := h.compute(ctx, seasoned, of)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(sum, of.sum) == 1 && missing == nil, missing
}
