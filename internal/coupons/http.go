package coupons

import (
	"context"
	"net/http"
	"strconv"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

// System says how the clients of the coupons expect them to speak.
func System() httpapi.System {
	return httpapi.System{
		Name: "coupons", Tag: "Coupons",
		Description: "Coupons of merchants. Dates are sent in UTC with a Z and one to six decimals. Unknown fields of bodies are ignored, unknown query parameters are not.",
		ErrorAlias:  "error", IgnoreUnknown: true, StrictQuery: true,
	}
}

// Routes declares the operations. Without a service they are only documented.
func Routes(g *httpapi.Group, s *Service) {
	h := handlers{s}
	httpapi.RegisterEncoded[listInput, couponBody](g, httpapi.Operation{
		ID: "list-coupons", Method: http.MethodGet, Path: "/coupons", Access: httpapi.ReadCatalogue,
		Summary: "List the coupons", Description: "All coupons in id order, or the valid or the invalid ones. A parameter that is not one of these is a 400.",
		Answer: []couponBody{example},
	}, h.list)
	httpapi.Register(g, httpapi.Operation{
		ID: "create-coupon", Method: http.MethodPost, Path: "/coupons", Access: httpapi.WriteCatalogue, Status: http.StatusCreated, Once: true,
		Summary: "Add a coupon", Description: "Every field may be left out or null: it then reads as null, and a date is now, the same instant for both. " +
			"Ids are given, not taken: an id in the body is ignored, so that what a GET gave can be added as a new coupon.",
		Example: exampleInput, Answer: createdBody{ID: example.ID},
	}, h.create)
	httpapi.Register(g, httpapi.Operation{
		ID: "get-coupon", Method: http.MethodGet, Path: "/coupons/{id}", Access: httpapi.ReadCatalogue,
		Summary: "Show a coupon", Description: "One coupon by its id.", Answer: example,
	}, h.get)
	httpapi.Register(g, httpapi.Operation{
		ID: "update-coupon", Method: http.MethodPut, Path: "/coupons/{id}", Access: httpapi.WriteCatalogue,
		Summary: "Change a coupon", Description: "Changes the fields that the body carries; null empties a text or the store, and a date cannot be null. A store replaces the whole store.",
		Example: map[string]any{"title": example.Title}, Answer: example,
	}, h.update)
	httpapi.Register(g, httpapi.Operation{
		ID: "delete-coupon", Method: http.MethodDelete, Path: "/coupons/{id}", Access: httpapi.WriteCatalogue,
		Summary: "Remove a coupon", Description: "Takes one coupon away. Its id is never used again.",
	}, h.remove)
}

type handlers struct{ service *Service }

type listInput struct {
	httpapi.PageInput
	Status string `query:"status" enum:"valid,invalid" doc:"valid: expires at or after its publication; invalid: before it."`
}

func (h handlers) list(ctx context.Context, in *listInput) (*httpapi.List[Shown], error) {
	coupons := h.service.Coupons(ctx, Filter{Status: Status(in.Status)}, httpapi.Ahead(in.Page()))
	return &httpapi.List[Shown]{Page: in.Page(), ID: func(c Shown) int64 { return c.ID }, Items: coupons}, nil
}

func (h handlers) create(ctx context.Context, in *struct{ Body newCoupon }) (*httpapi.Created[createdBody], error) {
	id, err := h.service.AddCoupon(ctx, in.Body.draft())
	if err != nil {
		return nil, err
	}
	return &httpapi.Created[createdBody]{Location: "/coupons/" + strconv.FormatInt(id, 10), ETag: httpapi.ETag(1), Body: createdBody{ID: id}}, nil
}

// CouponID is the id in a path.
type CouponID struct {
	ID int64 `path:"id" noun:"Coupon ID" example:"1"`
}

func (h handlers) get(ctx context.Context, in *CouponID) (*httpapi.EncodedThing[couponBody], error) {
	c, err := h.service.Coupon(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return httpapi.NewEncodedThing[couponBody](httpapi.ETag(c.Version), c.AppendJSON(make([]byte, 0, len(c.Rest)+32))), nil
}

type updateInput struct {
	CouponID
	httpapi.IfMatch
	Body couponInput
}

func (h handlers) update(ctx context.Context, in *updateInput) (*httpapi.Thing[couponBody], error) {
	return thing(h.service.ChangeCoupon(ctx, in.ID, in.Body.draft(), in.If))
}

type removeInput struct {
	CouponID
	httpapi.IfMatch
}

func (h handlers) remove(ctx context.Context, in *removeInput) (*httpapi.Nothing, error) {
	return &httpapi.Nothing{}, h.service.RemoveCoupon(ctx, in.ID, in.If)
}

func thing(c Coupon, err error) (*httpapi.Thing[couponBody], error) {
	if err != nil {
		return nil, err
	}
	return &httpapi.Thing[couponBody]{ETag: httpapi.ETag(c.Version), Body: show(c)}, nil
}

// Bodies of a change and of a new coupon differ in the id and in whether a date
// may be null.

type couponInput struct {
	ID          market.Opt[httpapi.Int] `json:"id,omitzero" doc:"Read-only: accepted when it is the id that the coupon has."`
	Category    market.Opt[string]      `json:"category,omitzero" nullable:"true" maxLength:"1000"`
	Code        market.Opt[string]      `json:"couponcode,omitzero" nullable:"true" maxLength:"1000"`
	Description market.Opt[string]      `json:"description,omitzero" nullable:"true" maxLength:"100000"`
	Merchant    market.Opt[string]      `json:"merchant,omitzero" nullable:"true" maxLength:"1000"`
	Title       market.Opt[string]      `json:"title,omitzero" nullable:"true" maxLength:"1000"`
	Store       market.Opt[storeInput]  `json:"store,omitzero" null:"object"`
	ExpireAt    market.Opt[string]      `json:"expire_at,omitzero" format:"date-time" doc:"UTC with a Z and one to six decimals." example:"2016-09-05T08:40:51.620Z"`
	PublishedAt market.Opt[string]      `json:"published_at,omitzero" format:"date-time" doc:"UTC with a Z and one to six decimals." example:"2016-08-05T08:40:51.620Z"`
}

func (b couponInput) draft() Draft {
	d := newCoupon{b.Category, b.Code, b.Description, b.Merchant, b.Title, b.Store, b.ExpireAt, b.PublishedAt}.draft()
	d.ID = httpapi.Integer(b.ID)
	return d
}

type newCoupon struct {
	Category    market.Opt[string]     `json:"category,omitzero" nullable:"true" maxLength:"1000"`
	Code        market.Opt[string]     `json:"couponcode,omitzero" nullable:"true" maxLength:"1000"`
	Description market.Opt[string]     `json:"description,omitzero" nullable:"true" maxLength:"100000"`
	Merchant    market.Opt[string]     `json:"merchant,omitzero" nullable:"true" maxLength:"1000"`
	Title       market.Opt[string]     `json:"title,omitzero" nullable:"true" maxLength:"1000"`
	Store       market.Opt[storeInput] `json:"store,omitzero" null:"object"`
	ExpireAt    market.Opt[string]     `json:"expire_at,omitzero" nullable:"true" format:"date-time" doc:"UTC with a Z and one to six decimals; now when missing." example:"2016-09-05T08:40:51.620Z"`
	PublishedAt market.Opt[string]     `json:"published_at,omitzero" nullable:"true" format:"date-time" doc:"UTC with a Z and one to six decimals; now when missing." example:"2016-08-05T08:40:51.620Z"`
}

func (b newCoupon) draft() Draft {
	return Draft{
		Category: b.Category, Code: b.Code, Description: b.Description, Merchant: b.Merchant, Title: b.Title,
		Store:    market.Opt[Store]{Set: b.Store.Set, Null: b.Store.Null, Value: b.Store.Value.store()},
		ExpireAt: b.ExpireAt, PublishedAt: b.PublishedAt,
	}
}

type storeInput struct {
	Lat    market.Opt[httpapi.Float] `json:"lat,omitzero" nullable:"true" doc:"Degrees from -90 to 90, kept to six decimals." example:"48.856614"`
	Long   market.Opt[httpapi.Float] `json:"long,omitzero" nullable:"true" doc:"Degrees from -180 to 180, kept to six decimals." example:"2.352222"`
	City   market.Opt[string]        `json:"city,omitzero" nullable:"true" maxLength:"1000"`
	Phone  market.Opt[string]        `json:"phone,omitzero" nullable:"true" maxLength:"1000"`
	State  market.Opt[string]        `json:"state,omitzero" nullable:"true" maxLength:"1000"`
	Street market.Opt[string]        `json:"street,omitzero" nullable:"true" maxLength:"1000"`
	Zip    market.Opt[string]        `json:"zip,omitzero" nullable:"true" maxLength:"1000"`
}

func (b storeInput) store() Store {
	return Store{
		Lat: (*float64)(b.Lat.Ptr()), Long: (*float64)(b.Long.Ptr()),
		City: b.City.Ptr(), Phone: b.Phone.Ptr(), State: b.State.Ptr(), Street: b.Street.Ptr(), Zip: b.Zip.Ptr(),
	}
}
