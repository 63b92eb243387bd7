package property

import (
	"context"
	"net/http"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

func roomRoutes(g *httpapi.Group, h handlers) {
	httpapi.RegisterList(g, httpapi.Operation{
		ID: "list-rooms", Method: http.MethodGet, Path: "/api/property/{id}/rooms", Access: httpapi.ReadProperty,
		Summary: "List the rooms of a property", Description: "Its rooms in id order.", Answer: []roomBody{exampleRoom},
	}, h.listRooms)
	httpapi.Register(g, httpapi.Operation{
		ID: "create-room", Method: http.MethodPost, Path: "/api/property/{id}/rooms", Access: httpapi.WriteProperty, Status: http.StatusCreated, Once: true,
		Summary: "Add a room", Description: "Puts a room into a property.",
		Example: map[string]any{"name": exampleRoom.Name, "description": exampleRoom.Description, "characteristics": exampleRoom.Characteristics}, Answer: exampleRoom,
	}, h.createRoom)
	httpapi.Register(g, httpapi.Operation{
		ID: "get-room", Method: http.MethodGet, Path: "/api/room/{id}", Access: httpapi.ReadProperty,
		Summary: "Show a room", Description: "One room by its id.", Answer: exampleRoom,
	}, h.getRoom)
	httpapi.Register(g, httpapi.Operation{
		ID: "update-room", Method: http.MethodPut, Path: "/api/room/{id}", Access: httpapi.WriteProperty,
		Summary: "Change a room", Description: "Changes the fields that the body carries. Characteristics in it replace all that there were; `{}` removes them.",
		Example: map[string]any{"name": exampleRoom.Name}, Answer: exampleRoom,
	}, h.updateRoom)
	httpapi.Register(g, httpapi.Operation{
		ID: "delete-room", Method: http.MethodDelete, Path: "/api/room/{id}", Access: httpapi.WriteProperty,
		Summary: "Remove a room", Description: "Takes a room out of its property.", Answer: exampleRemoved,
	}, h.removeRoom)
}

type roomBody struct {
	ID              int64                     `json:"roomId" example:"1"`
	Name            string                    `json:"name" example:"Attic"`
	Description     string                    `json:"description" example:"Under the roof, with a view."`
	Property        int64                     `json:"propertyId" example:"1"`
	Characteristics map[string]httpapi.Scalar `json:"characteristics,omitempty" doc:"Only where some were set."`
}

var exampleRoom = roomBody{
	ID: 1, Name: "Attic", Description: "Under the roof, with a view.", Property: 1,
	Characteristics: map[string]httpapi.Scalar{"surface_m2": "12.5", "floor": "2"},
}

func showRoom(r Room) roomBody {
	b := roomBody{ID: int64(r.ID), Name: r.Name, Description: r.Description, Property: int64(r.Property)}
	if len(r.Characteristics) > 0 {
		b.Characteristics = make(map[string]httpapi.Scalar, len(r.Characteristics))
		for key, value := range r.Characteristics {
			b.Characteristics[key] = httpapi.Scalar(value)
		}
	}
	return b
}

type listRoomsInput struct {
	Path
	httpapi.PageInput
}

func (h handlers) listRooms(ctx context.Context, in *listRoomsInput) (*httpapi.List[roomBody], error) {
	rooms, err := h.service.Rooms(ctx, ID(in.ID), httpapi.Ahead(in.Page()))
	if err != nil {
		return nil, err
	}
	return httpapi.NewList(in.Page(), func(r roomBody) int64 { return r.ID }, rooms, showRoom), nil
}

type createRoomInput struct {
	Path
	Body newRoomBody
}

type newRoomBody struct {
	Name            string                                `json:"name" minLength:"1" maxLength:"255"`
	Description     string                                `json:"description" minLength:"1" maxLength:"255"`
	Property        market.Opt[httpapi.Int]               `json:"propertyId,omitzero" doc:"Read-only: accepted when it is the one in the path."`
	Characteristics market.Opt[map[string]httpapi.Scalar] `json:"characteristics,omitzero" doc:"Up to 50 keys of 1 to 64 characters, with numbers or strings."`
}

func (h handlers) createRoom(ctx context.Context, in *createRoomInput) (*httpapi.Created[roomBody], error) {
	b := in.Body
	r, err := h.service.AddRoom(ctx, ID(in.ID), RoomChange{
		Property: httpapi.Integer(b.Property), Name: market.Some(b.Name), Description: market.Some(b.Description),
		Characteristics: characteristics(b.Characteristics),
	})
	return created("/api/room/", int64(r.ID), r.Version, showRoom(r), err)
}

func characteristics(given market.Opt[map[string]httpapi.Scalar]) market.Opt[Characteristics] {
	if !given.Set {
		return market.Opt[Characteristics]{}
	}
	c := make(Characteristics, len(given.Value))
	for key, value := range given.Value {
		c[key] = Value(value)
	}
	return market.Some(c)
}

// RoomPath is the id in a path.
type RoomPath struct {
	ID int64 `path:"id" noun:"Room ID" example:"1"`
}

func (h handlers) getRoom(ctx context.Context, in *RoomPath) (*httpapi.Thing[roomBody], error) {
	r, err := h.service.Room(ctx, RoomID(in.ID))
	return thing(r.Version, showRoom(r), err)
}

type updateRoomInput struct {
	RoomPath
	httpapi.IfMatch
	Body roomChangeBody
}

type roomChangeBody struct {
	ID              market.Opt[httpapi.Int]               `json:"roomId,omitzero" doc:"Read-only: accepted when it is the id that the room has."`
	Name            market.Opt[string]                    `json:"name,omitzero" minLength:"1" maxLength:"255"`
	Description     market.Opt[string]                    `json:"description,omitzero" minLength:"1" maxLength:"255"`
	Property        market.Opt[httpapi.Int]               `json:"propertyId,omitzero" doc:"Read-only: accepted when it is the room's."`
	Characteristics market.Opt[map[string]httpapi.Scalar] `json:"characteristics,omitzero" doc:"Replaces all that there were."`
}

func (h handlers) updateRoom(ctx context.Context, in *updateRoomInput) (*httpapi.Thing[roomBody], error) {
	b := in.Body
	r, err := h.service.ChangeRoom(ctx, RoomID(in.ID), RoomChange{
		ID: httpapi.Integer(b.ID), Property: httpapi.Integer(b.Property), Name: b.Name, Description: b.Description,
		Characteristics: characteristics(b.Characteristics),
	}, in.If)
	return thing(r.Version, showRoom(r), err)
}

type removeRoomInput struct {
	RoomPath
	httpapi.IfMatch
}

func (h handlers) removeRoom(ctx context.Context, in *removeRoomInput) (*httpapi.Plain[removedBody], error) {
	return removed(in.ID, h.service.RemoveRoom(ctx, RoomID(in.ID), in.If))
}
