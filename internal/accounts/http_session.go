package accounts

import (
	"context"
	"net/http"
	"strings"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

func sessionRoutes(g *httpapi.Group, h handlers) {
	httpapi.Register(g, httpapi.Operation{
		ID: "refresh-token", Method: http.MethodPost, Path: "/api/user/refresh", Access: httpapi.SignUp, Errors: []int{http.StatusUnauthorized}, Attempt: httpapi.Renewing,
		Summary: "Renew a token",
		Description: "Gives the next access token, and the next refresh token. A refresh token is good once: the same one again within ten seconds gets " +
			"the same successor, for a client that lost the answer; later it ends the session, since somebody else has it, too.",
		Example: refreshBody{exampleRefresh}, Answer: tokenBody{exampleToken, exampleRefresh, 900},
	}, h.refresh)
	httpapi.Register(g, httpapi.Operation{
		ID: "sign-out", Method: http.MethodPost, Path: "/api/user/sign-out", Access: httpapi.OwnSession, Keys: httpapi.NoKeys,
		Summary: "Sign out",
		Description: "Ends the token that is sent, with its session; with `everywhere=1` all tokens and sessions of the account. " +
			"It is known in all processes within five seconds. API keys stay.",
	}, h.signOut)
	httpapi.Register(g, httpapi.Operation{
		ID: "list-revocations", Method: http.MethodGet, Path: "/api/user/revocations", Access: httpapi.ReadRevocations,
		Summary: "List what ended", Description: "What ended before its time, for processes that check tokens by themselves: what was added after a place, a thousand at most.",
		Answer: revocationsBody{Last: 1, Keys: []string{exampleKeyID}, List: []revocationBody{{ID: 1, User: 1, Token: "mgc6H3LeZ8BYy3cVB_wKkA"}}},
	}, h.revocations)
}

const exampleRefresh = "emr_mgc6H3LeZ8BYy3cVB_wKkA.0.…"

type refreshBody struct {
	RefreshToken string `json:"refresh_token" format:"password" writeOnly:"true" minLength:"1" maxLength:"255"`
}

func (h handlers) refresh(ctx context.Context, in *struct{ Body refreshBody }) (*httpapi.Plain[tokenBody], error) {
	return showTokens(h.service.Refresh(ctx, in.Body.RefreshToken))
}

type signOutInput struct {
	Everywhere    httpapi.Flag `query:"everywhere" doc:"1 ends all tokens and sessions of the account."`
	Authorization string       `header:"Authorization" hidden:"true"`
}

func (h handlers) signOut(ctx context.Context, in *signOutInput) (*httpapi.Nothing, error) {
	if in.Everywhere {
		return &httpapi.Nothing{}, h.service.SignOutEverywhere(ctx)
	}
	_, token, _ := strings.Cut(in.Authorization, " ")
	return &httpapi.Nothing{}, h.service.SignOut(ctx, strings.TrimSpace(token))
}

type revocationsInput struct {
	After int64 `query:"after" minimum:"0" maximum:"9007199254740991" doc:"The place of the last one that is known."`
}

// revocationsBody is read back by client.go.
type revocationsBody struct {
	Last int64            `json:"last" doc:"The place that was given last."`
	Keys []string         `json:"keys" doc:"The keys that tokens may be signed with."`
	List []revocationBody `json:"revocations"`
}

type revocationBody struct {
	ID         int64       `json:"id" doc:"Its place."`
	User       int64       `json:"user_id"`
	Token      string      `json:"token_id" doc:"A token's jti or a session's sid; empty for every token of an older generation."`
	Generation int64       `json:"generation"`
	Expires    market.Time `json:"expires_at" doc:"When what it ends would be over anyhow."`
}

func (h handlers) revocations(ctx context.Context, in *revocationsInput) (*httpapi.Plain[revocationsBody], error) {
	found, err := h.service.Revocations(ctx, in.After)
	body := revocationsBody{Last: found.Last, Keys: found.Keys, List: []revocationBody{}}
	for _, r := range found.List {
		body.List = append(body.List, revocationBody{r.ID, int64(r.User), r.Token, r.Generation, r.Expires})
	}
	return &httpapi.Plain[revocationsBody]{Body: body}, err
}
