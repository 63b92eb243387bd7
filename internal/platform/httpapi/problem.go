package httpapi

import (
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"emporium/internal/market"
)

// statuses is the one table that turns kinds of refusals into HTTP statuses;
// [KindOf] reads it the other way for the services' HTTP clients.
var statuses = map[market.Kind]int{
	market.Invalid:         http.StatusBadRequest,
	market.Unauthenticated: http.StatusUnauthorized,
	market.Denied:          http.StatusForbidden,
	market.NotFound:        http.StatusNotFound,
	market.Conflict:        http.StatusConflict,
	market.Stale:           http.StatusPreconditionFailed,
	market.Unavailable:     http.StatusServiceUnavailable,
}

// KindOf gives the kind of refusal that a status stands for, or 0 when it
// stands for none of ours.
func KindOf(status int) market.Kind {
	for kind, s := range statuses {
		if s == status {
			return kind
		}
	}
	return 0
}

// Problem is the body of every error (RFC 9457). The text of Detail stands
// again in Error or Message, whichever the clients of that system read.
type Problem struct {
	Type     string         `json:"type" doc:"A URI for this kind of problem; about:blank when the status says all." example:"about:blank"`
	Title    string         `json:"title" doc:"The status in words." example:"Bad Request"`
	Status   int            `json:"status" doc:"The HTTP status again." example:"400"`
	Detail   string         `json:"detail" doc:"What went wrong, and what to do about it." example:"title is required"`
	Instance string         `json:"instance" doc:"The path that was asked for." example:"/api/movies"`
	Error    string         `json:"error,omitempty" doc:"The same text as detail, for clients of the coupon API."`
	Message  string         `json:"message,omitempty" doc:"The same text as detail, for clients of the auction, property and account APIs."`
	Errors   []market.Fault `json:"errors,omitempty" doc:"Each thing that is wrong with the input, all at once."`
}

// problemType is the URI of a stable code.
func problemType(code string) string {
	if code == "" {
		return "about:blank"
	}
	return "urn:emporium:problem:" + code
}

// statusError is a refusal with a status that has no kind of its own (404 for a
// path, 405, 413, 415).
type statusError struct {
	status int
	code   string
	detail string
	faults []market.Fault
	header http.Header
}

func (e *statusError) Error() string { return e.detail }

// writeProblem answers with a problem. The alias names the member that repeats
// the detail: "error", "message" or "".
func writeProblem(w http.ResponseWriter, r *http.Request, alias string, e *statusError) {
	p := Problem{
		Type: problemType(e.code), Title: http.StatusText(e.status), Status: e.status,
		Detail: e.detail, Instance: r.URL.EscapedPath(), Errors: e.faults,
	}
	switch alias {
	case "error":
		p.Error = e.detail
	case "message":
		p.Message = e.detail
	}
	body, err := json.Marshal(&p, json.Deterministic(true))
	if err != nil { // a fault's value that cannot be encoded is left out rather than lose the answer
		for i := range p.Errors {
			p.Errors[i].Value = nil
		}
		body, _ = json.Marshal(&p, jsontext.AllowInvalidUTF8(true))
	}
	h := w.Header()
	maps.Copy(h, e.header)
	h.Del("ETag")
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// asStatus turns a refusal of the market into what is answered.
func asStatus(e *market.Error) *statusError {
	s := &statusError{status: statuses[e.Kind], code: e.Code, detail: e.Detail, faults: e.Faults}
	if e.Kind == market.Unauthenticated {
		s.header = http.Header{"Www-Authenticate": {"Bearer"}}
	}
	if e.Kind == market.Unavailable {
		s.header = http.Header{"Retry-After": {strconv.Itoa(max(1, int(e.RetryAfter/time.Second)))}}
	}
	if s.status == 0 {
		s.status = http.StatusInternalServerError
	}
	return s
}

// TextError is a refusal whose body is a plain sentence, for the clients of a
// system that expect one.
type TextError struct {
	Status int
	Text   string
}

// Error gives the sentence.
func (e *TextError) Error() string { return e.Text }

func writeText(w http.ResponseWriter, r *http.Request, e *TextError) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(e.Text)))
	w.WriteHeader(e.Status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, e.Text)
	}
}
