package billing

import (
	"context"
	"net/http"

	"github.com/go-json-experiment/json"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

// System says how the clients of billing expect it to speak.
func System() httpapi.System {
	return httpapi.System{
		Name: "billing", Tag: "Billing",
		Description: "Orders are taken in as messages on a queue, and worked off from there.",
	}
}

// IntakeRoutes declares the operation that the gateway answers, with or without
// billing.
func IntakeRoutes(g *httpapi.Group, intake *Intake) {
	h := intakeHandlers{intake}
	httpapi.Register(g, httpapi.Operation{
		ID: "post-order", Method: http.MethodPost, Path: "/api/billing", Access: httpapi.PostOrder, Once: true,
		Summary: "Post an order",
		Description: "Answers once the order is durably in the queue, whether or not billing is running. Fields beyond the three are passed on. " +
			"With an `Idempotency-Key` a repeat is stored once.",
		Example: map[string]string{"user_id": "3", "number_of_items": "5", "total_amount": "180"},
		Answer:  postedBody{Message: posted},
	}, h.post)
}

// Routes declares the operations that billing answers. Without a service they
// are only documented.
func Routes(g *httpapi.Group, s *Service) {
	h := handlers{s}
	httpapi.RegisterList(g, httpapi.Operation{
		ID: "list-orders", Method: http.MethodGet, Path: "/api/billing/orders", Access: httpapi.ReadOrders,
		Summary: "List the orders", Description: "The orders that billing has worked off, in id order; with `user_id` those of one user.",
		Answer: []orderBody{example},
	}, h.list)
	httpapi.Register(g, httpapi.Operation{
		ID: "get-order", Method: http.MethodGet, Path: "/api/billing/orders/{id}", Access: httpapi.ReadOrders,
		Summary: "Show an order", Description: "One order by its id.", Answer: example,
	}, h.get)
	personalRoutes(g, s)
}

const posted = "Message posted"

type postedBody struct {
	Message string `json:"message" example:"Message posted"`
}

type orderInput struct {
	UserID        httpapi.Scalar `json:"user_id" doc:"Whose order it is: a text that is not empty, or a number."`
	NumberOfItems httpapi.Number `json:"number_of_items" doc:"At least 1."`
	TotalAmount   httpapi.Number `json:"total_amount" doc:"At least 0 and below 10^12, with up to two decimals."`
}

type orderBody struct {
	ID            int64        `json:"id" example:"1"`
	UserID        string       `json:"user_id" example:"3"`
	NumberOfItems int64        `json:"number_of_items" example:"5"`
	TotalAmount   market.Money `json:"total_amount" example:"180"`
}

var example = orderBody{ID: 1, UserID: "3", NumberOfItems: 5, TotalAmount: 18000}

func show(o Order) orderBody {
	return orderBody(o)
}

type intakeHandlers struct{ intake *Intake }

type postInput struct {
	Body httpapi.Raw[orderInput]
}

func (h intakeHandlers) post(ctx context.Context, in *postInput) (*httpapi.Plain[postedBody], error) {
	o := in.Body.Value
	userID, err := textOf(o.UserID)
	if err != nil {
		return nil, err
	}
	err = h.intake.PostOrder(ctx, Draft{
		UserID: userID, NumberOfItems: string(o.NumberOfItems), TotalAmount: string(o.TotalAmount), Body: in.Body.JSON,
	})
	if err != nil {
		return nil, err
	}
	return &httpapi.Plain[postedBody]{Body: postedBody{Message: posted}}, nil
}

// textOf gives the text of a string or a number.
func textOf(value httpapi.Scalar) (string, error) {
	var t text
	err := json.Unmarshal([]byte(value), &t)
	return t.s, err
}

type handlers struct{ service *Service }

type listInput struct {
	httpapi.PageInput
	UserID string `query:"user_id" doc:"Whose orders; all when it is left out."`
}

func (h handlers) list(ctx context.Context, in *listInput) (*httpapi.List[orderBody], error) {
	orders, err := h.service.Orders(ctx, in.UserID, httpapi.Ahead(in.Page()))
	if err != nil {
		return nil, err
	}
	return httpapi.NewList(in.Page(), func(o orderBody) int64 { return o.ID }, orders, show), nil
}

// OrderID is the id in a path.
type OrderID struct {
	ID int64 `path:"id" noun:"Order ID" example:"1"`
}

func (h handlers) get(ctx context.Context, in *OrderID) (*httpapi.Thing[orderBody], error) {
	o, err := h.service.Order(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &httpapi.Thing[orderBody]{ETag: httpapi.ETag(o.version()), Body: show(o)}, nil
}
