package accounts

import (
	"context"
	"net/http"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

func signingKeyRoutes(g *httpapi.Group, h handlers) {
	httpapi.Register(g, httpapi.Operation{
		ID: "list-signing-keys", Method: http.MethodGet, Path: "/api/signing-keys", Access: httpapi.RunShop,
		Summary: "List the keys that sign tokens", Description: "What `emporium keys list` shows: newest first.", Answer: signingKeysBody{[]signingKeyBody{exampleKey}},
	}, h.signingKeys)
	httpapi.Register(g, httpapi.Operation{
		ID: "rotate-signing-key", Method: http.MethodPost, Path: "/api/signing-keys", Access: httpapi.RunShop, Status: http.StatusCreated,
		Errors:  []int{http.StatusConflict},
		Summary: "Make another key", Description: "What `emporium keys rotate` asks for. It is published at once and signs ten seconds later; the one before is taken until its last token is over.",
		Answer: exampleKey,
	}, h.rotateKey)
	httpapi.Register(g, httpapi.Operation{
		ID: "retire-signing-key", Method: http.MethodDelete, Path: "/api/signing-keys/{kid}", Access: httpapi.RunShop, Errors: []int{http.StatusConflict},
		Summary: "Take a key away", Description: "What `emporium keys retire` asks for. The tokens that it signed end. One that signs cannot be taken away.",
	}, h.retireKey)
}

const exampleKeyID = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

var exampleKey = signingKeyBody{ID: exampleKeyID, State: "signing"}

type signingKeysBody struct {
	Keys []signingKeyBody `json:"keys"`
}

type signingKeyBody struct {
	ID    string      `json:"kid"`
	State string      `json:"state" enum:"next,signing,old" doc:"next: published, and about to sign. old: taken, and signing no longer."`
	Made  market.Time `json:"created_at"`
	Signs market.Time `json:"signs_at"`
	Until market.Time `json:"until,omitzero" doc:"When the last token that it signed is over."`
}

func showKey(k SigningKey) signingKeyBody {
	body := signingKeyBody{ID: k.ID, State: k.State, Made: market.At(k.Made), Signs: market.At(k.Signs)}
	if !k.Until.IsZero() {
		body.Until = market.At(k.Until.Add(time.Millisecond - time.Nanosecond))
	}
	return body
}

func (h handlers) signingKeys(ctx context.Context, _ *struct{}) (*httpapi.Plain[signingKeysBody], error) {
	keys, err := h.service.SigningKeys(ctx)
	body := signingKeysBody{Keys: []signingKeyBody{}}
	for _, k := range keys {
		body.Keys = append(body.Keys, showKey(k))
	}
	return &httpapi.Plain[signingKeysBody]{Body: body}, err
}

func (h handlers) rotateKey(ctx context.Context, _ *struct{}) (*httpapi.Plain[signingKeyBody], error) {
	made, err := h.service.RotateKey(ctx)
	return &httpapi.Plain[signingKeyBody]{Body: showKey(made)}, err
}

// SigningKeyID is the id in a path.
type SigningKeyID struct {
	ID string `path:"kid" noun:"Key ID" doc:"The thumbprint of the key." example:"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"`
}

func (h handlers) retireKey(ctx context.Context, in *SigningKeyID) (*httpapi.Nothing, error) {
	return &httpapi.Nothing{}, h.service.RetireKey(ctx, in.ID)
}
