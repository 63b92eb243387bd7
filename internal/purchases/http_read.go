package purchases

import (
	"context"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

// Part is which part of a list is asked for: the data API's own way, older than
// that of the other systems.
type Part struct {
	Skip  int64 `query:"skip" minimum:"0" maximum:"9007199254740991" default:"0" doc:"Leave out so many from the start."`
	Limit int64 `query:"limit" minimum:"1" maximum:"1000" default:"10" doc:"Give at most so many."`
}

// bounds gives the part in the service's terms. Absent is 0, which a given limit
// cannot be.
func (p Part) bounds() (skip, limit int) {
	if p.Limit == 0 {
		p.Limit = 10
	}
	return int(p.Skip), int(p.Limit)
}

// Username is the name in a path.
type Username struct {
	Username string `path:"username" example:"Ann"`
}

// ProductID is the id in a product's path.
type ProductID struct {
	ID int64 `path:"id" noun:"Product ID" example:"1"`
}

// unchanged is the ETag of a single customer or product: nothing is ever changed.
var unchanged = httpapi.ETag(1)

func (h handlers) customers(ctx context.Context, in *Part) (*httpapi.Plain[customersBody], error) {
	skip, limit := in.bounds()
	users, err := h.service.Users(ctx, skip, limit)
	return &httpapi.Plain[customersBody]{Body: customersBody{each(users, showCustomer)}}, err
}

func (h handlers) customer(ctx context.Context, in *Username) (*httpapi.Thing[oneCustomer], error) {
	c, err := h.service.User(ctx, in.Username)
	return &httpapi.Thing[oneCustomer]{ETag: unchanged, Body: oneCustomer{showCustomer(c)}}, err
}

func (h handlers) products(ctx context.Context, in *Part) (*httpapi.Plain[productsBody], error) {
	skip, limit := in.bounds()
	products, err := h.service.Products(ctx, skip, limit)
	return &httpapi.Plain[productsBody]{Body: productsBody{each(products, showProduct)}}, err
}

func (h handlers) product(ctx context.Context, in *ProductID) (*httpapi.Thing[oneProduct], error) {
	p, err := h.service.Product(ctx, in.ID)
	return &httpapi.Thing[oneProduct]{ETag: unchanged, Body: oneProduct{showProduct(p)}}, err
}

type byUserInput struct {
	Username
	Part
}

func (h handlers) byUser(ctx context.Context, in *byUserInput) (*httpapi.Plain[purchasesBody], error) {
	skip, limit := in.bounds()
	purchases, err := h.service.ByUser(ctx, in.Username.Username, skip, limit)
	return &httpapi.Plain[purchasesBody]{Body: purchasesBody{each(purchases, showPurchase)}}, err
}

type byProductInput struct {
	ProductID int64 `path:"product_id" noun:"Product ID" example:"1"`
	Part
}

func (h handlers) byProduct(ctx context.Context, in *byProductInput) (*httpapi.Plain[purchasesBody], error) {
	skip, limit := in.bounds()
	purchases, err := h.service.ByProduct(ctx, in.ProductID, skip, limit)
	return &httpapi.Plain[purchasesBody]{Body: purchasesBody{each(purchases, showPurchase)}}, err
}

func each[D, B any](rows []D, show func(D) B) []B {
	shown := make([]B, len(rows))
	for i, row := range rows {
		shown[i] = show(row)
	}
	return shown
}

func showCustomer(c market.Customer) customerBody {
	return customerBody{Username: c.Username, Email: c.Email}
}

func showProduct(p market.Product) productBody {
	return productBody{ID: p.ID, Face: p.Face, Size: p.Size, Price: p.Price}
}

func showPurchase(p market.Purchase) purchaseBody {
	return purchaseBody{ID: p.ID, ProductID: p.ProductID, Username: p.Username, Date: p.Date}
}
