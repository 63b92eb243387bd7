package app

import (
	"context"
	"slices"

	"emporium/internal/accounts"
	"emporium/internal/accounts/signin"
	"emporium/internal/auctions"
	"emporium/internal/billing"
	"emporium/internal/coupons"
	"emporium/internal/inventory"
	"emporium/internal/market"
	"emporium/internal/platform/events"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/stafflog"
	"emporium/internal/popular"
	"emporium/internal/property"
	"emporium/internal/purchases"
)

// service is one row of the deployment: a service's name, what it needs, what
// it serves and how it is built.
type service struct {
	name     string
	about    string
	needs    string   // in words, for `emporium services`
	paths    []string // and what is below each; the longest of all services wins
	examples []string // GETs worth following, for the landing page
	open     func(a *App, ctx context.Context) error
	// routes declares its operations; what does not run here is only documented.
	routes func(api *httpapi.API, a *App)
}

// keepsData says whether the service has a database.
func (s service) keepsData() bool {
	return slices.ContainsFunc(new(DatabaseFlags).all(), func(d databaseSetting) bool { return d.service == s.name })
}

// allPaths are what the gateway hands on to the service.
func (s service) allPaths() []string {
	if !s.keepsData() {
		return s.paths
	}
	return append(slices.Clone(s.paths), stafflog.Path(s.name))
}

// services is the deployment on one page, in the order in which they open: who
// is asked comes before who asks.
var services = []service{
	{
		name: "accounts", about: "who people are: signing up and in", needs: "its database, the queue",
		paths: []string{"/api/user", "/api/staff", "/api/signing-keys", accounts.FirstStaffPath, "/.well-known/jwks.json", signin.Path, "/api/personal-records/accounts"}, examples: []string{"/api/user/?limit=20", "/.well-known/jwks.json"},
		open: (*App).openAccounts,
		routes: func(api *httpapi.API, a *App) {
			accounts.Routes(api.System(a.system(accounts.System())), a.accounts)
		},
	},
	{
		name: "coupons", about: "coupons of merchants", needs: "its database",
		paths: []string{"/coupons"}, examples: []string{"/coupons?limit=20", "/coupons?status=invalid&limit=20", "/coupons/1"},
		open: (*App).openCoupons,
		routes: func(api *httpapi.API, a *App) {
			coupons.Routes(api.System(a.system(coupons.System())), a.coupons)
		},
	},
	{
		name: "auctions", about: "the bid tracker: items, bidders and bids", needs: "its database, the queue",
		paths: []string{"/api/v1", "/api/personal-records/auctions"}, examples: []string{"/api/v1/items?limit=20", "/api/v1/items/item1?complete=1", "/api/v1/users/user1/items"},
		open: (*App).openAuctions,
		routes: func(api *httpapi.API, a *App) {
			auctions.Routes(api.System(a.system(auctions.System())), a.auctions)
		},
	},
	{
		name: "property", about: "homes, their rooms and their types", needs: "its database, the queue, accounts (here or --accounts-url)",
		paths: []string{"/api/property", "/api/room", "/api/type", "/api/personal-records/property"},
		open:  (*App).openProperty,
		routes: func(api *httpapi.API, a *App) {
			property.Routes(api.System(a.system(property.System())), a.property)
		},
	},
	{
		name: "inventory", about: "the catalogue of movies", needs: "its database",
		paths: []string{"/api/movies"}, examples: []string{"/api/movies?limit=20", "/api/movies?title=alien", "/api/movies/1"},
		open: (*App).openInventory,
		routes: func(api *httpapi.API, a *App) {
			inventory.Routes(api.System(a.system(inventory.System())), a.inventory)
		},
	},
	{
		name: "billing", about: "orders, worked off from the queue", needs: "its database, the queue",
		paths: []string{"/api/billing/orders", "/api/personal-records/billing"}, examples: []string{"/api/billing/orders?limit=20"},
		open: (*App).openBilling,
		routes: func(api *httpapi.API, a *App) {
			billing.Routes(api.System(a.system(billing.System())), a.billing)
		},
	},
	{
		name: "purchases", about: "the megastore's data API: who bought what", needs: "its database",
		paths: []string{"/api/users", "/api/products", "/api/purchases"}, examples: []string{"/api/users", "/api/products?limit=20", "/api/purchases/by_product/1"},
		open: (*App).openPurchases,
		routes: func(api *httpapi.API, a *App) {
			purchases.Routes(api.System(a.system(purchases.System())), a.purchases)
		},
	},
	{
		name: "popular", about: "recent purchases: who else bought what you bought", needs: "purchases (here, --purchases-url or --popular-data-url)",
		paths: []string{"/api/recent_purchases"},
		open:  (*App).openPopular,
		routes: func(api *httpapi.API, a *App) {
			popular.Routes(api.System(a.system(popular.System())), a.popular)
		},
	},
}

// gatewayName is the one name that is not a service of its own: the front door,
// which also takes orders in for billing.
const gatewayName = "gateway"

// listeners says who hears of what, in this process or in another.
var listeners = events.Listeners{
	market.AccountDeleted{}.EventName(): {"property", "auctions", "billing"},
}
