package apitest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// Document is the OpenAPI document, to hold answers against.
type Document struct {
	Spec   *openapi3.T
	router routers.Router
}

// NewDocument reads a document.
func NewDocument(t testing.TB, doc []byte) *Document {
	t.Helper()
	spec, err := openapi3.NewLoader().LoadFromData(doc)
	if err != nil {
		t.Fatalf("the OpenAPI document cannot be read: %v", err)
	}
	spec.Servers = nil
	router, err := legacy.NewRouter(spec)
	if err != nil {
		t.Fatalf("the OpenAPI document does not hold together: %v", err)
	}
	return &Document{Spec: spec, router: router}
}

// Answer is what came back from a call.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Fits says how an answer of an operation, by its method and its path in the
// document, differs from what is documented; nil: not at all. A HEAD is answered
// as a GET, without the body.
func (d *Document) Fits(ctx context.Context, method, path string, a Answer) error {
	documented := method
	if method == http.MethodHead {
		documented = http.MethodGet
	}
	item := d.Spec.Paths.Value(path)
	operation := item.GetOperation(documented)
	if operation.Responses.Status(a.Status) == nil {
		return fmt.Errorf("the status %d is not documented", a.Status)
	}
	if method == http.MethodHead { // RFC 9110: it has no content, whatever the document says of 200
		return nil
	}
	if content := operation.Responses.Value(strconv.Itoa(a.Status)).Value.Content; len(content) == 0 && len(a.Body) > 0 {
		return fmt.Errorf("no body is documented for %d", a.Status)
	}
	r, err := http.NewRequestWithContext(ctx, documented, path, http.NoBody)
	if err != nil {
		return err
	}
	return openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: r, Route: &routers.Route{Spec: d.Spec, Path: path, PathItem: item, Method: documented, Operation: operation},
		},
		Status:  a.Status,
		Header:  a.Header,
		Body:    io.NopCloser(bytes.NewReader(a.Body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
}

// Takes says why the document has an operation refuse a JSON body; nil: it does
// not.
func (d *Document) Takes(method, path string, body any) error {
	schema := d.Spec.Paths.Value(path).GetOperation(method).RequestBody.Value.Content["application/json"].Schema.Value
	return schema.VisitJSON(body, openapi3.EnableJSONSchema2020(), openapi3.VisitAsRequest())
}
