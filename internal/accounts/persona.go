package accounts

import (
	"crypto/sha256"
	"time"

	"emporium/internal/market"
)

// Persona is who somebody is at a provider of identities. Issuer and Subject
// together are the person; the rest is what the provider says of them now.
type Persona struct {
	Issuer, Subject     string
	Mail                string
	MailVerified        bool // the provider made sure that it is theirs
	FirstName, LastName string
}

// Journey is one way to a provider and back.
type Journey struct {
	State    string        // random, goes there and comes back
	Browser  string        // random, stays in the browser
	Provider string        // its name here
	ReturnTo string        // where to go afterwards; may be empty
	User     market.UserID // whose account is to be linked; 0 for signing in
}

// Arrival is somebody who came from a provider and whom no account knows yet.
type Arrival struct {
	Persona
	Browser  string // which they came with
	Provider string
	ReturnTo string
	Account  bool // there is one with the mail that the provider verified
}

const (
	journeyLife = 10 * time.Minute // to sign in there, perhaps with a second factor
	arrivalLife = 20 * time.Minute // to fill in the form here
	sweepRows   = 100              // of those that are over, each time one is added
)

// Limits of what is taken from a provider, in bytes. A subject has at most 255
// (OpenID Connect Core, section 2).
const (
	maxSubject = 255
	maxIssuer  = 512
)

// digest is what is kept of something random: who reads the database cannot use it.
func digest(random string) []byte {
	sum := sha256.Sum256([]byte(random))
	return sum[:]
}

func (p Persona) check() error {
	if p.Issuer == "" || len(p.Issuer) > maxIssuer || p.Subject == "" || len(p.Subject) > maxSubject {
		return market.Refuse(market.Invalid, "bad_persona", "the provider does not say who this is")
	}
	return nil
}

func unknownJourney() error {
	return market.Refuse(market.Invalid, "unknown_journey", "this sign-in was begun in another browser, was ended already, or took more than ten minutes: begin again")
}

func unknownArrival() error {
	return market.Refuse(market.Invalid, "unknown_arrival", "this took more than twenty minutes, or was done already: sign in again")
}

func linkedElsewhere() error {
	return market.Refuse(market.Conflict, "linked_elsewhere", "whom the provider signed in belongs to another account here")
}
