// Package stafflog shows what staff has changed in a service.
package stafflog

import (
	"context"
	"net/http"
	"time"

	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/httpapi"
)

// Path is where the log of a service is shown.
func Path(service string) string { return "/api/staff/log/" + service }

// Routes declares the operation that shows the log of a service. Without a
// database it is only documented.
func Routes(g *httpapi.Group, service string, db *database.DB) {
	httpapi.RegisterList(g, httpapi.Operation{
		ID: "list-staff-log-" + service, Method: http.MethodGet, Path: Path(service), Access: httpapi.ManageStaff,
		Summary:     "Show what staff changed in " + service,
		Description: "Every change that a staff member made in " + service + ", in the order in which they were made. It is written with the change, and nothing is ever taken away.",
		Answer:      []entryBody{{1, example, new(int64(3)), "update-coupon", "PUT /coupons/7", "203.0.113.5", ""}},
	}, func(ctx context.Context, in *httpapi.PageInput) (*httpapi.List[entryBody], error) {
		page := httpapi.Ahead(in.Page())
		entries := market.Chunks(page, func(a database.LoggedAction) int64 { return a.ID }, func(after int64, limit int) ([]database.LoggedAction, error) {
			return db.StaffLog(ctx, after, limit)
		})
		return httpapi.NewList(in.Page(), func(e entryBody) int64 { return e.ID }, entries, show), nil
	})
}

type entryBody struct {
	ID        int64       `json:"id" example:"1"`
	At        market.Time `json:"at"`
	User      *int64      `json:"userId" nullable:"true" doc:"Who; null for a command of whoever runs the deployment." example:"3"`
	Operation string      `json:"operation" example:"update-coupon"`
	Call      string      `json:"call" doc:"Method and path." example:"PUT /coupons/7"`
	From      string      `json:"from" doc:"The address that it came from." example:"203.0.113.5"`
	Note      string      `json:"note" doc:"What the call does not say." example:""`
}

var example = market.At(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))

func show(a database.LoggedAction) entryBody {
	e := entryBody{ID: a.ID, At: a.At, Operation: a.Operation, Call: a.Call, From: a.From, Note: a.Note}
	if a.User != 0 {
		e.User = new(int64(a.User))
	}
	return e
}
