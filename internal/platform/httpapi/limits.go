package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/netip"
	"strconv"

	"emporium/internal/market"
	"emporium/internal/platform/limit"
)

// Limits are how often operations may be called; a rule that is zero limits
// nothing. How often an address may ask at all is counted before a request
// comes to its operation, see the package edge.
type Limits struct {
	Counts limit.Limiter
	From   func(*http.Request) netip.Addr // who asks; the zero address when that cannot be told

	Account limit.Rule // for each account
	Key     limit.Rule // for each API key, beside its account

	SignIn     limit.Rule // attempts of an address
	SignInMail limit.Rule // attempts of an address at one mail
	SignUp     limit.Rule // attempts of an address
}

// Attempt is what an operation lets callers try: a password, or to become
// somebody. It is counted by the address it comes from, and by address and
// subject, but never by the subject alone: that would let anyone lock somebody
// else out.
type Attempt uint8

// The attempts there are. The zero Attempt is none.
const (
	SigningIn Attempt = iota + 1
	SigningUp
	Renewing // of tokens: counted as signing in, but only when it is refused with a 401
)

// AddressKey is what is counted of an address: of IPv6 the network of a
// customer, /64, since one machine there has as many addresses as it likes.
func AddressKey(ip netip.Addr) string {
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	if !ip.IsValid() {
		return "unknown"
	}
	return ip.String()
}

// caller counts a request of someone who is signed in.
func (l *Limits) caller(w http.ResponseWriter, r *http.Request, id market.Identity) error {
	if l == nil || !id.SignedIn() {
		return nil
	}
	asks := make([]limit.Ask, 0, 2)
	if l.Account.Limits() {
		asks = append(asks, limit.Ask{Rule: l.Account, Who: strconv.FormatInt(int64(id.User), 10)})
	}
	if l.Key.Limits() && id.Key != 0 {
		asks = append(asks, limit.Ask{Rule: l.Key, Who: strconv.FormatInt(id.Key, 10)})
	}
	return l.take(w, r, asks)
}

// attempt counts a try. The subject is what is tried upon, such as a mail;
// "" when there is none.
func (l *Limits) attempt(w http.ResponseWriter, r *http.Request, what Attempt, subject string) error {
	if l == nil || what == 0 {
		return nil
	}
	from := AddressKey(l.From(r))
	asks := make([]limit.Ask, 0, 2)
	switch what {
	case SigningIn, Renewing:
		asks = counted(asks, l.SignIn, from)
		if subject != "" {
			asks = counted(asks, l.SignInMail, from+" "+digest(subject))
		}
	case SigningUp:
		asks = counted(asks, l.SignUp, from)
	}
	return l.take(w, r, asks)
}

// digest stands for a subject where others may read the keys of what is counted.
func digest(subject string) string {
	sum := sha256.Sum256([]byte(subject))
	return hex.EncodeToString(sum[:12])
}

func counted(asks []limit.Ask, rule limit.Rule, who string) []limit.Ask {
	if !rule.Limits() {
		return asks
	}
	return append(asks, limit.Ask{Rule: rule, Who: who})
}

func (l *Limits) take(w http.ResponseWriter, r *http.Request, asks []limit.Ask) error {
	if len(asks) == 0 {
		return nil
	}
	allowed := l.Counts.Take(r.Context(), asks)
	TellLimits(w.Header(), asks)
	if allowed {
		return nil
	}
	return tooMany(asks)
}

// TellLimits says in the headers of an answer where a caller stands
// (draft-ietf-httpapi-ratelimit-headers-10). Each who counts adds their own.
func TellLimits(h http.Header, asks []limit.Ask) {
	for i := range asks {
		if said := h["Ratelimit-Policy"]; said == nil {
			h["Ratelimit-Policy"] = asks[i].Rule.Policy()
		} else {
			h["Ratelimit-Policy"] = append(said, asks[i].Rule.Policy()...)
		}
		h["Ratelimit"] = append(h["Ratelimit"], asks[i].Standing())
	}
}

// perWhom says in words whose limit a rule is.
var perWhom = map[string]string{
	"address": "from your address", "account": "of your account", "key": "with this key",
	"sign-in": "to sign in from your address", "sign-in-mail": "to sign in with this mail from your address", "sign-up": "to sign up from your address",
}

// tooMany refuses for the limit that lasts longest.
func tooMany(asks []limit.Ask) *statusError {
	longest := &asks[0]
	for i := range asks {
		if asks[i].Wait > longest.Wait {
			longest = &asks[i]
		}
	}
	wait := strconv.FormatInt(limit.Seconds(longest.Wait), 10)
	return &statusError{
		status: http.StatusTooManyRequests, code: "too_many_requests", header: http.Header{"Retry-After": {wait}},
		detail: "too many requests " + perWhom[longest.Rule.Name()] + ": " + longest.Rule.String() + " are allowed. Try again in " + wait + " s",
	}
}

// RefuseTooMany answers, outside an operation, that a limit was reached.
func RefuseTooMany(w http.ResponseWriter, r *http.Request, asks []limit.Ask) {
	writeProblem(w, r, aliasAt(w, r), tooMany(asks))
}

// Attempted counts a try at something outside an operation, such as on a page of
// its own. It says whether it may go on; if not, it has answered.
func (a *API) Attempted(w http.ResponseWriter, r *http.Request, what Attempt, subject string) bool {
	if err := a.options.Limits.attempt(w, r, what, subject); err != nil {
		a.fail(w, r, aliasAt(w, r), err)
		return false
	}
	return true
}

// subjectOf is what an input is an attempt at: its method Subject, when it has
// one.
func subjectOf(in any) string {
	if s, ok := in.(interface{ Subject() string }); ok {
		return s.Subject()
	}
	return ""
}

// RefuseBusy answers, outside an operation, that an address has too many
// requests under way.
func RefuseBusy(w http.ResponseWriter, r *http.Request, most int) {
	w.Header().Set("Connection", "close") // what it still sends is not read
	writeProblem(w, r, aliasAt(w, r), &statusError{
		status: http.StatusTooManyRequests, code: "too_many_at_once", header: http.Header{"Retry-After": {"1"}},
		detail: "your address has " + strconv.Itoa(most) + " requests under way, which is as many as it may have. Try again when one has ended",
	})
}
