package app

// goods are what import and export move: where a row is posted, how all of them
// are read, and which fields the server assigns itself.
type goods struct {
	service  string // which must run to take them without a server
	path     string
	assigned []string // fields of an export that a new row must not carry
	envelope string   // the member that holds the rows of a page; "" for a bare, streamed array
}

var goodsByName = map[string]goods{
	"movies":    {service: "inventory", path: "/api/movies", assigned: []string{"id"}},
	"coupons":   {service: "coupons", path: "/coupons", assigned: []string{"id"}},
	"products":  {service: "purchases", path: "/api/products", envelope: "products"},
	"users":     {service: "purchases", path: "/api/users", envelope: "users"},
	"purchases": {service: "purchases", path: "/api/purchases", envelope: "purchases"},
}
