package httpapi

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"

	"emporium/internal/market"
)

// Thing is the answer that shows one resource.
type Thing[T any] struct {
	ETag string `header:"ETag" doc:"The version of what is shown, for If-None-Match and If-Match." example:"\"3\""`
	Body T
}

// Created is the answer to a POST that made a resource.
type Created[T any] struct {
	Location string `header:"Location" doc:"The path of what was made."`
	ETag     string `header:"ETag" doc:"Its version."`
	Body     T
}

// Plain is an answer without a version.
type Plain[T any] struct {
	Body T
}

// Encoded is an answer whose JSON was made before, such as a cached one. T
// documents it.
type Encoded[T any] struct {
	Body T // for the document alone
	json []byte
}

// NewEncoded answers with JSON as it is.
func NewEncoded[T any](json []byte) *Encoded[T] { return &Encoded[T]{json: json} }

// EncodedThing is a [Thing] whose JSON was made before.
type EncodedThing[T any] struct {
	ETag string `header:"ETag" doc:"The version of what is shown, for If-None-Match and If-Match." example:"\"3\""`
	Body T      // for the document alone
	json []byte
}

// NewEncodedThing answers with JSON as it is.
func NewEncodedThing[T any](etag string, json []byte) *EncodedThing[T] {
	return &EncodedThing[T]{ETag: etag, json: json}
}

// encoded marks a body that is JSON already.
type encoded []byte

// Nothing is an answer without a body: 204.
type Nothing struct{}

// answer is what the handlers of operations give back.
type answer interface {
	// parts gives Location, ETag and the body; a nil body is none.
	parts() (location, etag string, body any)
}

func (t *Thing[T]) parts() (location, etag string, body any)   { return "", t.ETag, &t.Body }
func (c *Created[T]) parts() (location, etag string, body any) { return c.Location, c.ETag, &c.Body }
func (p *Plain[T]) parts() (location, etag string, body any)   { return "", "", &p.Body }
func (e *Encoded[T]) parts() (location, etag string, body any) { return "", "", encoded(e.json) }
func (e *EncodedThing[T]) parts() (location, etag string, body any) {
	return "", e.ETag, encoded(e.json)
}
func (*Nothing) parts() (location, etag string, body any) { return "", "", nil }

// Register declares an operation whose answer is a [Thing], [Created], [Plain], [Encoded],
// [EncodedThing] or [Nothing]. It panics when the declaration is incomplete.
func Register[I any, O any, P interface {
	*O
	answer
}](g *Group, op Operation, handle func(context.Context, *I) (P, error)) {
	op = op.checked()
	handle = bounded(g, handle)
	document[I, O](g, op)
	read := newInputReader[I](g, op)
	g.mount(op, func(w http.ResponseWriter, r *http.Request) error {
		in, ctx, err := read(w, r)
		if err != nil {
			return err
		}
		out, err := handle(ctx, in)
		if op.Attempt == Renewing && market.KindOf(err) == market.Unauthenticated {
			if refusal := g.api.options.Limits.attempt(w, r, Renewing, ""); refusal != nil {
				return refusal
			}
		}
		if err != nil {
			if len(op.TextErrors) > 0 {
				w.Header().Add("Vary", "Accept")
			}
			return err
		}
		location, etag, body := out.parts()
		return writeAnswer(w, r, op.Status, location, etag, body)
	})
}

func (op Operation) checked() Operation {
	if op.Access.Open == 0 || op.Access.Protected == 0 || op.Access.Open > Within || op.Access.Protected > Within {
		panic("httpapi: " + op.ID + " does not say who may call it")
	}
	if op.ID == "" || op.Method == "" || op.Path == "" || op.Summary == "" || op.Description == "" {
		panic("httpapi: " + op.Method + " " + op.Path + " is not described")
	}
	if op.Status == 0 {
		op.Status = http.StatusOK
	}
	if op.MaxBody == 0 {
		op.MaxBody = defaultMaxBody
	}
	return op
}

// newInputReader makes the function that reads a request in the order of the
// contract: token, id in the path, content type and shape of the body. What is
// left (existence, right, values, precondition, conflict) is the service's.
func newInputReader[I any](g *Group, op Operation) func(http.ResponseWriter, *http.Request) (*I, context.Context, error) {
	plan := planInput(reflect.TypeFor[I](), bodyRules{ignoreUnknown: g.system.IgnoreUnknown, protected: g.api.options.Mode == Protected})
	return func(w http.ResponseWriter, r *http.Request) (*I, context.Context, error) {
		ctx := r.Context()
		id, err := g.api.identify(ctx, r, op.Access)
		if err == nil {
			id, err = g.api.limit(id, op, g.system.Name)
		}
		if err != nil {
			return nil, nil, err
		}
		if op.Keys != AnyKey {
			if err := g.api.options.Limits.caller(w, r, id); err != nil {
				return nil, nil, err
			}
		}
		if id != (market.Identity{}) {
			ctx = market.WithIdentity(ctx, id)
		}
		if (id.Staff || id.Inside) && op.Method != http.MethodGet {
			ctx = market.WithAction(ctx, &market.Action{
				User: id.User, Operation: op.ID, Call: op.Method + " " + r.URL.EscapedPath(), From: g.api.options.From(r),
			})
		}
		if op.OnBehalf && id.SignedIn() {
			ctx = context.WithValue(ctx, tokenKey{}, r.Header.Get("Authorization"))
		}
		in := new(I)
		v := reflect.ValueOf(in).Elem()
		unknown, err := plan.readPath(v, r)
		if err != nil {
			return nil, nil, err
		}
		if plan.body != nil {
			if ctx, err = g.readBody(ctx, w, r, op, plan, v, id); err != nil {
				return nil, nil, err
			}
		}
		if err := plan.readQuery(v, r, g.system.StrictQuery); err != nil {
			return nil, nil, err
		}
		if unknown != nil {
			return nil, nil, unknown
		}
		if plan.ifMatch != nil {
			v.FieldByIndex(plan.ifMatch).Set(reflect.ValueOf(parseIfMatch(r.Header["If-Match"])))
		}
		for _, h := range plan.header {
			v.FieldByIndex(h.index).SetString(r.Header.Get(h.name))
		}
		if op.Attempt != Renewing {
			err = g.api.options.Limits.attempt(w, r, op.Attempt, subjectOf(in))
		}
		return in, ctx, err
	}
}

func (g *Group) readBody(ctx context.Context, w http.ResponseWriter, r *http.Request, op Operation, plan *inputPlan, v reflect.Value, id market.Identity) (context.Context, error) {
	if err := checkContentType(r.Header.Get("Content-Type")); err != nil {
		return nil, err
	}
	buf, refused := readBody(w, r, op.MaxBody)
	if refused != nil {
		return nil, refused
	}
	defer returnBody(buf)
	if err := decodeBody(buf.Bytes(), v.FieldByIndex(plan.body), plan.readBody); err != nil {
		return nil, err
	}
	key := r.Header.Get("Idempotency-Key")
	if !op.Once || key == "" {
		return ctx, nil
	}
	if len(key) > 255 || !cleanText(key) {
		return nil, market.Faults{{Location: "header.Idempotency-Key", Message: "Idempotency-Key must be 1 to 255 characters"}}.Err("invalid_header")
	}
	caller := "anyone"
	switch {
	case id.SignedIn():
		caller = "user:" + itoa(int64(id.User))
	case id.Inside:
		caller = "inside"
	}
	operation := op.ID
	if strings.Contains(op.Path, "{") { // a room of one property is not a repeat of another's
		operation += " " + strings.TrimSuffix(r.URL.Path, "/")
	}
	return market.WithOnceKey(ctx, market.OnceKey{Key: key, Caller: caller, Operation: operation, Body: append([]byte(nil), buf.Bytes()...)}), nil
}

// reason is all that the errors of a chain say: a refusal's own text leaves out
// its cause.
func reason(err error) string {
	text := err.Error()
	var refusal *market.Error
	for errors.As(err, &refusal) && refusal.Cause != nil {
		err = refusal.Cause
		if more := err.Error(); !strings.Contains(text, more) {
			text += ": " + more
		}
	}
	return text
}

// Fail answers a request that no operation does with an error, as an operation
// would.
func (a *API) Fail(w http.ResponseWriter, r *http.Request, err error) {
	a.fail(w, r, aliasAt(w, r), err)
}

// fail writes an error as a problem. What is not a refusal is a fault of ours:
// it is logged whole, and the caller learns only that it happened.
func (a *API) fail(w http.ResponseWriter, r *http.Request, alias string, err error) {
	var refusal *market.Error
	var status *statusError
	var text *TextError
	switch {
	case errors.As(err, &text):
		writeText(w, r, text)
		return
	case errors.As(err, &status):
	case errors.As(err, &refusal):
		status = asStatus(refusal)
		if refusal.Cause != nil {
			a.options.Log.WarnContext(r.Context(), "refused", "request_id", RequestID(w), "path", LoggedPath(r.URL.Path), "detail", refusal.Detail, "cause", reason(refusal.Cause))
		}
	case r.Context().Err() != nil: // the caller has gone: nobody reads this
		status = &statusError{status: http.StatusServiceUnavailable, detail: "the request was cancelled", header: http.Header{"Retry-After": {"1"}}}
	default:
		a.options.Log.ErrorContext(r.Context(), "request failed", "request_id", RequestID(w), "method", r.Method, "path", LoggedPath(r.URL.Path), "error", err)
		status = &statusError{status: http.StatusInternalServerError, code: "internal", detail: "something went wrong on our side; request " + RequestID(w) + " is in the log"}
	}
	writeProblem(w, r, alias, status)
}
