package popular

import (
	"context"
	"mime"
	"net/http"
	"strings"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

// System says how the clients of recent purchases expect it to speak.
func System() httpapi.System {
	return httpapi.System{
		Name: "popular", Tag: "Recent purchases",
		Description: "Who else bought what somebody bought last, made from the data API and cached.",
	}
}

// Routes declares the operation. Without a service it is only documented.
func Routes(g *httpapi.Group, s *Service) {
	httpapi.Register(g, httpapi.Operation{
		ID: "recent-purchases", Method: http.MethodGet, Path: "/api/recent_purchases/{username}", Access: httpapi.RecentPurchases,
		Summary: "Show recent purchases",
		Description: "The products of the user's five latest purchases, each once and with everyone who bought it, the most bought first. " +
			"That there is no such user is told in a plain sentence, or as a problem to a client whose `Accept` names a JSON type.",
		TextErrors: []int{http.StatusNotFound},
		Answer:     []recentProductBody{{ID: 1, Face: "(ʘ‿ʘ)", Price: 1100, Size: 27, Recent: []string{"Ann", "Bob"}}},
	}, handlers{s}.recent)
}

type handlers struct{ service *Service }

// recentProductBody is a [Product] in the document. Answers are encoded once and
// kept, so none is ever made of it.
type recentProductBody struct {
	ID     int64    `json:"id" example:"1"`
	Face   string   `json:"face" doc:"Unicode art." example:"(ʘ‿ʘ)"`
	Price  int64    `json:"price" doc:"In cents." example:"1100"`
	Size   int64    `json:"size" example:"27"`
	Recent []string `json:"recent" doc:"Everyone who bought it, the user too, each once."`
}

type recentInput struct {
	Username string `path:"username" example:"Ann"`
	Accept   string `header:"Accept" hidden:"true"` // OpenAPI takes it from the answers' types
}

func (h handlers) recent(ctx context.Context, in *recentInput) (*httpapi.Encoded[[]recentProductBody], error) {
	answer, err := h.service.Answer(ctx, in.Username)
	if err == nil {
		return httpapi.NewEncoded[[]recentProductBody](answer), nil
	}
	if market.KindOf(err) == market.NotFound && !namesJSON(in.Accept) {
		return nil, &httpapi.TextError{Status: http.StatusNotFound, Text: err.Error()}
	}
	return nil, err
}

// namesJSON says whether an Accept header names a JSON type that it wants:
// clients that take anything get what they have always got.
func namesJSON(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil || strings.Trim(params["q"], "0.") == "" && params["q"] != "" {
			continue
		}
		if media == "application/json" || strings.HasSuffix(media, "+json") {
			return true
		}
	}
	return false
}
