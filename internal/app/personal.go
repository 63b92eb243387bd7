package app

import (
	"emporium/internal/gateway"
	"emporium/internal/market"
)

// personalData is who keeps something about people. The accounts come first:
// they know whom there is.
func (a *App) personalData() []gateway.PersonalPart {
	here := map[string]market.PersonalData{}
	if a.accounts != nil {
		here["accounts"] = a.accounts
	}
	if a.property != nil {
		here["property"] = a.property
	}
	if a.auctions != nil {
		here["auctions"] = a.auctions
	}
	if a.billing != nil {
		here["billing"] = a.billing
	}
	var parts []gateway.PersonalPart
	for _, name := range []string{"accounts", "property", "auctions", "billing"} {
		part := gateway.PersonalPart{Service: name, Data: here[name]}
		if u := a.upstreams[name]; part.Data == nil && u != nil {
			part.Data = gateway.NewPersonalClient(u)
		}
		parts = append(parts, part)
	}
	return parts
}
