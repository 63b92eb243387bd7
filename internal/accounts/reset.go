package accounts

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"emporium/internal/market"
)

// Reset is what lets somebody set a new password who forgot the old one.
type Reset struct {
	User    market.UserID
	Mail    string // of the account, as it was typed at sign-up
	Name    string // to be addressed by
	Token   string // used once
	Expires market.Time
}

const (
	resetPrefix = "emt_"
	resetLife   = time.Hour
	// resetAgain is how long an account gets no second message: nobody's mail is
	// to be filled up by others.
	resetAgain = time.Minute
	// lettersWaiting bounds how many who forgot their password wait to be told.
	lettersWaiting = 1024
)

// minPassword is the fewest characters of a new password, where weak ones are
// refused (NIST SP 800-63B, section 5.1.1.2).
const minPassword = 8

// common is a sorted list of the first commonSize bytes of SHA-256 of passwords
// that everybody tries first; see NOTICE for where it is from. Made by
// internal/accounts/gen.
//
//go:embed common.bin
var common []byte

const commonSize = 5

// checkStrong notes a new password that would be guessed soon. It never repeats
// it.
func checkStrong(faults *market.Faults, field, password, mail string) {
	folded := strings.ToLower(password)
	local, _, _ := strings.Cut(strings.ToLower(mail), "@")
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		faults.Add("body."+field, nil, "%s must have at least %d characters", field, minPassword)
	case isCommon(password) || isCommon(folded):
		faults.Add("body."+field, nil, "%s is one of those that everybody tries first: choose another", field)
	case mail != "" && (folded == strings.ToLower(mail) || folded == local):
		faults.Add("body."+field, nil, "%s must not be the mail", field)
	}
}

// isCommon looks a password up. One in 26 million others is taken for one, too.
func isCommon(password string) bool {
	sum := sha256.Sum256([]byte(password))
	n := len(common) / commonSize
	at := func(i int) []byte { return common[i*commonSize : (i+1)*commonSize] }
	i := sort.Search(n, func(i int) bool { return bytes.Compare(at(i), sum[:commonSize]) >= 0 })
	return i < n && bytes.Equal(at(i), sum[:commonSize])
}
