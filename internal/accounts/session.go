package accounts

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"emporium/internal/market"
)

// Who asks for it is signed in by a session: tokens that hold for minutes, and a
// refresh token that gets the next ones. Each refresh token is made of the one
// before, so that any of them is known again, however old, while only the last
// one's hash is stored.

// Lives where nothing else is set.
const (
	DefaultShortLife   = 15 * time.Minute    // of a token that can be renewed
	DefaultSessionLife = 30 * 24 * time.Hour // of a session that nobody renews
)

const (
	refreshPrefix = "emr_"
	// refreshAgain is how long the refresh token that was just used is answered
	// again, with the same successor: for a client that lost the answer.
	refreshAgain = 10 * time.Second
	// maxBehind is how far a refresh token may be behind and still be known.
	maxBehind  = 1 << 13
	secretSize = 32
)

// Tokens are what signing in gives.
type Tokens struct {
	Access  string
	Refresh string        // only when it was asked for
	Life    time.Duration // of Access
}

// refreshToken is what renews a session, once.
type refreshToken struct {
	session  string
	rotation int64 // how often the session had been renewed
	secret   []byte
}

// String writes emr_<session>.<rotation>.<secret>.
func (t refreshToken) String() string {
	return refreshPrefix + t.session + "." + strconv.FormatInt(t.rotation, 36) + "." + base64.RawURLEncoding.EncodeToString(t.secret)
}

// parseRefreshToken reads what String wrote.
func parseRefreshToken(text string) (t refreshToken, ok bool) {
	text, found := strings.CutPrefix(text, refreshPrefix)
	parts := strings.Split(text, ".")
	if !found || len(parts) != 3 || len(parts[0]) > 64 {
		return t, false
	}
	n, err := strconv.ParseInt(parts[1], 36, 64)
	secret, decoding := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || n < 0 || decoding != nil || len(secret) != secretSize {
		return t, false
	}
	return refreshToken{session: parts[0], rotation: n, secret: secret}, true
}

// session is who asked for tokens that can be renewed.
type session struct {
	id         string
	user       market.UserID
	generation int64 // of the account's tokens, when it signed in
	rotation   int64
	hash       []byte      // of the refresh token that is good now
	made       market.Time // zero: before this was kept
	rotated    market.Time // when it was renewed last, or made
	expires    market.Time
}

// secrets makes keyed hashes: what is stored of tokens and keys is of no use
// without the secret of the deployment, and guessing it costs too much. Each
// purpose has a key of its own.
type secrets []byte

func (k secrets) sum(purpose string, data []byte) []byte {
	key := hmac.New(sha256.New, k)
	key.Write([]byte("emporium accounts 1 " + purpose))
	mac := hmac.New(sha256.New, key.Sum(nil))
	mac.Write(data)
	return mac.Sum(nil)
}

// next is the refresh token that follows another.
func (k secrets) next(t refreshToken) refreshToken {
	return refreshToken{session: t.session, rotation: t.rotation + 1, secret: k.sum("next refresh token", t.secret)}
}

// hash is what is stored of a refresh token.
func (k secrets) hash(t refreshToken) []byte {
	return k.sum("refresh token", []byte(t.String()))
}

// belongs says whether a refresh token is one that the session gave: the one that
// is good now, or any before it. That takes a hash for each renewal since, and
// stays true as the session is renewed.
func (k secrets) belongs(t refreshToken, s session) bool {
	if t.session != s.id || t.rotation > s.rotation || s.rotation-t.rotation > maxBehind {
		return false
	}
	for t.rotation < s.rotation {
		t = k.next(t)
	}
	return hmac.Equal(k.hash(t), s.hash)
}

// renewal is what a refresh token is good for.
type renewal uint8

const (
	refused renewal = iota // the session is over
	renewed                // it is the one that is good now
	again                  // it was used a moment ago: the same successor
	reused                 // it was used before: somebody else has it, too
)

// judge says what a refresh token is good for that belongs to the session.
func (s *session) judge(t refreshToken, now time.Time) renewal {
	switch {
	case !now.Before(s.expires.Time):
		return refused
	case t.rotation == s.rotation:
		return renewed
	case t.rotation == s.rotation-1 && now.Before(s.rotated.Add(refreshAgain)):
		return again
	}
	return reused
}
