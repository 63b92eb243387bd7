package auctions

import "emporium/internal/platform/httpapi"

// System says how the clients of the bid tracker expect it to speak.
func System() httpapi.System {
	return httpapi.System{
		Name: "auctions", Tag: "Auctions", ErrorAlias: "message", IgnoreUnknown: true,
		Description: "A bid tracker: bidders, items and their bids. The highest bid on an item wins, and the earlier of two equal ones.",
	}
}

// Routes declares the operations. Without a service they are only documented.
func Routes(g *httpapi.Group, s *Service) {
	h := handlers{s}
	userRoutes(g, h)
	itemRoutes(g, h)
	bidRoutes(g, h)
	personalRoutes(g, s)
}

type handlers struct{ service *Service }

const root = "/api/v1"
