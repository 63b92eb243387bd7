package property

import (
	"context"
	"net/http"
	"strconv"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

// System says how the clients of the properties expect them to speak.
func System() httpapi.System {
	return httpapi.System{
		Name: "property", Tag: "Property", ErrorAlias: "message",
		Description: "What owners offer: properties of some type in some city, and their rooms.",
	}
}

// Routes declares the operations. Without a service they are only documented.
func Routes(g *httpapi.Group, s *Service) {
	h := handlers{s}
	httpapi.RegisterList(g, httpapi.Operation{
		ID: "list-properties", Method: http.MethodGet, Path: "/api/property", Access: httpapi.ReadProperty,
		Summary: "List the properties", Description: "All properties in id order, or those of a city.", Answer: []propertyBody{example},
	}, h.list)
	httpapi.Register(g, httpapi.Operation{
		ID: "create-property", Method: http.MethodPost, Path: "/api/property", Access: httpapi.CreateProperty, Status: http.StatusCreated, Once: true,
		Summary: "Offer a property", Description: "Makes a property, whose owner one becomes.",
		Example: map[string]any{"name": example.Name, "description": example.Description, "city": example.City, "typeId": example.Type}, Answer: example,
	}, h.create)
	httpapi.Register(g, httpapi.Operation{
		ID: "get-property", Method: http.MethodGet, Path: "/api/property/{id}", Access: httpapi.ReadProperty,
		Summary: "Show a property", Description: "One property by its id.", Answer: example,
	}, h.get)
	httpapi.Register(g, httpapi.Operation{
		ID: "update-property", Method: http.MethodPut, Path: "/api/property/{id}", Access: httpapi.WriteProperty,
		Summary: "Change a property", Description: "Changes the fields that the body carries. The owner stays.",
		Example: map[string]any{"name": example.Name}, Answer: example,
	}, h.update)
	httpapi.Register(g, httpapi.Operation{
		ID: "delete-property", Method: http.MethodDelete, Path: "/api/property/{id}", Access: httpapi.WriteProperty,
		Summary: "Remove a property", Description: "Ends the offer of a property. Its rooms go with it.", Answer: exampleRemoved,
	}, h.remove)
	roomRoutes(g, h)
	typeRoutes(g, h)
	personalRoutes(g, s)
}

type handlers struct{ service *Service }

type propertyBody struct {
	ID          int64  `json:"propertyId" example:"1"`
	Name        string `json:"name" example:"Maison bleue"`
	Description string `json:"description" example:"A house by the canal."`
	City        string `json:"city" example:"Évry"`
	Type        int64  `json:"typeId" example:"1"`
	Owner       int64  `json:"userId" doc:"Whose it is." example:"1"`
}

var example = propertyBody{ID: 1, Name: "Maison bleue", Description: "A house by the canal.", City: "Évry", Type: 1, Owner: 1}

func show(p Property) propertyBody {
	return propertyBody{ID: int64(p.ID), Name: p.Name, Description: p.Description, City: p.City, Type: int64(p.Type), Owner: int64(p.Owner)}
}

type listInput struct {
	httpapi.PageInput
	City string `query:"city" doc:"The name of a city, whatever its case."`
}

func (h handlers) list(ctx context.Context, in *listInput) (*httpapi.List[propertyBody], error) {
	properties := h.service.Properties(ctx, in.City, httpapi.Ahead(in.Page()))
	return httpapi.NewList(in.Page(), func(p propertyBody) int64 { return p.ID }, properties, show), nil
}

type newPropertyBody struct {
	Name        string                  `json:"name" minLength:"1" maxLength:"255"`
	Description string                  `json:"description" minLength:"1" maxLength:"255"`
	City        string                  `json:"city" minLength:"1" maxLength:"255"`
	Type        httpapi.Int             `json:"typeId" doc:"A type that exists."`
	Owner       market.Opt[httpapi.Int] `json:"userId,omitzero" doc:"Read-only: accepted when it is one's own."`
}

func (h handlers) create(ctx context.Context, in *struct{ Body newPropertyBody }) (*httpapi.Created[propertyBody], error) {
	b := in.Body
	p, err := h.service.AddProperty(ctx, Change{
		Name: market.Some(b.Name), Description: market.Some(b.Description), City: market.Some(b.City),
		Type: market.Some(int64(b.Type)), Owner: httpapi.Integer(b.Owner),
	})
	return created("/api/property/", int64(p.ID), p.Version, show(p), err)
}

// Path is the id in a path.
type Path struct {
	ID int64 `path:"id" noun:"Property ID" example:"1"`
}

func (h handlers) get(ctx context.Context, in *Path) (*httpapi.Thing[propertyBody], error) {
	p, err := h.service.Property(ctx, ID(in.ID))
	return thing(p.Version, show(p), err)
}

type updateInput struct {
	Path
	httpapi.IfMatch
	Body propertyChangeBody
}

type propertyChangeBody struct {
	ID          market.Opt[httpapi.Int] `json:"propertyId,omitzero" doc:"Read-only: accepted when it is the id that the property has."`
	Name        market.Opt[string]      `json:"name,omitzero" minLength:"1" maxLength:"255"`
	Description market.Opt[string]      `json:"description,omitzero" minLength:"1" maxLength:"255"`
	City        market.Opt[string]      `json:"city,omitzero" minLength:"1" maxLength:"255"`
	Type        market.Opt[httpapi.Int] `json:"typeId,omitzero" doc:"A type that exists."`
	Owner       market.Opt[httpapi.Int] `json:"userId,omitzero" doc:"Read-only: accepted when it is the owner."`
}

func (h handlers) update(ctx context.Context, in *updateInput) (*httpapi.Thing[propertyBody], error) {
	b := in.Body
	p, err := h.service.ChangeProperty(ctx, ID(in.ID), Change{
		ID: httpapi.Integer(b.ID), Name: b.Name, Description: b.Description, City: b.City,
		Type: httpapi.Integer(b.Type), Owner: httpapi.Integer(b.Owner),
	}, in.If)
	return thing(p.Version, show(p), err)
}

type removeInput struct {
	Path
	httpapi.IfMatch
}

func (h handlers) remove(ctx context.Context, in *removeInput) (*httpapi.Plain[removedBody], error) {
	return removed(in.ID, h.service.RemoveProperty(ctx, ID(in.ID), in.If))
}

// removedBody is what clients of this system expect for a deletion.
type removedBody struct {
	Status string  `json:"status" enum:"Success"`
	ID     []int64 `json:"id" doc:"The one that is gone."`
}

var exampleRemoved = removedBody{"Success", []int64{1}}

func removed(id int64, err error) (*httpapi.Plain[removedBody], error) {
	return &httpapi.Plain[removedBody]{Body: removedBody{"Success", []int64{id}}}, err
}

func created[B any](path string, id, version int64, body B, err error) (*httpapi.Created[B], error) {
	return &httpapi.Created[B]{Location: path + strconv.FormatInt(id, 10), ETag: httpapi.ETag(version), Body: body}, err
}

func thing[B any](version int64, body B, err error) (*httpapi.Thing[B], error) {
	return &httpapi.Thing[B]{ETag: httpapi.ETag(version), Body: body}, err
}
