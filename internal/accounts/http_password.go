package accounts

import (
	"context"
	"net/http"
	"strconv"

	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/httpapi"
)

func passwordRoutes(g *httpapi.Group, h handlers) {
	httpapi.Register(g, httpapi.Operation{
		ID: "change-password", Method: http.MethodPut, Path: "/api/user/{id}/password", Access: httpapi.OwnSession, Keys: httpapi.NoKeys, Attempt: httpapi.SigningIn,
		Summary:     "Change one's password",
		Description: "Wants the old one. All tokens and sessions of the account end; the answer holds a new token. API keys stay.",
		Example:     passwordBody{examplePassword, "a purple bicycle in March"}, Answer: tokenBody{AccessToken: exampleToken},
	}, h.changePassword)
	httpapi.Register(g, httpapi.Operation{
		ID: "ask-password-reset", Method: http.MethodPost, Path: "/api/user/password-reset", Access: httpapi.SignUp, Status: http.StatusAccepted, Errors: []int{http.StatusConflict}, Attempt: httpapi.SigningIn,
		Summary:     "Ask for a new password",
		Description: "Has a token sent to the mail, if an account has it; the answer does not say. Where the shop sends no mail, it is a conflict.",
		Example:     askResetBody{example.Mail}, Answer: askedBody{askedText},
	}, h.askReset)
	httpapi.Register(g, httpapi.Operation{
		ID: "use-password-reset", Method: http.MethodPut, Path: "/api/user/password-reset", Access: httpapi.SignUp, Attempt: httpapi.SigningIn,
		Summary:     "Set a new password by a token",
		Description: "The token is good once, for an hour. All tokens and sessions of the account end.",
		Example:     useResetBody{exampleReset, "a purple bicycle in March"},
	}, h.useReset)
	httpapi.Register(g, httpapi.Operation{
		ID: "make-password-reset", Method: http.MethodPost, Path: "/api/user/password-reset/token", Access: httpapi.RunShop,
		Errors:  []int{http.StatusNotFound, http.StatusConflict},
		Summary: "Make a token for a new password", Description: "What `emporium password-reset` asks for, for the operator to hand on.",
		Example: askResetBody{example.Mail}, Answer: resetBody{1, example.Mail, exampleReset, market.Time{}},
	}, h.makeReset)
}

const exampleReset = "emt_…"

type passwordBody struct {
	Password string `json:"password" format:"password" writeOnly:"true" minLength:"1" maxLength:"255" doc:"The one that the account has."`
	Next     string `json:"newPassword" format:"password" writeOnly:"true" minLength:"1" maxLength:"255" doc:"At least 8 characters, and not one that everybody tries first."`
}

type changePasswordInput struct {
	UserID
	Body passwordBody
}

// Subject is the account whose old password is tried.
func (in *changePasswordInput) Subject() string {
	return "account " + strconv.FormatInt(in.ID, 10)
}

func (h handlers) changePassword(ctx context.Context, in *changePasswordInput) (*httpapi.Plain[tokenBody], error) {
	token, err := h.service.ChangePassword(ctx, market.UserID(in.ID), in.Body.Password, in.Body.Next)
	return &httpapi.Plain[tokenBody]{Body: tokenBody{AccessToken: token}}, err
}

type askResetBody struct {
	Mail string `json:"mail" minLength:"1" maxLength:"255"`
}

type askResetInput struct{ Body askResetBody }

// Subject is the mail that a message is asked for.
func (in *askResetInput) Subject() string { return database.Fold(in.Body.Mail) }

type askedBody struct {
	Message string `json:"message"`
}

const askedText = "If an account has this mail, a message is on its way."

func (h handlers) askReset(ctx context.Context, in *askResetInput) (*httpapi.Plain[askedBody], error) {
	return &httpapi.Plain[askedBody]{Body: askedBody{askedText}}, h.service.AskReset(ctx, in.Body.Mail)
}

type useResetBody struct {
	Token string `json:"token" format:"password" writeOnly:"true" minLength:"1" maxLength:"255"`
	Next  string `json:"newPassword" format:"password" writeOnly:"true" minLength:"1" maxLength:"255" doc:"At least 8 characters, and not one that everybody tries first."`
}

func (h handlers) useReset(ctx context.Context, in *struct{ Body useResetBody }) (*httpapi.Nothing, error) {
	return &httpapi.Nothing{}, h.service.UseReset(ctx, in.Body.Token, in.Body.Next)
}

type resetBody struct {
	User    int64       `json:"userId"`
	Mail    string      `json:"mail"`
	Token   string      `json:"token" doc:"Good once."`
	Expires market.Time `json:"expires_at"`
}

func (h handlers) makeReset(ctx context.Context, in *struct{ Body askResetBody }) (*httpapi.Plain[resetBody], error) {
	made, err := h.service.MakeReset(ctx, in.Body.Mail)
	return &httpapi.Plain[resetBody]{Body: resetBody{int64(made.User), made.Mail, made.Token, made.Expires}}, err
}
