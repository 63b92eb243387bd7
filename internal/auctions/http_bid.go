package auctions

import (
	"context"
	"net/http"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

func bidRoutes(g *httpapi.Group, h handlers) {
	httpapi.RegisterObject(g, httpapi.Operation{
		ID: "list-bids", Method: http.MethodGet, Path: root + "/bids", Access: httpapi.ReadCatalogue,
		Summary: "List the bids", Description: "All bids on all items, keyed by id, in id order.",
		Answer: map[string]bidBody{"bid1": exampleBid},
	}, h.bids)
	httpapi.Register(g, httpapi.Operation{
		ID: "place-bid", Method: http.MethodPost, Path: root + "/bids", Access: httpapi.PlaceBid, Once: true, Status: http.StatusCreated,
		Summary: "Place a bid", Description: "Records a bid. The highest bid on an item wins, and the earlier of two equal ones; a lower one is recorded and does not win.",
		Example: map[string]any{"bid": exampleBid.Bid}, Answer: exampleBid,
	}, h.placeBid)
	httpapi.Register(g, httpapi.Operation{
		ID: "get-bid", Method: http.MethodGet, Path: root + "/bids/{id}", Access: httpapi.ReadCatalogue,
		Summary: "Show a bid", Description: "One bid by its id.", Answer: exampleBid,
	}, h.bid)
	httpapi.Register(g, httpapi.Operation{
		ID: "update-bid", Method: http.MethodPut, Path: root + "/bids/{id}", Access: httpapi.WriteCatalogue, Status: http.StatusCreated,
		Summary: "Change a bid", Description: "Changes the value or the user of a bid; it stays on its item. A new value counts as bid now, and the winner is chosen again.",
		Example: map[string]any{"bid": map[string]any{"value": 180.5}}, Answer: exampleBid,
	}, h.changeBid)
	httpapi.Register(g, httpapi.Operation{
		ID: "delete-bid", Method: http.MethodDelete, Path: root + "/bids/{id}", Access: httpapi.WriteCatalogue,
		Summary: "Take a bid back", Description: "Deletes a bid. When it was winning, the next winner is chosen. Its id is never used again.",
	}, h.removeBid)
}

type bidFields struct {
	Item  ItemID       `json:"item" example:"item1"`
	Value market.Money `json:"value" example:"180.5"`
	User  UserID       `json:"user" example:"user1"`
}

type bidBody struct {
	ID  BidID     `json:"bid_id" example:"bid1"`
	Bid bidFields `json:"bid"`
}

var exampleBid = bidBody{ID: 1, Bid: bidFields{Item: 1, Value: 18050, User: 1}}

// OfferID is the id of a bid in a path.
type OfferID struct {
	ID BidID `path:"id" noun:"Bid ID" example:"bid1"`
}

func (h handlers) bids(ctx context.Context, in *httpapi.PageInput) (*httpapi.Object[bidBody], error) {
	page := in.Page()
	bids := h.service.Bids(ctx, httpapi.Ahead(page))
	return httpapi.NewObject(page, bids, func(b Bid) httpapi.Keyed[bidBody] {
		return httpapi.Keyed[bidBody]{Key: b.ID.String(), ID: int64(b.ID), Value: showBid(b)}
	}), nil
}

type newBid struct {
	Bid newBidFields `json:"bid"`
}

type newBidFields struct {
	Item  string             `json:"item" example:"item1"`
	Value httpapi.Number     `json:"value" doc:"More than 0, below 1000000000000, with up to two decimals."`
	User  market.Opt[string] `json:"user" required:"false" required-in:"open" example:"user1" doc:"Who bids. In protected mode one's own bidder, made with the first bid, and may be left out; in open mode required."`
}

func (h handlers) placeBid(ctx context.Context, in *struct{ Body newBid }) (*httpapi.Created[bidBody], error) {
	given := in.Body.Bid
	b, err := h.service.PlaceBid(ctx, NewBid{Item: given.Item, User: given.User.Value, Value: string(given.Value)})
	if err != nil {
		return nil, err
	}
	return &httpapi.Created[bidBody]{Location: root + "/bids/" + b.ID.String(), ETag: httpapi.ETag(b.Version), Body: showBid(b)}, nil
}

func (h handlers) bid(ctx context.Context, in *OfferID) (*httpapi.Thing[bidBody], error) {
	return bidThing(h.service.Bid(ctx, in.ID))
}

type bidUpdate struct {
	ID  market.Opt[string] `json:"bid_id,omitzero" doc:"Read-only: accepted when it is the id that the bid has."`
	Bid bidUpdateFields    `json:"bid"`
}

type bidUpdateFields struct {
	Item  market.Opt[string]         `json:"item,omitzero" example:"item1" doc:"Read-only: a bid stays on its item."`
	Value market.Opt[httpapi.Number] `json:"value,omitzero" doc:"More than 0, below 1000000000000, with up to two decimals."`
	User  market.Opt[string]         `json:"user,omitzero" example:"user1"`
}

type bidChange struct {
	OfferID
	httpapi.IfMatch
	Body bidUpdate
}

func (h handlers) changeBid(ctx context.Context, in *bidChange) (*httpapi.Thing[bidBody], error) {
	given := in.Body.Bid
	change := BidChange{ID: in.Body.ID, Item: given.Item, User: given.User}
	if given.Value.Set {
		change.Value = market.Some(string(given.Value.Value))
	}
	return bidThing(h.service.ChangeBid(ctx, in.ID, change, in.If))
}

type bidRemoval struct {
	OfferID
	httpapi.IfMatch
}

func (h handlers) removeBid(ctx context.Context, in *bidRemoval) (*httpapi.Nothing, error) {
	return &httpapi.Nothing{}, h.service.RemoveBid(ctx, in.ID, in.If)
}

func bidThing(b Bid, err error) (*httpapi.Thing[bidBody], error) {
	if err != nil {
		return nil, err
	}
	return &httpapi.Thing[bidBody]{ETag: httpapi.ETag(b.Version), Body: showBid(b)}, nil
}

func showBid(b Bid) bidBody {
	return bidBody{ID: b.ID, Bid: bidFields{Item: b.Item, Value: b.Value, User: b.User}}
}
