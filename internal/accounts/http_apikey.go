package accounts

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

func apiKeyRoutes(g *httpapi.Group, h handlers) {
	httpapi.RegisterList(g, httpapi.Operation{
		ID: "list-api-keys", Method: http.MethodGet, Path: "/api/user/{id}/keys", Access: httpapi.OwnKeys, Keys: httpapi.NoKeys,
		Summary: "List the API keys of an account", Description: "In id order. The keys themselves are not shown again.", Answer: []apiKeyBody{exampleAPIKey},
	}, h.apiKeys)
	httpapi.Register(g, httpapi.Operation{
		ID: "create-api-key", Method: http.MethodPost, Path: "/api/user/{id}/keys", Access: httpapi.OwnKeys, Keys: httpapi.NoKeys,
		Status: http.StatusCreated, Once: true, Errors: []int{http.StatusConflict},
		Summary: "Make an API key",
		Description: "A key by which a machine acts as the account, sent like a token: `Authorization: Bearer emk_…`. It is shown in this answer alone; " +
			"a repeat by its `Idempotency-Key` makes no second one, and leaves `key` out.",
		Example: map[string]any{"name": "till 3", "scopes": "coupons:read purchases:write"}, Answer: exampleAPIKey.with("emk_…"),
	}, h.makeAPIKey)
	httpapi.Register(g, httpapi.Operation{
		ID: "revoke-api-key", Method: http.MethodDelete, Path: "/api/user/{id}/keys/{key}", Access: httpapi.OwnKeys, Keys: httpapi.NoKeys,
		Summary: "Revoke an API key", Description: "It is known in all processes within five seconds.",
	}, h.revokeAPIKey)
	httpapi.Register(g, httpapi.Operation{
		ID: "show-api-key", Method: http.MethodGet, Path: "/api/user/key", Access: httpapi.OwnSession, Keys: httpapi.AnyKey, Errors: []int{http.StatusNotFound},
		Summary: "Show the API key that is sent", Description: "Whose it is and what it may do. Other processes ask this of the accounts.",
		Answer: ownKeyBody{ID: 1, User: 1, Scopes: exampleAPIKey.Scopes},
	}, h.ownAPIKey)
}

var exampleAPIKey = apiKeyBody{ID: 1, User: 1, Name: "till 3", Scopes: "coupons:read purchases:write", Hint: "5dGQ", By: 1}

type apiKeyBody struct {
	ID      int64       `json:"keyId"`
	User    int64       `json:"userId" doc:"Who acts by it."`
	Name    string      `json:"name"`
	Scopes  string      `json:"scopes" doc:"With spaces between them."`
	Hint    string      `json:"hint" doc:"The last four characters of the key."`
	By      int64       `json:"created_by" doc:"Who made it."`
	Made    market.Time `json:"created_at"`
	Expires market.Time `json:"expires_at"`
	Used    market.Time `json:"last_used_at,omitzero" doc:"To the hour. Left out while it was never used."`
	Key     string      `json:"key,omitzero" doc:"The key itself: when it is made, and never again."`
}

func (b apiKeyBody) with(key string) apiKeyBody {
	b.Key = key
	return b
}

func showAPIKey(k APIKey) apiKeyBody {
	return apiKeyBody{
		ID: k.ID, User: int64(k.User), Name: k.Name, Scopes: string(k.Scopes), Hint: k.Hint, By: int64(k.By),
		Made: k.Made, Expires: k.Expires, Used: k.Used, Key: k.Key,
	}
}

type apiKeysInput struct {
	UserID
	httpapi.PageInput
}

func (h handlers) apiKeys(ctx context.Context, in *apiKeysInput) (*httpapi.List[apiKeyBody], error) {
	keys, err := h.service.APIKeys(ctx, market.UserID(in.ID), httpapi.Ahead(in.Page()))
	if err != nil {
		return nil, err
	}
	return httpapi.NewList(in.Page(), func(k apiKeyBody) int64 { return k.ID }, keys, showAPIKey), nil
}

type makeAPIKeyBody struct {
	Name    string             `json:"name" minLength:"1" maxLength:"100"`
	Scopes  string             `json:"scopes" minLength:"1" maxLength:"1000" doc:"With spaces between them, such as coupons:read and coupons:write for each service, *:read, *:write, and staff for a key of a staff member that acts as one."`
	Expires market.Opt[string] `json:"expires_at,omitzero" format:"date-time" doc:"At most 366 days from now; 90 days when it is left out."`
}

type makeAPIKeyInput struct {
	UserID
	Body makeAPIKeyBody
}

func (h handlers) makeAPIKey(ctx context.Context, in *makeAPIKeyInput) (*httpapi.Created[apiKeyBody], error) {
	made, err := h.service.MakeAPIKey(ctx, NewAPIKey{User: market.UserID(in.ID), Name: in.Body.Name, Scopes: in.Body.Scopes, Expires: in.Body.Expires})
	if err != nil {
		return nil, err
	}
	return &httpapi.Created[apiKeyBody]{
		Location: "/api/user/" + strconv.FormatInt(in.ID, 10) + "/keys/" + strconv.FormatInt(made.ID, 10),
		Body:     showAPIKey(made),
	}, nil
}

type revokeAPIKeyInput struct {
	UserID
	Key int64 `path:"key" noun:"Key ID" example:"1"`
}

func (h handlers) revokeAPIKey(ctx context.Context, in *revokeAPIKeyInput) (*httpapi.Nothing, error) {
	return &httpapi.Nothing{}, h.service.RevokeAPIKey(ctx, market.UserID(in.ID), in.Key)
}

type ownKeyInput struct {
	Authorization string `header:"Authorization" hidden:"true"`
}

// ownKeyBody is read back by client.go.
type ownKeyBody struct {
	ID      int64       `json:"keyId"`
	User    int64       `json:"userId"`
	Staff   bool        `json:"staff" doc:"It acts as a staff member."`
	Scopes  string      `json:"scopes" doc:"With spaces between them."`
	Expires market.Time `json:"expires_at"`
}

func (h handlers) ownAPIKey(ctx context.Context, in *ownKeyInput) (*httpapi.Plain[ownKeyBody], error) {
	_, text, _ := strings.Cut(in.Authorization, " ")
	key, err := h.service.ownKey(ctx, strings.TrimSpace(text))
	body := ownKeyBody{key.apiKey, int64(key.user), key.staff, string(key.scopes), market.At(key.expires)}
	return &httpapi.Plain[ownKeyBody]{Body: body}, err
}
