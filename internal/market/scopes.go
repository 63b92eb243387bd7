package market

import "strings"

// Scopes are what a key for machines may do, with spaces between them:
// "coupons:read coupons:write". Empty, they limit nothing: a token of somebody
// who signed in.
type Scopes string

// StaffScope lets a key of a staff member act as one.
const StaffScope = "staff"

// AllScopes are all that a key may have: for each service to read and to write
// there, "*" for every service, and to act as staff.
var AllScopes = []string{
	"*:read", "*:write",
	"accounts:read", "accounts:write", "auctions:read", "auctions:write", "billing:read", "billing:write",
	"coupons:read", "coupons:write", "inventory:read", "inventory:write", "popular:read",
	"property:read", "property:write", "purchases:read", "purchases:write",
	StaffScope,
}

// Allow says whether they let one read, or else write, at a service.
func (s Scopes) Allow(service string, write bool) bool {
	if s == "" {
		return true
	}
	right := ":read"
	if write {
		right = ":write"
	}
	return s.Has(service+right) || s.Has("*"+right)
}

// Has says whether a scope is one of them.
func (s Scopes) Has(scope string) bool {
	for one := range strings.SplitSeq(string(s), " ") {
		if one == scope {
			return true
		}
	}
	return false
}
