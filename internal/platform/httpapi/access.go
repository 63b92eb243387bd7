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
)

// Access declares who may call an operation in each mode. Every operation
// carries one of the values below, which are the rows of the access table.
type Access struct {
	Open      Who
	Protected Who
	Rule      string // in words, for the document
}

// The access table.
var (
	ReadCatalogue   = Access{Anyone, Anyone, "Anyone."}
	WriteCatalogue  = Access{Anyone, Staff, "Anyone in open mode, staff in protected mode."}
	PlaceBid        = Access{Anyone, SignedIn, "Anyone for any bidder in open mode; in protected mode signed in, only as oneself."}
	PostOrder       = Access{Anyone, SignedIn, "Anyone in open mode; in protected mode signed in, only as oneself."}
	ReadOrders      = Access{Anyone, SignedIn, "Anyone in open mode; in protected mode one's own, or staff."}
	ReadProperty    = Access{SignedIn, SignedIn, "Signed in."}
	CreateProperty  = Access{SignedIn, SignedIn, "Signed in; one becomes the owner."}
	WriteProperty   = Access{SignedIn, SignedIn, "The owner; in protected mode staff too."}
	WriteTypes      = Access{SignedIn, Staff, "Signed in; in protected mode staff."}
	SignUp          = Access{Anyone, Anyone, "Anyone."}
	ReadKeys        = Access{Anyone, Anyone, "Anyone."}
	ReadAccounts    = Access{Anyone, SignedIn, "Anyone in open mode; in protected mode oneself or staff."}
	WriteAccount    = Access{SignedIn, SignedIn, "Oneself; in protected mode staff too."}
	RecentPurchases = Access{Anyone, SignedIn, "Anyone in open mode; in protected mode signed in."}
	ReadPurchases   = Access{Anyone, Staff, "Anyone in open mode; in protected mode staff."}
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
func (a *API) identify(ctx context.Context, r *http.Request, who Who) (market.Identity, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		if who == Anyone {
			return market.Identity{}, nil
		}
		return market.Identity{}, market.Refuse(market.Unauthenticated, "no_token", "sign in first: send a token of POST /api/user/auth as 'Authorization: Bearer <token>'")
	}
	scheme, token, _ := strings.Cut(header, " ")
	var id market.Identity
	err := error(market.Refuse(market.Unauthenticated, "bad_token", "the Authorization header must be 'Bearer <token>'"))
	if strings.EqualFold(scheme, "Bearer") && a.options.Tokens != nil {
		id, err = a.options.Tokens.Identify(ctx, strings.TrimSpace(token))
	}
	switch {
	case err != nil && who == Anyone:
		return market.Identity{}, nil
	case err != nil:
		return market.Identity{}, err
	case who == Staff && !id.Staff:
		return id, market.Refuse(market.Denied, "staff_only", "only staff may do this")
	}
	return id, nil
}
