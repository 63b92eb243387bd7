package httpapi

import (
	"context"
	"iter"
	"net/http"

	"emporium/internal/market"
)

// PersonalPath is where a service says what it keeps about an account, whose id
// stands behind it.
func PersonalPath(service string) string { return "/api/personal-records/" + service }

// PersonOf is the account in a path.
type PersonOf struct {
	ID int64 `path:"id" noun:"User ID" example:"1"`
}

// RegisterPersonal declares the operation by which a service says what it keeps
// about an account: a part of what the gateway puts together.
func RegisterPersonal(g *Group, data market.PersonalData, examples ...market.PersonalRecord) {
	service := g.system.Name
	RegisterList(g, Operation{
		ID: "export-personal-data-of-" + service, Method: http.MethodGet, Path: PersonalPath(service) + "/{id}", Access: ReadPersonal,
		Summary:     "Export what " + service + " keeps about somebody",
		Description: "The part of `GET /api/personal-data/{id}` that " + service + " answers.", Answer: examples,
	}, func(ctx context.Context, in *PersonOf) (*List[market.PersonalRecord], error) {
		return PersonalList(data.PersonalData(ctx, market.UserID(in.ID))), nil
	})
}

// PersonalList answers with everything that a walk gives.
func PersonalList(records iter.Seq2[market.PersonalRecord, error]) *List[market.PersonalRecord] {
	return &List[market.PersonalRecord]{ID: func(market.PersonalRecord) int64 { return 0 }, Items: records}
}

type tokenKey struct{}

// PassToken gives an outgoing request the token of the caller on whose behalf it
// is made, where the operation is one that asks others in its caller's name.
func PassToken(ctx context.Context, out http.Header) {
	if token, ok := ctx.Value(tokenKey{}).(string); ok {
		out.Set("Authorization", token)
	}
}
