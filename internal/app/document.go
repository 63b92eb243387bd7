package app

import "emporium/internal/platform/httpapi"

// Document is the OpenAPI document of all services. It needs none of them to
// run.
func Document() (httpapi.Document, error) {
	api := httpapi.New(httpapi.Options{Title: "Emporium", Version: Version})
	new(App).declare(api)
	return api.Document()
}
