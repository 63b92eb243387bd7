package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"emporium/internal/accounts"
)

// Limits of what a provider is asked.
const (
	askWithin = 10 * time.Second
	maxAnswer = 1 << 20
)

// Why somebody could not be signed in by a provider.
var (
	errDown    = errors.New("the provider does not answer")
	errBad     = errors.New("the provider's answer cannot be taken")
	errRefused = errors.New("the provider did not take the code")
)

// trip is what one way to a provider needs on both ends of it.
type trip struct {
	redirect string // where the provider sends back to
	state    string
	nonce    string
	verifier string // of PKCE (RFC 7636)
}

// source is a provider as it is spoken to.
type source interface {
	// begin gives the address at the provider where people sign in.
	begin(ctx context.Context, t trip) (address string, err error)
	// end gives for a code who signed in there. The issuer is what the provider
	// called itself when it sent back (RFC 9207), or "".
	end(ctx context.Context, t trip, code, issuer string) (accounts.Persona, error)
	// issuer is that of its personas.
	issuer() string
}

func newSource(p Provider, transport http.RoundTripper, now func() time.Time) source {
	client := &http.Client{
		Transport: bounded{transport}, Timeout: askWithin,
		// An answer that leads elsewhere is none: a secret would follow it.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if p.Issuer != "" {
		return &openID{provider: p, client: client, now: now}
	}
	return &plain{provider: p, client: client}
}

// bounded reads no more of an answer than a provider has reason to send.
type bounded struct{ next http.RoundTripper }

// RoundTrip asks.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", "Emporium")
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "application/json")
	}
	response, err := b.next.RoundTrip(r)
	if err == nil {
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(response.Body, maxAnswer), response.Body}
	}
	return response, err
}

// exchange gets tokens for a code.
func exchange(ctx context.Context, client *http.Client, c *oauth2.Config, t trip, code string) (*oauth2.Token, error) {
	token, err := c.Exchange(context.WithValue(ctx, oauth2.HTTPClient, client), code, oauth2.VerifierOption(t.verifier))
	if err == nil {
		return token, nil
	}
	if said, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		if said.Response != nil && said.Response.StatusCode >= http.StatusInternalServerError {
			return nil, fmt.Errorf("%w: it answers %s", errDown, said.Response.Status)
		}
		// What it answered stays out of the log: it may hold a token.
		return nil, fmt.Errorf("%w: %.64q", errRefused, said.ErrorCode)
	}
	if isNetwork(err) {
		return nil, fmt.Errorf("%w: %w", errDown, err)
	}
	return nil, fmt.Errorf("%w: %w", errBad, err)
}

// getJSON reads what an address answers to somebody with a token.
func getJSON(ctx context.Context, client *http.Client, token *oauth2.Token, address string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token.AccessToken)
	response, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("%w: %w", errDown, err)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("%w: %s answers %s", errDown, address, response.Status)
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%w: %s answers %s", errBad, address, response.Status)
	}
	d := json.NewDecoder(response.Body)
	d.UseNumber() // ids are told apart to the last digit
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: %s does not answer with the JSON it should", errBad, address)
	}
	return nil
}
