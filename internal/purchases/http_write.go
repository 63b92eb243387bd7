package purchases

import (
	"context"
	"strconv"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

func (h handlers) addCustomer(ctx context.Context, in *struct{ Body customerBody }) (*httpapi.Created[oneCustomer], error) {
	c, err := h.service.AddUser(ctx, market.Customer{Username: in.Body.Username, Email: in.Body.Email})
	return &httpapi.Created[oneCustomer]{
		Location: "/api/users/" + segment(c.Username), ETag: unchanged, Body: oneCustomer{showCustomer(c)},
	}, err
}

type newProductBody struct {
	ID    market.Opt[httpapi.Int] `json:"id,omitzero" nullable:"true" doc:"Chosen, when there is one."`
	Face  string                  `json:"face" minLength:"1" maxLength:"255"`
	Size  httpapi.Int             `json:"size"`
	Price httpapi.Int             `json:"price" doc:"In cents."`
}

func (h handlers) addProduct(ctx context.Context, in *struct{ Body newProductBody }) (*httpapi.Created[oneProduct], error) {
	b := in.Body
	p, err := h.service.AddProduct(ctx, NewProduct{ID: httpapi.Integer(b.ID), Face: b.Face, Size: int64(b.Size), Price: int64(b.Price)})
	return &httpapi.Created[oneProduct]{
		Location: "/api/products/" + strconv.FormatInt(p.ID, 10), ETag: unchanged, Body: oneProduct{showProduct(p)},
	}, err
}

type newPurchaseBody struct {
	ID        market.Opt[httpapi.Int] `json:"id,omitzero" nullable:"true" doc:"Chosen, when there is one."`
	ProductID httpapi.Int             `json:"product_id"`
	Username  string                  `json:"username"`
	Date      market.Opt[string]      `json:"date,omitzero" nullable:"true" format:"date-time" doc:"In any form of RFC 3339; kept in milliseconds. Now, when there is none."`
}

// addPurchase answers without a Location: a purchase has no path of its own.
func (h handlers) addPurchase(ctx context.Context, in *struct{ Body newPurchaseBody }) (*httpapi.Created[onePurchase], error) {
	b := in.Body
	p, err := h.service.AddPurchase(ctx, NewPurchase{
		ID: httpapi.Integer(b.ID), ProductID: int64(b.ProductID), Username: b.Username, Date: b.Date,
	})
	return &httpapi.Created[onePurchase]{Body: onePurchase{showPurchase(p)}}, err
}
