package httpapi

import (
	"context"
	"net/http"
	"strings"

	"emporium/internal/market"
)

// Who may call an operation, as far as a token alone can tell. Whether one is
// the owner of a thing is for its service to judge, once it has found it.
type Who uint8

// The zero Who is nobody, so that an operation that declares none cannot start.
const (
	Anyone   Who = iota + 1
	SignedIn     // with a token that holds
	Staff        // with the token of a staff member
	Within       // nobody but the deployment's own commands and processes
)

// Access declares who may call an operation in each mode. Every operation
// carries one of the values below, which are the rows of the access table.
type Access struct {
	Open      Who
	Protected Who
	Rule      string // in words, for the document
	Inside    bool   // the deployment's own commands and processes, too
}

// in says who may call in a mode.
func (a Access) in(mode Mode) Who {
	if mode == Protected {
		return a.Protected
	}
	return a.Open
}

// The access table.
var (
	ReadCatalogue   = Access{Anyone, Anyone, "Anyone.", false}
	WriteCatalogue  = Access{Anyone, Staff, "Anyone in open mode, staff in protected mode.", false}
	PlaceBid        = Access{Anyone, SignedIn, "Anyone for any bidder in open mode; in protected mode signed in, only as oneself.", false}
	PostOrder       = Access{Anyone, SignedIn, "Anyone in open mode; in protected mode signed in, only as oneself.", false}
	ReadOrders      = Access{Anyone, SignedIn, "Anyone in open mode; in protected mode one's own, or staff.", false}
	ReadProperty    = Access{SignedIn, SignedIn, "Signed in.", false}
	CreateProperty  = Access{SignedIn, SignedIn, "Signed in; one becomes the owner.", false}
	WriteProperty   = Access{SignedIn, SignedIn, "The owner; in protected mode staff too.", false}
	WriteTypes      = Access{SignedIn, Staff, "Signed in; in protected mode staff.", false}
	SignUp          = Access{Anyone, Anyone, "Anyone.", false}
	ReadKeys        = Access{Anyone, Anyone, "Anyone.", false}
	ReadAccounts    = Access{Anyone, SignedIn, "Anyone in open mode; in protected mode oneself or staff.", false}
	WriteAccount    = Access{SignedIn, SignedIn, "Oneself; in protected mode staff too.", false}
	ReadPersonal    = Access{SignedIn, SignedIn, "Oneself; in protected mode staff too.", false}
	RecentPurchases = Access{Anyone, SignedIn, "Anyone in open mode; in protected mode signed in.", false}
	ReadPurchases   = Access{Anyone, Staff, "Anyone in open mode; in protected mode staff, and recent purchases, which reads them.", true}
	OwnSession      = Access{SignedIn, SignedIn, "Oneself.", false}
	OwnKeys         = Access{SignedIn, SignedIn, "Oneself, and staff.", false}
	ReadRevocations = Access{Anyone, Within, "Anyone in open mode; in protected mode the deployment's own processes.", true}
	RunShop         = Access{Within, Within, "The deployment's own commands and processes.", true}
	ManageStaff     = Access{Staff, Staff, "Staff, in both modes.", true}
)

// Mode is how a deployment decides who may do what.
type Mode string

// The two modes.
const (
	Open      Mode = "open"
	Protected Mode = "protected"
)

// identify checks the token of a request against what its operation asks. Where
// anyone may call, a token that does not hold is as good as none: a client that
// always sends its old token can still sign in again.
func (a *API) identify(ctx context.Context, r *http.Request, access Access) (market.Identity, error) {
	who := access.in(a.options.Mode)
	nobody := market.Identity{Protected: a.options.Mode == Protected}
	header := r.Header.Get("Authorization")
	if header == "" {
		if who == Anyone {
			return nobody, nil
		}
		return nobody, market.Refuse(market.Unauthenticated, "no_token", "sign in first: send a token of POST /api/user/auth as 'Authorization: Bearer <token>'")
	}
	scheme, token, _ := strings.Cut(header, " ")
	var id market.Identity
	err := error(market.Refuse(market.Unauthenticated, "bad_token", "the Authorization header must be 'Bearer <token>'"))
	switch {
	case strings.EqualFold(scheme, "Bearer") && a.options.Tokens != nil:
		id, err = a.options.Tokens.Identify(ctx, strings.TrimSpace(token))
	case scheme == proofScheme && access.Inside:
		if err = a.checkProof(r, token); err == nil {
			id = market.Identity{Inside: true}
		}
	}
	id.Protected = nobody.Protected
	switch {
	case err != nil && who == Anyone:
		return nobody, nil
	case err != nil:
		return nobody, err
	case who == Staff && !id.Staff && !id.Inside:
		return id, market.Refuse(market.Denied, "staff_only", "only staff may do this")
	case who == Within && !id.Inside:
		return id, market.Refuse(market.Denied, "inside_only", "only commands and processes of this deployment may do this")
	}
	return id, nil
}

// ForKeys says what an API key may do at an operation.
type ForKeys uint8

// What an API key may do.
const (
	ByScope ForKeys = iota // what its scopes say
	NoKeys                 // nothing: a token is wanted, of somebody who signed in
	AnyKey                 // ask about itself, whatever its scopes are; it is not counted, since processes ask it for calls that they count
)

// limit holds an API key to its scopes. Where anyone may call, one that does not
// reach so far is as good as none.
func (a *API) limit(id market.Identity, op Operation, service string) (market.Identity, error) {
	if id.Scopes == "" || op.Keys == AnyKey {
		return id, nil
	}
	write := op.Method != http.MethodGet
	switch {
	case op.Keys == ByScope && id.Scopes.Allow(service, write):
		return id, nil
	case op.Access.in(a.options.Mode) == Anyone:
		return market.Identity{Protected: id.Protected}, nil
	case op.Keys == NoKeys:
		return id, market.Refuse(market.Denied, "no_api_key", "an API key may not do this: sign in, and send the token")
	}
	right := "read"
	if write {
		right = "write"
	}
	return id, market.Refuse(market.Denied, "key_scope", "this API key may not do this: it needs the scope '%s:%s'", service, right)
}
