// Package accounts keeps who people are: they sign up, sign in with a password
// and are known by signed tokens.
package accounts

import (
	"embed"
	"io/fs"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"emporium/internal/market"
)

//go:embed migrations
var files embed.FS

// Migrations make the service's tables: a folder for each engine.
func Migrations() fs.FS {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// Account is a person. It never holds the password or its hash, so that neither
// can reach an answer, a log or a kept result.
type Account struct {
	ID        market.UserID
	FirstName string
	LastName  string
	BirthDate string // YYYY-MM-DD
	Mail      string // as it was typed; unique whatever its case
	Staff     bool
	Version   int64

	generation int64 // of its tokens; older ones do not hold
}

// Newcomer is someone who signs up.
type Newcomer struct {
	FirstName, LastName string
	BirthDate           string // YYYY-MM-DD
	Mail                string
	Password            string // 1 to 255 characters
}

// Credentials are what one signs in with.
type Credentials struct {
	Mail     string
	Password string
}

// Change is what a caller asks an account to become. A field that is not set
// stays.
type Change struct {
	ID        market.Opt[int64] // read-only: may only repeat what is stored
	FirstName market.Opt[string]
	LastName  market.Opt[string]
	BirthDate market.Opt[string]
	Mail      market.Opt[string] // read-only
	Password  bool               // one was sent, which is never right
}

const (
	maxText    = 255          // characters of any text
	maxLocal   = 64           // bytes before the @ (RFC 5321, section 4.5.3.1.1)
	firstBirth = "1900-01-01" // nobody alive was born before
)

// check gives every fault of a sign-up. Today is a day in UTC.
func (n Newcomer) check(today string, onlyStrong bool) error {
	var faults market.Faults
	checkText(&faults, "firstName", n.FirstName)
	checkText(&faults, "lastName", n.LastName)
	checkBirth(&faults, n.BirthDate, today)
	if checkText(&faults, "mail", n.Mail) && !isMail(n.Mail) {
		faults.Add("body.mail", n.Mail, "mail must be an address like name@example.com")
	}
	if checkText(&faults, "password", n.Password) && onlyStrong {
		checkStrong(&faults, "password", n.Password, n.Mail)
	}
	return faults.Err("invalid_account")
}

// check gives the faults that tell nothing about accounts that exist.
func (c Credentials) check() error {
	var faults market.Faults
	checkText(&faults, "mail", c.Mail)
	checkText(&faults, "password", c.Password)
	return faults.Err("invalid_credentials")
}

// apply gives the account as it would be, or every fault of the change.
func (c Change) apply(a Account, today string) (Account, error) {
	var faults market.Faults
	if c.ID.Set && c.ID.Value != int64(a.ID) {
		faults.Add("body.userId", c.ID.Value, "userId is read-only; it is %d", a.ID)
	}
	if c.FirstName.Set {
		a.FirstName = c.FirstName.Value
		checkText(&faults, "firstName", a.FirstName)
	}
	if c.LastName.Set {
		a.LastName = c.LastName.Value
		checkText(&faults, "lastName", a.LastName)
	}
	if c.BirthDate.Set {
		a.BirthDate = c.BirthDate.Value
		checkBirth(&faults, a.BirthDate, today)
	}
	if c.Mail.Set && c.Mail.Value != a.Mail {
		faults.Add("body.mail", nil, "mail cannot be changed")
	}
	if c.Password {
		faults.Add("body.password", nil, "password cannot be changed here")
	}
	return a, faults.Err("invalid_account")
}

// checkText notes a text that is not 1 to 255 characters long. It never repeats
// the text: it may be a password.
func checkText(faults *market.Faults, field, text string) bool {
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		faults.Add("body."+field, nil, "%s must not be empty", field)
	case n > maxText:
		faults.Add("body."+field, nil, "%s may have at most %d characters; it has %d", field, maxText, n)
	default:
		return true
	}
	return false
}

func checkBirth(faults *market.Faults, day, today string) {
	_, err := time.Parse(time.DateOnly, day)
	switch {
	case err != nil:
		faults.Add("body.birthDate", clip(day), "birthDate must be a day as YYYY-MM-DD")
	case day > today:
		faults.Add("body.birthDate", day, "birthDate must not be in the future")
	case day < firstBirth:
		faults.Add("body.birthDate", day, "birthDate must not be before %s", firstBirth)
	}
}

func clip(s string) string {
	if len(s) > 32 {
		return strings.ToValidUTF8(s[:32], "") + "…"
	}
	return s
}

// isMail says whether a text can be a mail address. Only a message that arrives
// proves one, so this looks for what is surely none: it wants name@host without
// spaces, in any alphabet (RFC 6531), with a host of dotted labels.
func isMail(s string) bool {
	local, host, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(local) > maxLocal || len(host) > 253 {
		return false
	}
	for _, r := range s {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(`<>()[]\,;:"`, r) {
			return false
		}
	}
	if badDots(local) || strings.Contains(host, "@") {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

func badDots(local string) bool {
	return local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..")
}
