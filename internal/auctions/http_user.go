package auctions

import (
	"context"
	"hash/fnv"
	"net/http"
	"strconv"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

func userRoutes(g *httpapi.Group, h handlers) {
	httpapi.RegisterObject(g, httpapi.Operation{
		ID: "list-bidders", Method: http.MethodGet, Path: root + "/users", Access: httpapi.ReadCatalogue,
		Summary: "List the bidders", Description: "All bidders, keyed by id, in id order.",
		Answer: map[string]bidderName{"user1": exampleName},
	}, h.users)
	httpapi.Register(g, httpapi.Operation{
		ID: "create-bidder", Method: http.MethodPost, Path: root + "/users", Access: httpapi.WriteCatalogue, Once: true, Status: http.StatusCreated,
		Summary: "Add a bidder", Description: "Adds a bidder and answers with it.",
		Example: exampleName, Answer: exampleBidder,
	}, h.addUser)
	httpapi.Register(g, httpapi.Operation{
		ID: "get-bidder", Method: http.MethodGet, Path: root + "/users/{id}", Access: httpapi.ReadCatalogue,
		Summary: "Show a bidder", Description: "One bidder by its id.", Answer: exampleName,
	}, h.user)
	httpapi.Register(g, httpapi.Operation{
		ID: "update-bidder", Method: http.MethodPut, Path: root + "/users/{id}", Access: httpapi.WriteCatalogue, Status: http.StatusCreated,
		Summary: "Rename a bidder", Description: "Gives a bidder another name.",
		Example: exampleName, Answer: exampleBidder,
	}, h.changeUser)
	httpapi.Register(g, httpapi.Operation{
		ID: "delete-bidder", Method: http.MethodDelete, Path: root + "/users/{id}", Access: httpapi.WriteCatalogue,
		Summary: "Remove a bidder", Description: "Takes a bidder away with all of its bids. The winners of their items are chosen again. Its id is never used again.",
	}, h.removeUser)
	httpapi.Register(g, httpapi.Operation{
		ID: "list-items-of-bidder", Method: http.MethodGet, Path: root + "/users/{id}/items", Access: httpapi.ReadCatalogue,
		Summary: "List what a bidder has bid on", Description: "Every item that the bidder has a bid on, each once, in the order of the first of these bids.",
		Answer: bidderItems{Name: "Albert", Items: []ItemID{1}},
	}, h.itemsOf)
}

type bidderName struct {
	Name string `json:"name" example:"Albert"`
}

type bidderBody struct {
	ID   UserID `json:"user_id" example:"user1"`
	Name string `json:"name" example:"Albert"`
}

type bidderItems struct {
	Name  string   `json:"name" example:"Albert"`
	Items []ItemID `json:"items_bid" doc:"The ids of the items, in the order of first bids."`
}

var (
	exampleName   = bidderName{Name: "Albert"}
	exampleBidder = bidderBody{ID: 1, Name: "Albert"}
)

// BidderID is the id of a bidder in a path.
type BidderID struct {
	ID UserID `path:"id" noun:"User ID" example:"user1"`
}

func (h handlers) users(ctx context.Context, in *httpapi.PageInput) (*httpapi.Object[bidderName], error) {
	page := in.Page()
	users := h.service.Users(ctx, httpapi.Ahead(page))
	return httpapi.NewObject(page, users, func(u User) httpapi.Keyed[bidderName] {
		return httpapi.Keyed[bidderName]{Key: u.ID.String(), ID: int64(u.ID), Value: bidderName{Name: u.Name}}
	}), nil
}

type newBidder struct {
	Name    string                  `json:"name" minLength:"1" maxLength:"1000"`
	Account market.Opt[httpapi.Int] `json:"account_id,omitzero" doc:"The account that the bidder belongs to: the userId of whoever signs in, or any for staff. When it is deleted, the bids stay under a name that says nothing."`
}

func (h handlers) addUser(ctx context.Context, in *struct{ Body newBidder }) (*httpapi.Created[bidderBody], error) {
	u, err := h.service.AddUser(ctx, NewUser{Name: in.Body.Name, Account: market.UserID(in.Body.Account.Value)})
	if err != nil {
		return nil, err
	}
	return &httpapi.Created[bidderBody]{Location: root + "/users/" + u.ID.String(), ETag: httpapi.ETag(u.Version), Body: showUser(u)}, nil
}

func (h handlers) user(ctx context.Context, in *BidderID) (*httpapi.Thing[bidderName], error) {
	u, err := h.service.User(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &httpapi.Thing[bidderName]{ETag: httpapi.ETag(u.Version), Body: bidderName{Name: u.Name}}, nil
}

type bidderUpdate struct {
	Name string             `json:"name" minLength:"1" maxLength:"1000"`
	ID   market.Opt[string] `json:"user_id,omitzero" doc:"Read-only: accepted when it is the id that the bidder has."`
}

type bidderChange struct {
	BidderID
	httpapi.IfMatch
	Body bidderUpdate
}

func (h handlers) changeUser(ctx context.Context, in *bidderChange) (*httpapi.Thing[bidderBody], error) {
	u, err := h.service.ChangeUser(ctx, in.ID, UserChange{ID: in.Body.ID, Name: in.Body.Name}, in.If)
	if err != nil {
		return nil, err
	}
	return &httpapi.Thing[bidderBody]{ETag: httpapi.ETag(u.Version), Body: showUser(u)}, nil
}

type bidderRemoval struct {
	BidderID
	httpapi.IfMatch
}

func (h handlers) removeUser(ctx context.Context, in *bidderRemoval) (*httpapi.Nothing, error) {
	return &httpapi.Nothing{}, h.service.RemoveUser(ctx, in.ID, in.If)
}

func (h handlers) itemsOf(ctx context.Context, in *BidderID) (*httpapi.Thing[bidderItems], error) {
	u, items, err := h.service.ItemsOf(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &httpapi.Thing[bidderItems]{ETag: httpapi.ETag(u.Version, hashOf(items)), Body: bidderItems{Name: u.Name, Items: items}}, nil
}

// hashOf tells lists of items apart: nothing counts how often a bidder's list
// has changed.
func hashOf(items []ItemID) string {
	h := fnv.New64a()
	var text []byte
	for _, id := range items {
		text = append(appendID(text[:0], itemPrefix, int64(id)), ',')
		_, _ = h.Write(text)
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

func showUser(u User) bidderBody { return bidderBody{ID: u.ID, Name: u.Name} }
