package accounts

import (
	"context"
	"net/http"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

func staffRoutes(g *httpapi.Group, h handlers) {
	httpapi.RegisterList(g, httpapi.Operation{
		ID: "list-staff", Method: http.MethodGet, Path: "/api/staff", Access: httpapi.ManageStaff, Keys: httpapi.NoKeys,
		Summary: "List the staff", Description: "All staff members in id order.", Answer: []accountBody{example},
	}, h.staff)
	httpapi.Register(g, httpapi.Operation{
		ID: "add-staff", Method: http.MethodPost, Path: "/api/staff", Access: httpapi.ManageStaff, Keys: httpapi.NoKeys, Errors: []int{http.StatusNotFound},
		Summary: "Make somebody staff",
		Description: "Makes staff of the account that the mail has; it keeps its password. Where there is none, one is made when a password is given. " +
			"A token says whether one is staff, so who was made staff signs in again.",
		Example: map[string]any{"mail": example.Mail}, Answer: appointmentBody{Account: example},
	}, h.addStaff)
	httpapi.Register(g, httpapi.Operation{
		ID: "remove-staff", Method: http.MethodDelete, Path: "/api/staff/{id}", Access: httpapi.ManageStaff, Keys: httpapi.NoKeys, Errors: []int{http.StatusConflict},
		Summary: "Take the role from a staff member", Description: "The account stays. The last staff member cannot be taken away.", Answer: example,
	}, h.removeStaff)
}

func (h handlers) staff(ctx context.Context, in *httpapi.PageInput) (*httpapi.List[accountBody], error) {
	staff := h.service.Staff(ctx, httpapi.Ahead(in.Page()))
	return httpapi.NewList(in.Page(), func(a accountBody) int64 { return a.ID }, staff, show), nil
}

type newStaffBody struct {
	Mail      string             `json:"mail" minLength:"1" maxLength:"255"`
	Password  market.Opt[string] `json:"password,omitzero" format:"password" writeOnly:"true" doc:"Of the account, if it has to be made."`
	FirstName market.Opt[string] `json:"firstName,omitzero" doc:"Likewise; Staff when it is left out."`
	LastName  market.Opt[string] `json:"lastName,omitzero" doc:"Likewise; Member when it is left out."`
	BirthDate market.Opt[string] `json:"birthDate,omitzero" format:"date" doc:"Likewise; 1970-01-01 when it is left out."`
}

type appointmentBody struct {
	Account accountBody `json:"account"`
	Created bool        `json:"created" doc:"There was no account of this mail before."`
	Already bool        `json:"already" doc:"It was staff before."`
}

// or gives what was sent, or else what stands for it.
func or(given market.Opt[string], otherwise string) string {
	if given.Set {
		return given.Value
	}
	return otherwise
}

func (h handlers) addStaff(ctx context.Context, in *struct{ Body newStaffBody }) (*httpapi.Plain[appointmentBody], error) {
	b := in.Body
	made, err := h.service.AddStaff(ctx, Newcomer{
		FirstName: or(b.FirstName, "Staff"), LastName: or(b.LastName, "Member"), BirthDate: or(b.BirthDate, "1970-01-01"),
		Mail: b.Mail, Password: b.Password.Value,
	})
	return &httpapi.Plain[appointmentBody]{Body: appointmentBody{show(made.Account), made.Created, made.Already}}, err
}

func (h handlers) removeStaff(ctx context.Context, in *UserID) (*httpapi.Thing[accountBody], error) {
	return thing(h.service.RemoveStaff(ctx, market.UserID(in.ID)))
}
