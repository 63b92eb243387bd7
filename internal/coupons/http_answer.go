package coupons

import (
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"emporium/internal/market"
)

type createdBody struct {
	ID int64 `json:"id" example:"1"`
}

type couponBody struct {
	ID          int64       `json:"id" example:"1"`
	Category    *string     `json:"category" nullable:"true" example:"Food"`
	Code        *string     `json:"couponcode" nullable:"true" example:"BAGUETTE10"`
	Description *string     `json:"description" nullable:"true" example:"Ten percent off all bread."`
	Merchant    *string     `json:"merchant" nullable:"true" example:"Boulangerie du Port"`
	Title       *string     `json:"title" nullable:"true" example:"10% off"`
	Store       *couponShop `json:"store" null:"object"`
	ExpireAt    market.Time `json:"expire_at" example:"2016-09-05T08:40:51.620Z"`
	PublishedAt market.Time `json:"published_at" example:"2016-08-05T08:40:51.620Z"`
}

type couponShop struct {
	Lat    *float64 `json:"lat" nullable:"true" example:"48.856614"`
	Long   *float64 `json:"long" nullable:"true" example:"2.352222"`
	City   *string  `json:"city" nullable:"true" example:"Paris"`
	Phone  *string  `json:"phone" nullable:"true" example:"+33 1 23 45 67 89"`
	State  *string  `json:"state" nullable:"true" example:"Île-de-France"`
	Street *string  `json:"street" nullable:"true" example:"1 rue de la Paix"`
	Zip    *string  `json:"zip" nullable:"true" example:"75002"`
}

func show(c Coupon) couponBody {
	return couponBody{
		ID: c.ID, Category: c.Category, Code: c.Code, Description: c.Description, Merchant: c.Merchant, Title: c.Title,
		Store: (*couponShop)(c.Store), ExpireAt: c.ExpireAt, PublishedAt: c.PublishedAt,
	}
}

// render writes a coupon as it is shown, but for the id, which a new one does not
// have yet: see [Shown].
func render(c Coupon) (string, error) {
	c.ID = 0
	text, err := json.Marshal(show(c))
	if err != nil {
		return "", fmt.Errorf("render coupon: %w", err)
	}
	return "{" + string(text[len(`{"id":0,`):]), nil
}

// AppendJSON appends the coupon with its id.
func (s Shown) AppendJSON(b []byte) []byte {
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, s.ID, 10)
	b = append(b, ',')
	return append(b, s.Rest[1:]...)
}

var example = couponBody{
	ID: 1, Category: new("Food"), Code: new("BAGUETTE10"), Description: new("Ten percent off all bread."),
	Merchant: new("Boulangerie du Port"), Title: new("10% off"),
	Store: &couponShop{
		Lat: new(48.856614), Long: new(2.352222), City: new("Paris"), Phone: new("+33 1 23 45 67 89"),
		State: new("Île-de-France"), Street: new("1 rue de la Paix"), Zip: new("75002"),
	},
	ExpireAt:    market.At(time.Date(2016, 9, 5, 8, 40, 51, 620e6, time.UTC)),
	PublishedAt: market.At(time.Date(2016, 8, 5, 8, 40, 51, 620e6, time.UTC)),
}

var exampleInput = map[string]any{
	"category": example.Category, "couponcode": example.Code, "description": example.Description, "merchant": example.Merchant, "title": example.Title,
	"store": example.Store, "expire_at": example.ExpireAt, "published_at": example.PublishedAt,
}
