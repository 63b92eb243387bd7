package auctions

import (
	"context"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

func itemRoutes(g *httpapi.Group, h handlers) {
	httpapi.RegisterObject(g, httpapi.Operation{
		ID: "list-auction-items", Method: http.MethodGet, Path: root + "/items", Access: httpapi.ReadCatalogue,
		Summary: "List the items", Description: "All items with the ids of their bids, keyed by id, in id order.",
		Answer: map[string]lotBody{"item1": exampleLot},
	}, h.items)
	httpapi.Register(g, httpapi.Operation{
		ID: "create-auction-item", Method: http.MethodPost, Path: root + "/items", Access: httpapi.WriteCatalogue, Once: true, Status: http.StatusCreated,
		Summary: "Add an item", Description: "Opens an item to bids and answers with it.",
		Example: map[string]any{"item": map[string]any{"name": "Violin"}}, Answer: lotWithID{ID: 1, Item: showItem(Item{Name: "Violin"})},
	}, h.addItem)
	httpapi.Register(g, httpapi.Operation{
		ID: "get-auction-item", Method: http.MethodGet, Path: root + "/items/{id}", Access: httpapi.ReadCatalogue,
		Summary: "Show an item", Description: "One item by its id, with the ids of its bids, with the bids themselves, or without them.", Answer: exampleLot,
	}, h.item)
	httpapi.Register(g, httpapi.Operation{
		ID: "update-auction-item", Method: http.MethodPut, Path: root + "/items/{id}", Access: httpapi.WriteCatalogue, Status: http.StatusCreated,
		Summary: "Rename an item", Description: "Gives an item another name. Its winner and bids may be in the body as they are.",
		Example: map[string]any{"item": map[string]any{"name": "Violin"}}, Answer: lotWithID{ID: 1, Item: exampleLot.Item},
	}, h.changeItem)
	httpapi.Register(g, httpapi.Operation{
		ID: "delete-auction-item", Method: http.MethodDelete, Path: root + "/items/{id}", Access: httpapi.WriteCatalogue,
		Summary: "Remove an item", Description: "Takes an item away with its bids. Its id is never used again.",
	}, h.removeItem)
}

// lot is an item as answers show it.
type lot struct {
	Name    string                             `json:"name" example:"Violin"`
	Winning *BidID                             `json:"winning" nullable:"true" example:"bid2" doc:"The winning bid; null while there is none."`
	Bids    httpapi.Either[[]BidID, []bidBody] `json:"bids,omitzero" doc:"The ids of its bids, or the bids themselves with complete=1."`
}

type lotBody struct {
	Item lot `json:"item"`
}

type lotWithID struct {
	ID   ItemID `json:"item_id" example:"item1"`
	Item lot    `json:"item"`
}

var exampleLot = lotBody{Item: showItem(Item{Name: "Violin", Winning: new(BidID(2)), Bids: []BidID{1, 2}})}

// LotID is the id of an item in a path.
type LotID struct {
	ID ItemID `path:"id" noun:"Item ID" example:"item1"`
}

func (h handlers) items(ctx context.Context, in *httpapi.PageInput) (*httpapi.Object[lotBody], error) {
	page := in.Page()
	items := h.service.Items(ctx, httpapi.Ahead(page))
	return httpapi.NewObject(page, items, func(i Item) httpapi.Keyed[lotBody] {
		return httpapi.Keyed[lotBody]{Key: i.ID.String(), ID: int64(i.ID), Value: lotBody{Item: showItem(i)}}
	}), nil
}

type newLot struct {
	Item newLotFields `json:"item"`
}

type newLotFields struct {
	Name string `json:"name" minLength:"1" maxLength:"1000" example:"Violin"`
}

func (h handlers) addItem(ctx context.Context, in *struct{ Body newLot }) (*httpapi.Created[lotWithID], error) {
	i, err := h.service.AddItem(ctx, NewItem{Name: in.Body.Item.Name})
	if err != nil {
		return nil, err
	}
	return &httpapi.Created[lotWithID]{
		Location: root + "/items/" + i.ID.String(), ETag: httpapi.ETag(i.Version), Body: lotWithID{ID: i.ID, Item: showItem(i)},
	}, nil
}

type lotQuery struct {
	LotID
	Complete    httpapi.Flag `query:"complete" doc:"1 shows each bid whole."`
	WinningOnly httpapi.Flag `query:"winningOnly" doc:"1 leaves the bids out, also with complete."`
}

// item shows one of three variants, each with an ETag of its own.
func (h handlers) item(ctx context.Context, in *lotQuery) (*httpapi.Thing[lotBody], error) {
	switch {
	case bool(in.WinningOnly):
		i, err := h.service.ItemAlone(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &httpapi.Thing[lotBody]{ETag: httpapi.ETag(i.Version, "winning"), Body: lotBody{Item: lot{Name: i.Name, Winning: i.Winning}}}, nil
	case bool(in.Complete):
		i, bids, err := h.service.ItemAndBids(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		shown := lot{Name: i.Name, Winning: i.Winning}
		shown.Bids.Second = new(make([]bidBody, 0, len(bids)))
		for _, b := range bids {
			*shown.Bids.Second = append(*shown.Bids.Second, showBid(b))
		}
		return &httpapi.Thing[lotBody]{ETag: httpapi.ETag(i.Version, "complete"), Body: lotBody{Item: shown}}, nil
	}
	i, err := h.service.Item(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &httpapi.Thing[lotBody]{ETag: httpapi.ETag(i.Version), Body: lotBody{Item: showItem(i)}}, nil
}

type lotUpdate struct {
	ID   market.Opt[string] `json:"item_id,omitzero" doc:"Read-only: accepted when it is the id that the item has."`
	Item lotFields          `json:"item"`
}

type lotFields struct {
	Name    market.Opt[string] `json:"name,omitzero" minLength:"1" maxLength:"1000" example:"Violin"`
	Winning market.Opt[string] `json:"winning,omitzero" nullable:"true" doc:"Read-only: accepted when it is the bid that wins."`
	Bids    jsontext.Value     `json:"bids,omitzero" doc:"Read-only: accepted when they are the bids that the item has, as their ids or whole."`
}

type lotChange struct {
	LotID
	httpapi.IfMatch
	Body lotUpdate
}

func (h handlers) changeItem(ctx context.Context, in *lotChange) (*httpapi.Thing[lotWithID], error) {
	given := in.Body.Item
	bids, err := bidsShown(given.Bids)
	if err != nil {
		return nil, err
	}
	i, err := h.service.ChangeItem(ctx, in.ID, ItemChange{ID: in.Body.ID, Name: given.Name, Winning: given.Winning, Bids: bids}, in.If)
	if err != nil {
		return nil, err
	}
	return &httpapi.Thing[lotWithID]{ETag: httpapi.ETag(i.Version), Body: lotWithID{ID: i.ID, Item: showItem(i)}}, nil
}

// bidsShown reads the bids of an item as an answer showed them: nil when they
// were left out.
func bidsShown(raw jsontext.Value) ([]BidShown, error) {
	if raw == nil {
		return nil, nil
	}
	wrong := market.Faults{{Location: "body.item.bids", Message: "item.bids must be an array of bids, as their ids or whole"}}.Err("invalid_body")
	var list []jsontext.Value
	if raw.Kind() != '[' || json.Unmarshal(raw, &list) != nil {
		return nil, wrong
	}
	bids := make([]BidShown, 0, len(list))
	for _, one := range list {
		var b BidShown
		if one.Kind() == '"' {
			if json.Unmarshal(one, &b.ID) != nil {
				return nil, wrong
			}
			bids = append(bids, b)
			continue
		}
		var whole struct {
			ID  string `json:"bid_id"`
			Bid struct {
				Item  string         `json:"item"`
				User  string         `json:"user"`
				Value jsontext.Value `json:"value"`
			} `json:"bid"`
		}
		if one.Kind() != '{' || json.Unmarshal(one, &whole) != nil {
			return nil, wrong
		}
		value := string(whole.Bid.Value)
		if whole.Bid.Value.Kind() == '"' && json.Unmarshal(whole.Bid.Value, &value) != nil {
			return nil, wrong
		}
		bids = append(bids, BidShown{ID: whole.ID, Whole: true, Item: whole.Bid.Item, User: whole.Bid.User, Value: value})
	}
	return bids, nil
}

type lotRemoval struct {
	LotID
	httpapi.IfMatch
}

func (h handlers) removeItem(ctx context.Context, in *lotRemoval) (*httpapi.Nothing, error) {
	return &httpapi.Nothing{}, h.service.RemoveItem(ctx, in.ID, in.If)
}

func showItem(i Item) lot {
	return lot{Name: i.Name, Winning: i.Winning, Bids: httpapi.Either[[]BidID, []bidBody]{First: &i.Bids}}
}
