package inventory

import (
	"context"
	"net/http"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

// System says how the clients of the catalogue expect it to speak.
func System() httpapi.System {
	return httpapi.System{
		Name: "inventory", Tag: "Movies",
		Description: "The catalogue of a movie streaming platform.",
	}
}

// Routes declares the operations. Without a service they are only documented.
func Routes(g *httpapi.Group, s *Service) {
	h := handlers{s}
	httpapi.RegisterList(g, httpapi.Operation{
		ID: "list-movies", Method: http.MethodGet, Path: "/api/movies", Access: httpapi.ReadCatalogue,
		Summary: "List the movies", Description: "All movies in id order, or those whose titles contain a text, whatever its case.",
		Answer: []movieBody{example},
	}, h.list)
	httpapi.Register(g, httpapi.Operation{
		ID: "create-movie", Method: http.MethodPost, Path: "/api/movies", Access: httpapi.WriteCatalogue, Once: true,
		Summary: "Add a movie", Description: "Puts a movie into the catalogue and answers with it.",
		Example: map[string]any{"title": example.Title, "description": example.Description}, Answer: example,
	}, h.create)
	httpapi.Register(g, httpapi.Operation{
		ID: "delete-movies", Method: http.MethodDelete, Path: "/api/movies", Access: httpapi.WriteCatalogue,
		Summary: "Remove all movies", Description: "Empties the catalogue. Ids are never used again.",
	}, h.clear)
	httpapi.Register(g, httpapi.Operation{
		ID: "get-movie", Method: http.MethodGet, Path: "/api/movies/{id}", Access: httpapi.ReadCatalogue,
		Summary: "Show a movie", Description: "One movie by its id.", Answer: example,
	}, h.get)
	httpapi.Register(g, httpapi.Operation{
		ID: "update-movie", Method: http.MethodPut, Path: "/api/movies/{id}", Access: httpapi.WriteCatalogue,
		Summary: "Change a movie", Description: "Changes the fields that the body carries.",
		Example: map[string]any{"title": example.Title}, Answer: example,
	}, h.update)
	httpapi.Register(g, httpapi.Operation{
		ID: "delete-movie", Method: http.MethodDelete, Path: "/api/movies/{id}", Access: httpapi.WriteCatalogue,
		Summary: "Remove a movie", Description: "Takes one movie out of the catalogue. Its id is never used again.",
	}, h.remove)
}

type handlers struct{ service *Service }

type movieBody struct {
	ID          int64   `json:"id" example:"1"`
	Title       string  `json:"title" example:"Alien"`
	Description *string `json:"description" nullable:"true" example:"In space no one can hear you scream."`
}

var example = movieBody{ID: 1, Title: "Alien", Description: new("In space no one can hear you scream.")}

func show(m Movie) movieBody {
	return movieBody{ID: m.ID, Title: m.Title, Description: m.Description}
}

type movieInput struct {
	ID          market.Opt[httpapi.Int] `json:"id,omitzero" doc:"Read-only: accepted when it is the id that the movie has."`
	Title       market.Opt[string]      `json:"title,omitzero" minLength:"1" doc:"Required when adding."`
	Description market.Opt[string]      `json:"description,omitzero" nullable:"true"`
}

func (b movieInput) change() Change {
	return Change{ID: httpapi.Integer(b.ID), Title: b.Title, Description: b.Description}
}

type listInput struct {
	httpapi.PageInput
	Title string `query:"title" doc:"A text that the title contains, whatever its case."`
}

func (h handlers) list(ctx context.Context, in *listInput) (*httpapi.List[movieBody], error) {
	movies := h.service.Movies(ctx, in.Title, httpapi.Ahead(in.Page()))
	return httpapi.NewList(in.Page(), func(m movieBody) int64 { return m.ID }, movies, show), nil
}

func (h handlers) create(ctx context.Context, in *struct{ Body newMovie }) (*httpapi.Thing[movieBody], error) {
	m, err := h.service.AddMovie(ctx, Change{Title: market.Some(in.Body.Title), Description: in.Body.Description})
	return thing(m, err)
}

type newMovie struct {
	Title       string             `json:"title" minLength:"1"`
	Description market.Opt[string] `json:"description,omitzero" nullable:"true"`
}

// MovieID is the id in a path.
type MovieID struct {
	ID int64 `path:"id" noun:"Movie ID" example:"1"`
}

func (h handlers) get(ctx context.Context, in *MovieID) (*httpapi.Thing[movieBody], error) {
	return thing(h.service.Movie(ctx, in.ID))
}

type updateInput struct {
	MovieID
	httpapi.IfMatch
	Body movieInput
}

func (h handlers) update(ctx context.Context, in *updateInput) (*httpapi.Thing[movieBody], error) {
	return thing(h.service.ChangeMovie(ctx, in.ID, in.Body.change(), in.If))
}

type removeInput struct {
	MovieID
	httpapi.IfMatch
}

func (h handlers) remove(ctx context.Context, in *removeInput) (*httpapi.Nothing, error) {
	return &httpapi.Nothing{}, h.service.RemoveMovie(ctx, in.ID, in.If)
}

func (h handlers) clear(ctx context.Context, _ *struct{}) (*httpapi.Nothing, error) {
	return &httpapi.Nothing{}, h.service.RemoveMovies(ctx)
}

func thing(m Movie, err error) (*httpapi.Thing[movieBody], error) {
	if err != nil {
		return nil, err
	}
	return &httpapi.Thing[movieBody]{ETag: httpapi.ETag(m.Version), Body: show(m)}, nil
}
