package purchases

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"emporium/internal/market"
)

// ClientOptions say where a data API is and how long to wait for it. All but URL
// may be left out.
type ClientOptions struct {
	URL     string        // "https://data.example:8443/shop": what stands before /api
	Connect time.Duration // for a connection, and again for its TLS; 0: 3 seconds
	Answer  time.Duration // until the head of the answer comes; 0: 10 seconds
	Whole   time.Duration // for a call, its body read; 0: 20 seconds
	MaxBody int64         // bytes of an answer; 0: 8 MiB, of which a page of 1000 purchases takes some 150 KB
	// Transport sends the calls; nil: one of the client's own.
	Transport http.RoundTripper
	// Headers adds what every call carries: the trace it belongs to, a token.
	Headers func(ctx context.Context, h http.Header)
}

// Client asks a data API over HTTP: Emporium's own in another process, or any
// server that speaks it, which may differ in small things. It does not try again
// what has failed: who asks through a cache has something better.
type Client struct {
	base    string
	http    *http.Client
	maxBody int64
	headers func(context.Context, http.Header)
}

var _ market.Purchases = (*Client)(nil)

// NewClient checks the address and makes a client. It does not connect.
func NewClient(o ClientOptions) (*Client, error) {
	base, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the data API's address: %w", err)
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return nil, fmt.Errorf("the data API's address %q is not one like http://host:port", o.URL)
	case base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("the data API's address %q has more than a host and a path", o.URL)
	}
	or := func(d, otherwise time.Duration) time.Duration {
		if d > 0 {
			return d
		}
		return otherwise
	}
	connect := or(o.Connect, 3*time.Second)
	if o.MaxBody <= 0 {
		o.MaxBody = 8 << 20
	}
	if o.Headers == nil {
		o.Headers = func(context.Context, http.Header) {}
	}
	if o.Transport == nil {
		o.Transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:    connect,
			ResponseHeaderTimeout:  or(o.Answer, 10*time.Second),
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost:    32,
			MaxConnsPerHost:        64,
			IdleConnTimeout:        90 * time.Second,
			ForceAttemptHTTP2:      true,
		}
	}
	return &Client{
		base:    strings.TrimRight(o.URL, "/"),
		http:    &http.Client{Timeout: or(o.Whole, 20*time.Second), Transport: o.Transport},
		maxBody: o.MaxBody, headers: o.Headers,
	}, nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// User is said at [market.Purchases]. An answer without a user is an unknown one.
func (c *Client) User(ctx context.Context, username string) (market.Customer, error) {
	none := market.Refuse(market.NotFound, "unknown_user", "there is no user '%s'", username)
	if username == "" {
		return market.Customer{}, none // its address would be the list's
	}
	var body struct {
		User *market.Customer `json:"user"`
	}
	err := c.get(ctx, "users/"+segment(username), nil, &body)
	if errors.Is(err, errNotFound) || err == nil && (body.User == nil || *body.User == market.Customer{}) {
		return market.Customer{}, none
	}
	if err != nil {
		return market.Customer{}, err
	}
	return *body.User, nil
}

// Product is said at [market.Purchases]. An answer without a product is an
// unknown one.
func (c *Client) Product(ctx context.Context, id int64) (market.Product, error) {
	var body struct {
		Product *wireProduct `json:"product"`
	}
	err := c.get(ctx, "products/"+strconv.FormatInt(id, 10), nil, &body)
	if errors.Is(err, errNotFound) || err == nil && (body.Product == nil || *body.Product == wireProduct{}) {
		return market.Product{}, market.Refuse(market.NotFound, "unknown_product", "there is no product %d", id)
	}
	if err != nil {
		return market.Product{}, err
	}
	p := body.Product
	if p.ID == 0 {
		p.ID = wireInt(id)
	}
	return market.Product{ID: int64(p.ID), Face: p.Face, Size: int64(p.Size), Price: int64(p.Price)}, nil
}

// ByUser is said at [market.Purchases]. The order is the server's.
func (c *Client) ByUser(ctx context.Context, username string, skip, limit int) ([]market.Purchase, error) {
	if username == "" {
		return nil, nil
	}
	return c.purchases(ctx, "by_user/"+segment(username), skip, limit)
}

// ByProduct is said at [market.Purchases]. The order is the server's.
func (c *Client) ByProduct(ctx context.Context, product int64, skip, limit int) ([]market.Purchase, error) {
	return c.purchases(ctx, "by_product/"+strconv.FormatInt(product, 10), skip, limit)
}

func (c *Client) purchases(ctx context.Context, of string, skip, limit int) ([]market.Purchase, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if skip > 0 {
		query.Set("skip", strconv.Itoa(skip))
	}
	var body struct {
		Purchases []wirePurchase `json:"purchases"`
	}
	err := c.get(ctx, "purchases/"+of, query, &body)
	if errors.Is(err, errNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list := make([]market.Purchase, len(body.Purchases))
	for i, p := range body.Purchases {
		list[i] = market.Purchase{ID: int64(p.ID), ProductID: int64(p.ProductID), Username: p.Username, Date: market.Time(p.Date)}
	}
	return list, nil
}

// errNotFound is a 404, which means different things to different calls.
var errNotFound = errors.New("the data API answered 404")

// get asks for one thing. Its errors are errNotFound, the caller's own end, or
// Invalid (a 400: what was asked for cannot exist there) or Unavailable for
// everything else, also for 401 and 403: that is not our caller's doing.
func (c *Client) get(ctx context.Context, path string, query url.Values, body any) error {
	address := c.base + "/api/" + path
	if query != nil {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return unavailable(err)
	}
	request.Header.Set("Accept", "application/json")
	c.headers(ctx, request.Header)
	answer, err := c.http.Do(request)
	if err != nil {
		return unavailable(err)
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, answer.Body, 4<<10) // a short rest, so that the connection serves again
		_ = answer.Body.Close()
	}()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return errNotFound
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return &market.Error{Kind: market.Invalid, Code: "refused_by_data_api", Detail: "the data API does not take what was asked for", Cause: fmt.Errorf("get %s: %s", address, answer.Status)}
	default:
		return unavailable(fmt.Errorf("get %s: %s", address, answer.Status))
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, c.maxBody+1))
	if err != nil {
		return unavailable(fmt.Errorf("get %s: %w", address, err))
	}
	if int64(len(text)) > c.maxBody {
		return unavailable(fmt.Errorf("get %s: the answer is over %d bytes", address, c.maxBody))
	}
	if err := json.Unmarshal(text, body, lenient); err != nil {
		return unavailable(fmt.Errorf("get %s: %w", address, err))
	}
	return nil
}

func unavailable(cause error) error {
	return &market.Error{Kind: market.Unavailable, Code: "data_api_unavailable", Detail: "the purchases data does not answer: try again shortly", Cause: cause}
}

// lenient takes what other servers' encoders let through.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// segment writes a name as one segment of a path. Names of dots are escaped too:
// servers resolve them otherwise.
func segment(name string) string {
	if name == "." || name == ".." {
		return strings.ReplaceAll(name, ".", "%2E")
	}
	return url.PathEscape(name)
}
