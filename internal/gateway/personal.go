package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

// PersonalSystem says how the export of personal data speaks.
func PersonalSystem() httpapi.System {
	return httpapi.System{
		Name: "gateway", Tag: "Personal data", ErrorAlias: "message",
		Description: "Everything that is kept about a person, across all services.",
	}
}

// PersonalPart is what one service keeps about people. Data is nil for a service
// that neither runs here nor has an address.
type PersonalPart struct {
	Service string
	Data    market.PersonalData
}

// PersonalRoutes declares the export of personal data. The first part is the one
// that knows which accounts there are.
func PersonalRoutes(g *httpapi.Group, parts []PersonalPart) {
	httpapi.RegisterList(g, httpapi.Operation{
		ID: "export-personal-data", Method: http.MethodGet, Path: "/api/personal-data/{id}", Access: httpapi.ReadPersonal, OnBehalf: true,
		Summary: "Export everything about somebody",
		Description: "All that is kept about an account, across all services: the account, its properties with their rooms, its bidder and bids, its orders. " +
			"A service that cannot be reached is a 503 that names it. What ends before its closing bracket is not whole.",
		Errors: []int{http.StatusServiceUnavailable},
		Answer: []market.PersonalRecord{
			{Service: "accounts", Kind: "account", Data: map[string]any{"userId": 1, "firstName": "Zoé", "lastName": "Martin", "birthDate": "1990-04-23", "mail": "zoe@example.com"}},
			{Service: "billing", Kind: "order", Data: map[string]any{"id": 1, "user_id": "1", "number_of_items": 5, "total_amount": 180}},
		},
	}, func(ctx context.Context, in *httpapi.PersonOf) (*httpapi.List[market.PersonalRecord], error) {
		about := market.UserID(in.ID)
		// Each part is asked for its beginning before any is told, so that one that
		// cannot be reached is a refusal and not half an answer.
		for _, p := range parts {
			for _, err := range p.walk(ctx, about) {
				if err != nil {
					return nil, err
				}
				break
			}
		}
		return httpapi.PersonalList(func(yield func(market.PersonalRecord, error) bool) {
			for _, p := range parts {
				for record, err := range p.walk(ctx, about) {
					if !yield(record, err) || err != nil {
						return
					}
				}
			}
		}), nil
	})
}

// walk is what the part gives. What keeps it from answering is Unavailable, and
// names it.
func (p PersonalPart) walk(ctx context.Context, about market.UserID) iter.Seq2[market.PersonalRecord, error] {
	return func(yield func(market.PersonalRecord, error) bool) {
		if p.Data == nil {
			yield(market.PersonalRecord{}, p.missing(errors.New("it neither runs here nor has an address")))
			return
		}
		for record, err := range p.Data.PersonalData(ctx, about) {
			if err != nil {
				err = p.refusal(err)
			}
			if !yield(record, err) || err != nil {
				return
			}
		}
	}
}

// refusal passes on what is the caller's to know.
func (p PersonalPart) refusal(err error) error {
	switch refused, ok := errors.AsType[*market.Error](err); {
	case ok && (refused.Kind == market.Denied || refused.Kind == market.Unauthenticated):
		return err
	case ok && refused.Kind == market.NotFound && refused.Code == "unknown_account":
		return err
	}
	return p.missing(err)
}

func (p PersonalPart) missing(cause error) error {
	return &market.Error{
		Kind: market.Unavailable, Code: "personal_data_incomplete", RetryAfter: time.Second, Cause: cause,
		Detail: "what the service '" + p.Service + "' keeps cannot be read, and without it the export would not be whole: try again shortly",
	}
}

// PersonalClient asks a service that runs elsewhere what it keeps about a person,
// with the token of whoever asks.
type PersonalClient struct {
	service string
	http    *http.Client
}

var _ market.PersonalData = (*PersonalClient)(nil)

// NewPersonalClient asks the service at the end of a way.
func NewPersonalClient(u *Upstream) *PersonalClient {
	return &PersonalClient{service: u.name, http: u.Client(0)}
}

// PersonalData is said at [market.PersonalData]. It holds one record at a time.
func (c *PersonalClient) PersonalData(ctx context.Context, about market.UserID) iter.Seq2[market.PersonalRecord, error] {
	return func(yield func(market.PersonalRecord, error) bool) {
		err := c.read(ctx, about, func(record market.PersonalRecord) bool { return yield(record, nil) })
		if err != nil {
			yield(market.PersonalRecord{}, err)
		}
	}
}

// read hands over each record until there is no more, or no more is wanted.
func (c *PersonalClient) read(ctx context.Context, about market.UserID, take func(market.PersonalRecord) bool) error {
	address := "http://" + c.service + httpapi.PersonalPath(c.service) + "/" + strconv.FormatInt(int64(about), 10)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	httpapi.PassOn(ctx, request.Header)
	httpapi.PassToken(ctx, request.Header)
	answer, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, answer.Body, 4<<10) // a short rest, so that the connection serves again
		_ = answer.Body.Close()
	}()
	if answer.StatusCode != http.StatusOK {
		return refusalOf(answer)
	}
	d := jsontext.NewDecoder(answer.Body)
	start, err := d.ReadToken()
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", address, err)
	}
	if start.Kind() != '[' {
		return fmt.Errorf("%s does not answer with a list", address)
	}
	for d.PeekKind() != ']' {
		var record struct {
			Kind string         `json:"kind"`
			Data jsontext.Value `json:"data"`
		}
		if err := json.UnmarshalDecode(d, &record); err != nil {
			return fmt.Errorf("read the answer of %s: %w", address, err)
		}
		if !take(market.PersonalRecord{Service: c.service, Kind: record.Kind, Data: record.Data}) {
			return nil
		}
	}
	return nil
}

// maxProblem bounds what is read of a refusal, in bytes.
const maxProblem = 64 << 10

// refusalOf reads a refusal back as what the service said.
func refusalOf(answer *http.Response) error {
	var problem struct{ Type, Detail string }
	err := json.UnmarshalRead(io.LimitReader(answer.Body, maxProblem), &problem, json.MatchCaseInsensitiveNames(true))
	kind := httpapi.KindOf(answer.StatusCode)
	if err != nil || kind == 0 {
		return fmt.Errorf("the service answered %s", answer.Status)
	}
	return market.Refuse(kind, strings.TrimPrefix(problem.Type, "urn:emporium:problem:"), "%s", problem.Detail)
}
