package signin

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"emporium/internal/accounts"
)

const (
	clockSkew     = time.Minute // that a provider's clock may be ahead or behind
	discoverAgain = time.Hour
	discoverPause = 5 * time.Second // after an attempt that failed
)

// openID is a provider of OpenID Connect.
type openID struct {
	provider Provider
	client   *http.Client
	now      func() time.Time

	mu     sync.Mutex
	known  *oidc.Provider
	since  time.Time
	failed time.Time // when it was last asked in vain, and why
	err    error
}

func (o *openID) issuer() string { return o.provider.Issuer }

// discover reads how the provider is spoken to, and reads it anew each hour. What
// it said last holds while it is down. One that does not answer is asked for all
// who wait, and not by one after the other.
func (o *openID) discover(ctx context.Context) (*oidc.Provider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	if o.known != nil && now.Sub(o.since) < discoverAgain {
		return o.known, nil
	}
	if now.Sub(o.failed) >= discoverPause {
		found, err := o.ask(ctx)
		switch {
		case err == nil:
			o.known, o.since = found, now
		case ctx.Err() != nil: // says nothing of the provider
			return nil, err
		default:
			o.failed, o.err = o.now(), err
		}
	}
	if o.known == nil {
		return nil, o.err
	}
	return o.known, nil
}

// ask reads the discovery document.
func (o *openID) ask(ctx context.Context) (*oidc.Provider, error) {
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, o.client), o.provider.Issuer)
	switch {
	case err == nil:
		e := found.Endpoint()
		if !isSafeURL(e.AuthURL) || !isSafeURL(e.TokenURL) {
			return nil, fmt.Errorf("%w: its discovery document names addresses that are not https", errBad)
		}
		return found, nil
	case isNetwork(err) || strings.HasPrefix(err.Error(), "5"): // "503 Service Unavailable: …"
		return nil, fmt.Errorf("%w: %.200s", errDown, err.Error())
	default:
		return nil, fmt.Errorf("%w: %.200s", errBad, err.Error())
	}
}

func (o *openID) config(known *oidc.Provider, redirect string) *oauth2.Config {
	endpoint := known.Endpoint()
	var said struct {
		Ways []string `json:"token_endpoint_auth_methods_supported"`
	}
	_ = known.Claims(&said)
	endpoint.AuthStyle = authStyle(o.provider, len(said.Ways) == 0 || strings.Contains(strings.Join(said.Ways, " "), "client_secret_basic"))
	return &oauth2.Config{
		ClientID: o.provider.ClientID, ClientSecret: o.provider.ClientSecret,
		Endpoint: endpoint, RedirectURL: redirect, Scopes: o.provider.Scopes,
	}
}

// authStyle is how a client's secret is sent.
func authStyle(p Provider, basic bool) oauth2.AuthStyle {
	if p.ClientSecret == "" || p.TokenAuth == authPost || p.TokenAuth == "" && !basic {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

func (o *openID) begin(ctx context.Context, t trip) (string, error) {
	known, err := o.discover(ctx)
	if err != nil {
		return "", err
	}
	return o.config(known, t.redirect).AuthCodeURL(t.state, oidc.Nonce(t.nonce), oauth2.S256ChallengeOption(t.verifier)), nil
}

// claims are what is read of an ID token and of a userinfo answer.
type claims struct {
	Subject   string  `json:"sub"`
	Party     string  `json:"azp"`
	Nonce     string  `json:"nonce"`
	Issued    float64 `json:"iat"`
	Mail      string  `json:"email"`
	Verified  truth   `json:"email_verified"`
	FirstName string  `json:"given_name"`
	LastName  string  `json:"family_name"`
	Name      string  `json:"name"`
}

// truth is true or "true", as some providers write it.
type truth bool

// UnmarshalJSON reads it.
func (t *truth) UnmarshalJSON(b []byte) error {
	*t = string(b) == "true" || string(b) == `"true"`
	return nil
}

func (o *openID) end(ctx context.Context, t trip, code, issuer string) (accounts.Persona, error) {
	if issuer != "" && issuer != o.provider.Issuer {
		return accounts.Persona{}, fmt.Errorf("%w: it came from another issuer", errBad)
	}
	known, err := o.discover(ctx)
	if err != nil {
		return accounts.Persona{}, err
	}
	token, err := exchange(ctx, o.client, o.config(known, t.redirect), t, code)
	if err != nil {
		return accounts.Persona{}, err
	}
	said, err := o.verify(ctx, known, token, t.nonce)
	if err != nil {
		return accounts.Persona{}, err
	}
	if said.Mail == "" && known.UserInfoEndpoint() != "" {
		if err := o.askMore(ctx, known, token, &said); err != nil {
			return accounts.Persona{}, err
		}
	}
	if said.FirstName == "" && said.LastName == "" {
		said.FirstName, said.LastName = splitName(said.Name)
	}
	return accounts.Persona{
		Issuer: o.provider.Issuer, Subject: said.Subject, Mail: said.Mail, MailVerified: bool(said.Verified) && said.Mail != "",
		FirstName: said.FirstName, LastName: said.LastName,
	}, nil
}

// verify takes an ID token that the provider signed, for us, now and for this
// trip.
func (o *openID) verify(ctx context.Context, known *oidc.Provider, token *oauth2.Token, nonce string) (said claims, err error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok || raw == "" {
		return said, fmt.Errorf("%w: there is no ID token in it", errBad)
	}
	ctx = oidc.ClientContext(ctx, o.client)
	verifier := known.VerifierContext(ctx, &oidc.Config{
		ClientID: o.provider.ClientID, Now: func() time.Time { return o.now().Add(-clockSkew) },
	})
	id, err := verifier.Verify(ctx, raw)
	if err != nil {
		if isNetwork(err) || strings.Contains(err.Error(), "fetching keys") {
			return said, fmt.Errorf("%w: its keys cannot be read: %.200s", errDown, err.Error())
		}
		return said, fmt.Errorf("%w: %.200s", errBad, err.Error())
	}
	if err := id.Claims(&said); err != nil {
		return said, fmt.Errorf("%w: the ID token cannot be read", errBad)
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1:
		return said, fmt.Errorf("%w: the ID token is of another sign-in (nonce)", errBad)
	case said.Party != "" && said.Party != o.provider.ClientID, len(id.Audience) > 1 && said.Party == "":
		return said, fmt.Errorf("%w: the ID token is for somebody else (azp)", errBad)
	case id.IssuedAt.After(o.now().Add(clockSkew)):
		return said, fmt.Errorf("%w: the ID token is of a time to come (iat)", errBad)
	case id.AccessTokenHash != "" && id.VerifyAccessToken(token.AccessToken) != nil:
		return said, fmt.Errorf("%w: the ID token belongs to another access token (at_hash)", errBad)
	}
	return said, nil
}

// askMore reads what the ID token leaves out.
func (o *openID) askMore(ctx context.Context, known *oidc.Provider, token *oauth2.Token, said *claims) error {
	var more claims
	if !isSafeURL(known.UserInfoEndpoint()) {
		return fmt.Errorf("%w: its userinfo address is not https", errBad)
	}
	if err := getJSON(ctx, o.client, token, known.UserInfoEndpoint(), &more); err != nil {
		return err
	}
	if more.Subject != said.Subject { // OpenID Connect Core, section 5.3.2
		return fmt.Errorf("%w: its userinfo is of somebody else", errBad)
	}
	said.Mail, said.Verified = more.Mail, more.Verified
	said.FirstName, said.LastName, said.Name = or(said.FirstName, more.FirstName), or(said.LastName, more.LastName), or(said.Name, more.Name)
	return nil
}

// isNetwork says whether an answer never came.
func isNetwork(err error) bool {
	_, ok := errors.AsType[*url.Error](err)
	return ok
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// splitName makes a guess that people can correct.
func splitName(whole string) (first, last string) {
	whole = strings.TrimSpace(whole)
	if at := strings.LastIndexByte(whole, ' '); at > 0 {
		return whole[:at], whole[at+1:]
	}
	return whole, ""
}
