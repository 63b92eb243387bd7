package purchases

import (
	"net/http"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

// System says how the clients of the data API expect it to speak.
func System() httpapi.System {
	return httpapi.System{
		Name: "purchases", Tag: "Data API",
		Description: "The megastore's customers, products and purchases, which recent purchases are made of.",
	}
}

// Routes declares the operations. Without a service they are only documented.
func Routes(g *httpapi.Group, s *Service) {
	h := handlers{s}
	httpapi.Register(g, httpapi.Operation{
		ID: "list-customers", Method: http.MethodGet, Path: "/api/users", Access: httpapi.ReadPurchases,
		Summary: "List the customers", Description: "Customers in the order in which they came, ten unless asked for more.",
		Answer: customersBody{[]customerBody{exampleCustomer}},
	}, h.customers)
	httpapi.Register(g, httpapi.Operation{
		ID: "create-customer", Method: http.MethodPost, Path: "/api/users", Access: httpapi.WriteCatalogue, Once: true, Status: http.StatusCreated,
		Summary: "Add a customer", Description: "Names differ when a letter's case does. A name that is taken is a 409.",
		Example: exampleCustomer, Answer: oneCustomer{exampleCustomer},
	}, h.addCustomer)
	httpapi.Register(g, httpapi.Operation{
		ID: "get-customer", Method: http.MethodGet, Path: "/api/users/{username}", Access: httpapi.ReadPurchases,
		Summary: "Show a customer", Description: "One customer by name, exactly as it is written.",
		Answer: oneCustomer{exampleCustomer},
	}, h.customer)
	httpapi.Register(g, httpapi.Operation{
		ID: "list-products", Method: http.MethodGet, Path: "/api/products", Access: httpapi.ReadCatalogue,
		Summary: "List the products", Description: "Products in the order in which they came, ten unless asked for more.",
		Answer: productsBody{[]productBody{exampleProduct}},
	}, h.products)
	httpapi.Register(g, httpapi.Operation{
		ID: "create-product", Method: http.MethodPost, Path: "/api/products", Access: httpapi.WriteCatalogue, Once: true, Status: http.StatusCreated,
		Summary: "Add a product", Description: "Its id may be chosen; one that is taken is a 409. Its face is kept code point by code point.",
		Example: map[string]any{"face": exampleProduct.Face, "size": exampleProduct.Size, "price": exampleProduct.Price},
		Answer:  oneProduct{exampleProduct},
	}, h.addProduct)
	httpapi.Register(g, httpapi.Operation{
		ID: "get-product", Method: http.MethodGet, Path: "/api/products/{id}", Access: httpapi.ReadCatalogue,
		Summary: "Show a product", Description: "One product by its id.", Answer: oneProduct{exampleProduct},
	}, h.product)
	httpapi.Register(g, httpapi.Operation{
		ID: "create-purchase", Method: http.MethodPost, Path: "/api/purchases", Access: httpapi.WriteCatalogue, Once: true, Status: http.StatusCreated,
		Summary: "Add a purchase", Description: "The next answer of recent purchases shows it. Its id may be chosen; one that is taken is a 409. " +
			"An unknown product or user is a 400. Without a date it is made now.",
		Example: map[string]any{"product_id": examplePurchase.ProductID, "username": examplePurchase.Username},
		Answer:  onePurchase{examplePurchase},
	}, h.addPurchase)
	httpapi.Register(g, httpapi.Operation{
		ID: "list-purchases-by-user", Method: http.MethodGet, Path: "/api/purchases/by_user/{username}", Access: httpapi.ReadPurchases,
		Summary: "List a customer's purchases", Description: "Newest first, ten unless asked for more. An unknown customer has none.",
		Answer: purchasesBody{[]purchaseBody{examplePurchase}},
	}, h.byUser)
	httpapi.Register(g, httpapi.Operation{
		ID: "list-purchases-by-product", Method: http.MethodGet, Path: "/api/purchases/by_product/{product_id}", Access: httpapi.ReadPurchases,
		Summary: "List a product's purchases", Description: "Newest first, ten unless asked for more. An unknown product has none.",
		Answer: purchasesBody{[]purchaseBody{examplePurchase}},
	}, h.byProduct)
}

type handlers struct{ service *Service }

type customerBody struct {
	Username string `json:"username" minLength:"1" maxLength:"255" example:"Ann"`
	Email    string `json:"email" minLength:"3" maxLength:"255" example:"ann@example.com"`
}

type customersBody struct {
	Users []customerBody `json:"users"`
}

type oneCustomer struct {
	User customerBody `json:"user"`
}

type productBody struct {
	ID    int64  `json:"id" example:"1"`
	Face  string `json:"face" doc:"Unicode art." example:"(ʘ‿ʘ)"`
	Size  int64  `json:"size" example:"27"`
	Price int64  `json:"price" doc:"In cents." example:"1100"`
}

type productsBody struct {
	Products []productBody `json:"products"`
}

type oneProduct struct {
	Product productBody `json:"product"`
}

type purchaseBody struct {
	ID        int64       `json:"id" example:"1"`
	ProductID int64       `json:"product_id" example:"1"`
	Username  string      `json:"username" example:"Ann"`
	Date      market.Time `json:"date" example:"2016-08-05T08:40:51.620Z"`
}

type purchasesBody struct {
	Purchases []purchaseBody `json:"purchases"`
}

type onePurchase struct {
	Purchase purchaseBody `json:"purchase"`
}

var (
	exampleCustomer = customerBody{Username: "Ann", Email: "ann@example.com"}
	exampleProduct  = productBody{ID: 1, Face: "(ʘ‿ʘ)", Size: 27, Price: 1100}
	examplePurchase = purchaseBody{ID: 1, ProductID: 1, Username: "Ann", Date: exampleDate}
	exampleDate, _  = parseDate("2016-08-05T08:40:51.620Z")
)
