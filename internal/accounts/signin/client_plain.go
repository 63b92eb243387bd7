package signin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"emporium/internal/accounts"
)

// plain is a provider of OAuth 2.0 without OpenID Connect: who somebody is, is
// read from an address of its API.
type plain struct {
	provider Provider
	client   *http.Client
}

// issuer is the address of the profile: ids are told apart there, whatever the
// provider is called here.
func (p *plain) issuer() string { return p.provider.ProfileURL }

func (p *plain) config(redirect string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.provider.ClientID, ClientSecret: p.provider.ClientSecret, RedirectURL: redirect, Scopes: p.provider.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: p.provider.AuthoriseURL, TokenURL: p.provider.TokenURL, AuthStyle: authStyle(p.provider, true)},
	}
}

func (p *plain) begin(_ context.Context, t trip) (string, error) {
	return p.config(t.redirect).AuthCodeURL(t.state, oauth2.S256ChallengeOption(t.verifier)), nil
}

func (p *plain) end(ctx context.Context, t trip, code, _ string) (accounts.Persona, error) {
	token, err := exchange(ctx, p.client, p.config(t.redirect), t, code)
	if err != nil {
		return accounts.Persona{}, err
	}
	var profile map[string]any
	if err := getJSON(ctx, p.client, token, p.provider.ProfileURL, &profile); err != nil {
		return accounts.Persona{}, err
	}
	f := p.provider.Fields
	found := accounts.Persona{
		Issuer: p.issuer(), Subject: text(profile, f.ID), Mail: text(profile, f.Mail), MailVerified: isTrue(member(profile, f.Verified)),
		FirstName: text(profile, f.FirstName), LastName: text(profile, f.LastName),
	}
	if found.Subject == "" {
		return accounts.Persona{}, fmt.Errorf("%w: its profile has no %s", errBad, f.ID)
	}
	if found.FirstName == "" && found.LastName == "" {
		found.FirstName, found.LastName = splitName(text(profile, f.Name))
	}
	if p.provider.MailsURL != "" {
		if found.Mail, found.MailVerified, err = p.mail(ctx, token); err != nil {
			return accounts.Persona{}, err
		}
	}
	found.MailVerified = found.MailVerified && found.Mail != ""
	return found, nil
}

// listedMail is an entry of a list of mails, as GitHub or as Bitbucket writes it.
type listedMail struct {
	Mail      string `json:"email"`
	Primary   bool   `json:"primary"`
	Verified  bool   `json:"verified"`
	IsPrimary bool   `json:"is_primary"`
	Confirmed bool   `json:"is_confirmed"`
}

// mail reads the one that somebody has chosen among theirs.
func (p *plain) mail(ctx context.Context, token *oauth2.Token) (mail string, verified bool, err error) {
	var answer json.RawMessage
	if err := getJSON(ctx, p.client, token, p.provider.MailsURL, &answer); err != nil {
		return "", false, err
	}
	var list []listedMail
	if json.Unmarshal(answer, &list) != nil {
		var page struct{ Values []listedMail }
		if err := json.Unmarshal(answer, &page); err != nil {
			return "", false, fmt.Errorf("%w: its list of mails cannot be read", errBad)
		}
		list = page.Values
	}
	for _, m := range list {
		if m.Primary || m.IsPrimary {
			return m.Mail, m.Verified || m.Confirmed, nil
		}
	}
	return "", false, nil
}

// member follows dots into objects; nil when there is nothing.
func member(of map[string]any, path string) any {
	if path == "" {
		return nil
	}
	name, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		return of[name]
	}
	inner, _ := of[name].(map[string]any)
	return member(inner, rest)
}

// text reads a string or a number.
func text(of map[string]any, path string) string {
	switch v := member(of, path).(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// isTrue takes true, "true" and a time, and nothing that merely is not false.
func isTrue(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		_, err := time.Parse(time.RFC3339, v)
		return v == "true" || err == nil
	}
	return false
}
