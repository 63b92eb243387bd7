package accounts

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"

	"emporium/internal/market"
	"emporium/internal/platform/httpapi"
)

// get asks the accounts, with a bearer token or as a process of the deployment
// (which its HTTP client says), and reads the answer.
func (c *Client) get(ctx context.Context, path, bearer string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, http.NoBody)
	if err != nil {
		return err
	}
	httpapi.PassOn(ctx, request.Header)
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	} else if c.prove != nil {
		c.prove(request)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return &statusError{response.StatusCode, fmt.Sprintf("%s%s answers %s", c.url, path, response.Status)}
	}
	return json.UnmarshalRead(io.LimitReader(response.Body, maxAnswer), into)
}

// statusError is an answer that is none.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return e.text }

// fetchRevocations reads on in the list of what ended. It also drops keys that
// the accounts took away.
func (c *Client) fetchRevocations(ctx context.Context, after int64) (found revocations, err error) {
	var body revocationsBody
	if err := c.get(ctx, "/api/user/revocations?after="+strconv.FormatInt(after, 10), "", &body); err != nil {
		return found, err
	}
	c.keepKeys(body.Keys)
	found.last = body.Last
	for _, r := range body.List {
		found.list = append(found.list, revocation{r.ID, market.UserID(r.User), r.Token, r.Generation, r.Expires})
	}
	return found, nil
}

// keepKeys forgets keys that are not among those that are taken, and every token
// that was known: one of them may have signed it.
func (c *Client) keepKeys(taken []string) {
	known := c.keys.Load()
	if known == nil || len(taken) == 0 {
		return
	}
	kept := map[string]ed25519.PublicKey{}
	for id, key := range known.public {
		if slices.Contains(taken, id) {
			kept[id] = key
		}
	}
	if len(kept) < len(known.public) && c.keys.CompareAndSwap(known, &keySet{public: kept, until: known.until}) {
		c.verifier.seen.forget(func(holder) bool { return true })
	}
}

// identifyKey asks the accounts whose an API key is. While they cannot be
// reached, one that they knew a short while ago goes on.
func (c *Client) identifyKey(ctx context.Context, text string) (holder, error) {
	now, sum := c.now(), sha256.Sum256([]byte(text))
	before, asked := c.apiKeys.find(sum)
	if asked && before.user == 0 && now.Sub(before.until) < keyRecheck {
		return holder{}, badToken()
	}
	var body ownKeyBody
	err := c.get(ctx, "/api/user/key", text, &body)
	status, answered := errors.AsType[*statusError](err)
	switch {
	case err == nil:
		h := holder{user: market.UserID(body.User), apiKey: body.ID, staff: body.Staff, scopes: market.Scopes(body.Scopes), expires: body.Expires.Time}
		if h.user <= 0 || h.scopes == "" || !now.Before(h.expires) {
			return holder{}, badToken()
		}
		h.until = now
		c.apiKeys.add(sum, h)
		return h, nil
	case answered && (status.status == http.StatusUnauthorized || status.status == http.StatusNotFound):
		c.apiKeys.add(sum, holder{until: now})
		return holder{}, badToken()
	case ctx.Err() != nil:
		return holder{}, ctx.Err()
	}
	if before.user != 0 && now.Sub(before.until) < keyWithoutThem && now.Before(before.expires) {
		return before, nil
	}
	return holder{}, &market.Error{
		Kind: market.Unavailable, Code: "accounts_unavailable", Detail: "the accounts cannot be reached to check the API key",
		RetryAfter: keyRecheck, Cause: err,
	}
}

// answers remembers what the accounts said of API keys, by their hash: an empty
// holder is a key that does not hold, and until is when it was said.
type answers struct {
	mu   sync.Mutex
	said map[[sha256.Size]byte]holder
}

func (a *answers) find(sum [sha256.Size]byte) (holder, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	h, ok := a.said[sum]
	return h, ok
}

// add remembers an answer. A full memory is emptied.
func (a *answers) add(sum [sha256.Size]byte, h holder) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.said == nil || len(a.said) >= maxSeen {
		a.said = map[[sha256.Size]byte]holder{}
	}
	a.said[sum] = h
}
