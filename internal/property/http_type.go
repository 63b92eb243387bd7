package property

import (
	"context"
	"net/http"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

func typeRoutes(g *httpapi.Group, h handlers) {
	httpapi.RegisterList(g, httpapi.Operation{
		ID: "list-types", Method: http.MethodGet, Path: "/api/type", Access: httpapi.ReadProperty,
		Summary: "List the types", Description: "All types of properties in id order.", Answer: []propertyTypeBody{exampleType},
	}, h.listTypes)
	httpapi.Register(g, httpapi.Operation{
		ID: "create-type", Method: http.MethodPost, Path: "/api/type", Access: httpapi.WriteTypes, Status: http.StatusCreated, Once: true,
		Summary: "Add a type", Description: "Makes a type of properties. Its id may be chosen; one that was ever used is a conflict.",
		Example: map[string]any{"name": exampleType.Name, "description": exampleType.Description}, Answer: exampleType,
	}, h.createType)
	httpapi.Register(g, httpapi.Operation{
		ID: "get-type", Method: http.MethodGet, Path: "/api/type/{id}", Access: httpapi.ReadProperty,
		Summary: "Show a type", Description: "One type by its id.", Answer: exampleType,
	}, h.getType)
	httpapi.Register(g, httpapi.Operation{
		ID: "update-type", Method: http.MethodPut, Path: "/api/type/{id}", Access: httpapi.WriteTypes,
		Summary: "Change a type", Description: "Changes the fields that the body carries.",
		Example: map[string]any{"name": exampleType.Name}, Answer: exampleType,
	}, h.updateType)
	httpapi.Register(g, httpapi.Operation{
		ID: "delete-type", Method: http.MethodDelete, Path: "/api/type/{id}", Access: httpapi.WriteTypes, Errors: []int{http.StatusConflict},
		Summary: "Remove a type", Description: "Takes a type away. While properties are of it, that is a conflict.", Answer: exampleRemoved,
	}, h.removeType)
}

type propertyTypeBody struct {
	ID          int64  `json:"typeId" example:"1"`
	Name        string `json:"name" example:"House"`
	Description string `json:"description" example:"A building of one's own."`
}

var exampleType = propertyTypeBody{ID: 1, Name: "House", Description: "A building of one's own."}

func showType(t Type) propertyTypeBody {
	return propertyTypeBody{ID: int64(t.ID), Name: t.Name, Description: t.Description}
}

func (h handlers) listTypes(ctx context.Context, in *httpapi.PageInput) (*httpapi.List[propertyTypeBody], error) {
	types := h.service.Types(ctx, httpapi.Ahead(in.Page()))
	return httpapi.NewList(in.Page(), func(t propertyTypeBody) int64 { return t.ID }, types, showType), nil
}

type newTypeBody struct {
	ID          market.Opt[httpapi.Int] `json:"typeId,omitzero" doc:"The id it shall have; otherwise the one after all that were ever used."`
	Name        string                  `json:"name" minLength:"1" maxLength:"255"`
	Description string                  `json:"description" minLength:"1" maxLength:"255"`
}

func (h handlers) createType(ctx context.Context, in *struct{ Body newTypeBody }) (*httpapi.Created[propertyTypeBody], error) {
	b := in.Body
	t, err := h.service.AddType(ctx, TypeChange{ID: httpapi.Integer(b.ID), Name: market.Some(b.Name), Description: market.Some(b.Description)})
	return created("/api/type/", int64(t.ID), t.Version, showType(t), err)
}

// TypePath is the id in a path.
type TypePath struct {
	ID int64 `path:"id" noun:"Type ID" example:"1"`
}

func (h handlers) getType(ctx context.Context, in *TypePath) (*httpapi.Thing[propertyTypeBody], error) {
	t, err := h.service.Type(ctx, TypeID(in.ID))
	return thing(t.Version, showType(t), err)
}

type updateTypeInput struct {
	TypePath
	httpapi.IfMatch
	Body typeChangeBody
}

type typeChangeBody struct {
	ID          market.Opt[httpapi.Int] `json:"typeId,omitzero" doc:"Read-only: accepted when it is the id that the type has."`
	Name        market.Opt[string]      `json:"name,omitzero" minLength:"1" maxLength:"255"`
	Description market.Opt[string]      `json:"description,omitzero" minLength:"1" maxLength:"255"`
}

func (h handlers) updateType(ctx context.Context, in *updateTypeInput) (*httpapi.Thing[propertyTypeBody], error) {
	b := in.Body
	t, err := h.service.ChangeType(ctx, TypeID(in.ID), TypeChange{ID: httpapi.Integer(b.ID), Name: b.Name, Description: b.Description}, in.If)
	return thing(t.Version, showType(t), err)
}

type removeTypeInput struct {
	TypePath
	httpapi.IfMatch
}

func (h handlers) removeType(ctx context.Context, in *removeTypeInput) (*httpapi.Plain[removedBody], error) {
	return removed(in.ID, h.service.RemoveType(ctx, TypeID(in.ID), in.If))
}
