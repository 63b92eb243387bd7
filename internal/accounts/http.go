package accounts

import (
	"context"
	"encoding/base64"
	"net/http"
	"strconv"

	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/httpapi"
)

// System says how the clients of the accounts expect them to speak.
func System() httpapi.System {
	return httpapi.System{
		Name: "accounts", Tag: "Accounts", ErrorAlias: "message",
		Description: "Who people are: signing up, signing in, and the keys that prove a token.",
	}
}

// Routes declares the operations. Without a service they are only documented.
func Routes(g *httpapi.Group, s *Service) {
	h := handlers{s}
	httpapi.RegisterList(g, httpapi.Operation{
		ID: "list-accounts", Method: http.MethodGet, Path: "/api/user", Access: httpapi.ReadAccounts,
		Summary: "List the accounts", Description: "All accounts in id order.", Answer: []accountBody{example},
	}, h.list)
	httpapi.Register(g, httpapi.Operation{
		ID: "create-account", Method: http.MethodPost, Path: "/api/user", Access: httpapi.SignUp, Status: http.StatusCreated, Once: true, Attempt: httpapi.SigningUp,
		Summary: "Sign up", Description: "Makes an account. A mail that has one, whatever its case, is a conflict.",
		Example: newAccountBody{example.FirstName, example.LastName, example.BirthDate, example.Mail, examplePassword}, Answer: example,
	}, h.create)
	httpapi.Register(g, httpapi.Operation{
		ID: "sign-in", Method: http.MethodPost, Path: "/api/user/auth", Access: httpapi.SignUp, Errors: []int{http.StatusUnauthorized}, Attempt: httpapi.SigningIn,
		Summary: "Sign in",
		Description: "Answers with a token for `Authorization: Bearer <token>`, good for 24 hours unless set otherwise. " +
			"With `refresh=1` the token holds for minutes, and a refresh token comes with it that gets the next ones.",
		Example: signInBody{example.Mail, examplePassword}, Answer: tokenBody{AccessToken: exampleToken},
	}, h.signIn)
	httpapi.Register(g, httpapi.Operation{
		ID: "get-account", Method: http.MethodGet, Path: "/api/user/{id}", Access: httpapi.ReadAccounts,
		Summary: "Show an account", Description: "One account by its id. Passwords are never shown.", Answer: example,
	}, h.get)
	httpapi.Register(g, httpapi.Operation{
		ID: "update-account", Method: http.MethodPut, Path: "/api/user/{id}", Access: httpapi.WriteAccount,
		Summary: "Change an account", Description: "Changes the fields that the body carries. The mail and the password stay as they are.",
		Example: map[string]any{"lastName": example.LastName}, Answer: example,
	}, h.update)
	httpapi.Register(g, httpapi.Operation{
		ID: "delete-account", Method: http.MethodDelete, Path: "/api/user/{id}", Access: httpapi.WriteAccount,
		Summary: "Delete an account", Description: "Ends an account and its tokens. Its properties go with it; its bids stay, under a name that says nothing.",
		Answer: deletedBody{"Success", []int64{1}},
	}, h.remove)
	httpapi.Register(g, httpapi.Operation{
		ID: "get-keys", Method: http.MethodGet, Path: "/.well-known/jwks.json", Access: httpapi.ReadKeys,
		Summary: "Show the keys", Description: "The public keys that tokens are signed with (RFC 7517), for whoever checks them.",
		Answer: keysBody{[]keyBody{{"OKP", "Ed25519", "EdDSA", "sig", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}},
	}, h.keys)
	staffRoutes(g, h)
	sessionRoutes(g, h)
	passwordRoutes(g, h)
	apiKeyRoutes(g, h)
	signingKeyRoutes(g, h)
	personalRoutes(g, s)
}

type handlers struct{ service *Service }

type accountBody struct {
	ID        int64  `json:"userId" example:"1"`
	FirstName string `json:"firstName" example:"Zoé"`
	LastName  string `json:"lastName" example:"Martin"`
	BirthDate string `json:"birthDate" format:"date" example:"1990-04-23"`
	Mail      string `json:"mail" example:"zoe@example.com"`
}

var example = accountBody{ID: 1, FirstName: "Zoé", LastName: "Martin", BirthDate: "1990-04-23", Mail: "zoe@example.com"}

const examplePassword = "correct horse battery staple"

func show(a Account) accountBody {
	return accountBody{ID: int64(a.ID), FirstName: a.FirstName, LastName: a.LastName, BirthDate: a.BirthDate, Mail: a.Mail}
}

func (h handlers) list(ctx context.Context, in *httpapi.PageInput) (*httpapi.List[accountBody], error) {
	accounts := h.service.Accounts(ctx, httpapi.Ahead(in.Page()))
	return httpapi.NewList(in.Page(), func(a accountBody) int64 { return a.ID }, accounts, show), nil
}

type newAccountBody struct {
	FirstName string `json:"firstName" minLength:"1" maxLength:"255"`
	LastName  string `json:"lastName" minLength:"1" maxLength:"255"`
	BirthDate string `json:"birthDate" format:"date" doc:"YYYY-MM-DD, from 1900-01-01 to today."`
	Mail      string `json:"mail" minLength:"1" maxLength:"255" doc:"Unique, whatever its case."`
	Password  string `json:"password" format:"password" writeOnly:"true" minLength:"1" maxLength:"255" doc:"Never shown again."`
}

func (h handlers) create(ctx context.Context, in *struct{ Body newAccountBody }) (*httpapi.Created[accountBody], error) {
	a, err := h.service.SignUp(ctx, Newcomer{
		FirstName: in.Body.FirstName, LastName: in.Body.LastName, BirthDate: in.Body.BirthDate,
		Mail: in.Body.Mail, Password: in.Body.Password,
	})
	if err != nil {
		return nil, err
	}
	return &httpapi.Created[accountBody]{
		Location: "/api/user/" + strconv.FormatInt(int64(a.ID), 10), ETag: httpapi.ETag(a.Version), Body: show(a),
	}, nil
}

type signInBody struct {
	Mail     string `json:"mail" minLength:"1" maxLength:"255"`
	Password string `json:"password" format:"password" writeOnly:"true" minLength:"1" maxLength:"255"`
}

// Subject is the mail that a password is tried for.
func (in *signInInput) Subject() string { return database.Fold(in.Body.Mail) }

type tokenBody struct {
	AccessToken  string `json:"access_token" doc:"A JWT (RFC 7519), signed with EdDSA."`
	RefreshToken string `json:"refresh_token,omitzero" doc:"Only when it was asked for. Good for one renewal."`
	ExpiresIn    int64  `json:"expires_in,omitzero" doc:"Likewise: how long the access token holds, in seconds."`
}

const exampleToken = "eyJhbGciOiJFZERTQSIsImtpZCI6Ij…"

type signInInput struct {
	Refresh httpapi.Flag `query:"refresh" doc:"1 asks for a short token with a refresh token."`
	Body    signInBody
}

func (h handlers) signIn(ctx context.Context, in *signInInput) (*httpapi.Plain[tokenBody], error) {
	c := Credentials{Mail: in.Body.Mail, Password: in.Body.Password}
	if in.Refresh {
		return showTokens(h.service.StartSession(ctx, c))
	}
	token, err := h.service.SignIn(ctx, c)
	return &httpapi.Plain[tokenBody]{Body: tokenBody{AccessToken: token}}, err
}

func showTokens(t Tokens, err error) (*httpapi.Plain[tokenBody], error) {
	return &httpapi.Plain[tokenBody]{Body: tokenBody{t.Access, t.Refresh, seconds(t.Life)}}, err
}

// UserID is the id in a path.
type UserID struct {
	ID int64 `path:"id" noun:"User ID" example:"1"`
}

func (h handlers) get(ctx context.Context, in *UserID) (*httpapi.Thing[accountBody], error) {
	return thing(h.service.Account(ctx, market.UserID(in.ID)))
}

type updateInput struct {
	UserID
	httpapi.IfMatch
	Body accountChangeBody
}

type accountChangeBody struct {
	ID        market.Opt[httpapi.Int] `json:"userId,omitzero" doc:"Read-only: accepted when it is the id that the account has."`
	FirstName market.Opt[string]      `json:"firstName,omitzero" minLength:"1" maxLength:"255"`
	LastName  market.Opt[string]      `json:"lastName,omitzero" minLength:"1" maxLength:"255"`
	BirthDate market.Opt[string]      `json:"birthDate,omitzero" format:"date"`
	Mail      market.Opt[string]      `json:"mail,omitzero" doc:"Read-only: accepted when it is the mail that the account has."`
	Password  market.Opt[string]      `json:"password,omitzero" format:"password" writeOnly:"true" doc:"Never accepted here."`
}

func (h handlers) update(ctx context.Context, in *updateInput) (*httpapi.Thing[accountBody], error) {
	b := in.Body
	return thing(h.service.ChangeAccount(ctx, market.UserID(in.ID), Change{
		ID: httpapi.Integer(b.ID), FirstName: b.FirstName, LastName: b.LastName, BirthDate: b.BirthDate,
		Mail: b.Mail, Password: b.Password.Set,
	}, in.If))
}

type removeInput struct {
	UserID
	httpapi.IfMatch
}

type deletedBody struct {
	Status string  `json:"status" enum:"Success"`
	ID     []int64 `json:"id"`
}

func (h handlers) remove(ctx context.Context, in *removeInput) (*httpapi.Plain[deletedBody], error) {
	err := h.service.DeleteAccount(ctx, market.UserID(in.ID), in.If)
	return &httpapi.Plain[deletedBody]{Body: deletedBody{"Success", []int64{in.ID}}}, err
}

// keysBody is a JWK Set (RFC 7517) of Ed25519 keys (RFC 8037); client.go reads
// it back.
type keysBody struct {
	Keys []keyBody `json:"keys"`
}

type keyBody struct {
	Type      string `json:"kty" enum:"OKP"`
	Curve     string `json:"crv" enum:"Ed25519"`
	Algorithm string `json:"alg" enum:"EdDSA"`
	Use       string `json:"use" enum:"sig"`
	ID        string `json:"kid" doc:"The thumbprint of the key (RFC 7638)."`
	Public    string `json:"x" doc:"The key, in base64url without padding."`
}

func (h handlers) keys(ctx context.Context, _ *struct{}) (*httpapi.Plain[keysBody], error) {
	keys, err := h.service.keys(ctx)
	if err != nil {
		return nil, err
	}
	body := keysBody{Keys: []keyBody{}}
	for i := range keys.keys {
		body.Keys = append(body.Keys, keyBody{
			Type: "OKP", Curve: "Ed25519", Algorithm: "EdDSA", Use: "sig",
			ID: keys.keys[i].id, Public: base64.RawURLEncoding.EncodeToString(keys.keys[i].public),
		})
	}
	return &httpapi.Plain[keysBody]{Body: body}, nil
}

func thing(a Account, err error) (*httpapi.Thing[accountBody], error) {
	if err != nil {
		return nil, err
	}
	return &httpapi.Thing[accountBody]{ETag: httpapi.ETag(a.Version), Body: show(a)}, nil
}
