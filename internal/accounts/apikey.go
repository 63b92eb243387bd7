package accounts

import (
	"encoding/base64"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"emporium/internal/market"
)

// APIKey is what a machine signs in with. The key itself is known to whom it was
// shown alone.
type APIKey struct {
	ID      int64
	User    market.UserID // who acts by it
	Name    string
	Scopes  market.Scopes
	Hint    string // its last four characters
	By      market.UserID
	Made    market.Time
	Expires market.Time
	Used    market.Time // to the hour; zero: never

	Key string `json:"-"` // once, when it is made; never in what is kept of a request
}

// NewAPIKey is a key that somebody wants.
type NewAPIKey struct {
	User    market.UserID
	Name    string
	Scopes  string             // with spaces between them
	Expires market.Opt[string] // in 90 days when it is left out
}

const (
	keyPrefix      = "emk_"
	keyLife        = 90 * 24 * time.Hour
	maxKeyLife     = 366 * 24 * time.Hour
	maxAPIKeys     = 100 // of one account
	maxKeyName     = 100 // characters
	usedTo         = time.Hour
	keyRecheck     = 4 * time.Second // how long a key that held is taken without being looked at again
	keyWithoutThem = 5 * time.Minute // and how long while the accounts cannot be reached
)

// writeKey makes the text of a key: emk_, 43 characters of secret, 6 by which a
// slip of the pen or a key made up is known without asking anybody.
func writeKey(secret []byte) string {
	text := base64.RawURLEncoding.EncodeToString(secret)
	return keyPrefix + text + checksum(text)
}

func checksum(text string) string {
	sum := crc32.ChecksumIEEE([]byte(text))
	return base64.RawURLEncoding.EncodeToString([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
}

// isKey says whether a text can be an API key.
func isKey(text string) bool {
	rest, ok := strings.CutPrefix(text, keyPrefix)
	const n = 43
	return ok && len(rest) > n && rest[n:] == checksum(rest[:n])
}

// check gives every fault of a key that somebody wants.
func (n NewAPIKey) check(now time.Time, staff bool) (scopes market.Scopes, expires market.Time, err error) {
	var faults market.Faults
	if checkText(&faults, "name", n.Name) && len([]rune(n.Name)) > maxKeyName {
		faults.Add("body.name", nil, "name may have at most %d characters", maxKeyName)
	}
	list := strings.Fields(n.Scopes)
	if len(list) == 0 {
		faults.Add("body.scopes", nil, "scopes must name at least one, such as coupons:read")
	}
	for _, s := range list {
		switch {
		case !slices.Contains(market.AllScopes, s):
			faults.Add("body.scopes", clip(s), "'%s' is no scope; there are %s", clip(s), strings.Join(market.AllScopes, ", "))
		case s == market.StaffScope && !staff:
			faults.Add("body.scopes", s, "the scope '%s' is for keys of staff members", s)
		}
	}
	expires = market.At(now.Add(keyLife))
	if n.Expires.Set {
		if err := expires.UnmarshalText([]byte(n.Expires.Value)); err != nil {
			faults.Add("body.expires_at", clip(n.Expires.Value), "expires_at must be a time such as %s", market.At(now.Add(keyLife)))
			expires = market.At(now.Add(keyLife))
		}
	}
	if !expires.After(now) || expires.After(now.Add(maxKeyLife)) {
		faults.Add("body.expires_at", expires, "expires_at must be in the future, at most %d days from now", int(maxKeyLife.Hours()/24))
	}
	slices.Sort(list)
	return market.Scopes(strings.Join(slices.Compact(list), " ")), expires, faults.Err("invalid_key")
}
