package apitest

import (
	"context"
	"strconv"
	"strings"

	"emporium/internal/market"
)

// Tokens takes "user-7" for the token of account 7 and "staff-7" for that of a
// staff member; no other token holds.
type Tokens struct{}

// Identify tells who such a token belongs to.
func (Tokens) Identify(_ context.Context, token string) (market.Identity, error) {
	role, number, _ := strings.Cut(token, "-")
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil || (role != "user" && role != "staff") {
		return market.Identity{}, market.Refuse(market.Unauthenticated, "bad_token", "the token does not hold: sign in again")
	}
	return market.Identity{User: market.UserID(id), Staff: role == "staff"}, nil
}
