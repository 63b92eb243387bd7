// Package signin is the pages on which people sign in: with a password, or by a
// provider where they have an account already (OpenID Connect, plain OAuth 2.0).
package signin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Provider is somebody who says who people are, as the operator set them.
type Provider struct {
	Name         string   `json:"name"`   // in addresses: "corp"
	Label        string   `json:"label"`  // on the button: "Corp"
	Preset       string   `json:"preset"` // fills in what is left empty
	Issuer       string   `json:"issuer"` // of OpenID Connect; all else is discovered
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret"`
	Scopes       []string `json:"scopes"`
	TokenAuth    string   `json:"token_auth"` // how the secret is sent: basic or post

	AuthoriseURL string `json:"authorise_url"` // of plain OAuth 2.0, as all below
	TokenURL     string `json:"token_url"`
	ProfileURL   string `json:"profile_url"`
	MailsURL     string `json:"mails_url"` // a list of mails, where the profile has none
	Fields       Fields `json:"fields"`
}

// Fields name what is read of a profile; dots lead into objects.
type Fields struct {
	ID        string `json:"id"`
	Mail      string `json:"mail"`
	Verified  string `json:"mail_verified"` // true, or the time when it was verified; without it no mail is
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Name      string `json:"name"` // both names in one
}

// The ways in which a client's secret is sent (RFC 6749, section 2.3.1).
const (
	authBasic = "basic"
	authPost  = "post"
)

// presets are facts about providers, from their documentation.
var presets = map[string]Provider{
	"google": {Label: "Google", Issuer: "https://accounts.google.com"},
	"gitlab": {Label: "GitLab", Issuer: "https://gitlab.com"},
	"github": {
		Label: "GitHub", AuthoriseURL: "https://github.com/login/oauth/authorize", TokenURL: "https://github.com/login/oauth/access_token",
		ProfileURL: "https://api.github.com/user", MailsURL: "https://api.github.com/user/emails",
		Scopes: []string{"read:user", "user:email"}, TokenAuth: authPost, Fields: Fields{ID: "id", Name: "name"},
	},
	"bitbucket": {
		Label: "Bitbucket", AuthoriseURL: "https://bitbucket.org/site/oauth2/authorize", TokenURL: "https://bitbucket.org/site/oauth2/access_token",
		ProfileURL: "https://api.bitbucket.org/2.0/user", MailsURL: "https://api.bitbucket.org/2.0/user/emails",
		Scopes: []string{"account", "email"}, TokenAuth: authBasic, Fields: Fields{ID: "uuid", Name: "display_name"},
	},
}

var plainName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// ParseProviders reads a JSON array of providers, and reports all that is wrong
// with it. No error repeats a secret.
func ParseProviders(text []byte) ([]Provider, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	var all []Provider
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, fmt.Errorf("is not JSON at byte %d", syntax.Offset)
		}
		if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return nil, fmt.Errorf("%s must be a %s; the whole is an array of objects", kind.Field, kind.Type)
		}
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if d.More() {
		return nil, errors.New("has something behind the array")
	}
	var faults []error
	seen := map[string]bool{}
	for i := range all {
		p := &all[i]
		if err := p.complete(); err != nil {
			faults = append(faults, err)
		}
		for _, fault := range p.faults() {
			faults = append(faults, fmt.Errorf("provider %q: %s", p.Name, fault))
		}
		if seen[p.Name] {
			faults = append(faults, fmt.Errorf("two providers are named %q", p.Name))
		}
		seen[p.Name] = true
	}
	return all, errors.Join(faults...)
}

// complete fills in what the preset knows, and the defaults.
func (p *Provider) complete() error {
	var err error
	if p.Preset != "" {
		known, ok := presets[p.Preset]
		if !ok {
			err = fmt.Errorf("there is no preset %q; there are bitbucket, github, gitlab and google", p.Preset)
		}
		p.fill(known)
		if p.Name == "" {
			p.Name = p.Preset
		}
	}
	if p.Issuer != "" {
		p.fill(Provider{Scopes: []string{"openid", "email", "profile"}})
		if !slices.Contains(p.Scopes, "openid") {
			p.Scopes = append([]string{"openid"}, p.Scopes...)
		}
	}
	p.fill(Provider{Label: p.Name})
	return err
}

func (p *Provider) fill(from Provider) {
	for _, f := range []struct {
		to   *string
		from string
	}{
		{&p.Label, from.Label},
		{&p.Issuer, from.Issuer},
		{&p.TokenAuth, from.TokenAuth},
		{&p.AuthoriseURL, from.AuthoriseURL},
		{&p.TokenURL, from.TokenURL},
		{&p.ProfileURL, from.ProfileURL},
		{&p.MailsURL, from.MailsURL},
		{&p.Fields.ID, from.Fields.ID},
		{&p.Fields.Mail, from.Fields.Mail},
		{&p.Fields.Verified, from.Fields.Verified},
		{&p.Fields.FirstName, from.Fields.FirstName},
		{&p.Fields.LastName, from.Fields.LastName},
		{&p.Fields.Name, from.Fields.Name},
	} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
	if len(p.Scopes) == 0 {
		p.Scopes = slices.Clone(from.Scopes)
	}
}

func (p *Provider) faults() (faults []string) {
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if !plainName.MatchString(p.Name) {
		add("name must be 1 to 32 of a-z, 0-9 and -; it stands in addresses")
	}
	if p.ClientID == "" {
		add("client_id is missing: the provider gives it when you register Emporium there")
	}
	if p.TokenAuth != "" && p.TokenAuth != authBasic && p.TokenAuth != authPost {
		add("token_auth must be basic or post")
	}
	addresses := []struct{ name, value string }{{"issuer", p.Issuer}}
	if p.Issuer == "" {
		addresses = []struct{ name, value string }{{"authorise_url", p.AuthoriseURL}, {"token_url", p.TokenURL}, {"profile_url", p.ProfileURL}}
		if p.MailsURL != "" {
			addresses = append(addresses, struct{ name, value string }{"mails_url", p.MailsURL})
		}
		if p.Fields.ID == "" {
			add("fields.id is missing: the field of the profile that says who somebody is and never changes")
		}
	} else if p.AuthoriseURL+p.TokenURL+p.ProfileURL+p.MailsURL != "" || p.Fields != (Fields{}) {
		add("has an issuer, so its addresses and fields are discovered: leave them out, or the issuer")
	}
	for _, a := range addresses {
		if a.value == "" {
			add("%s is missing (or an issuer, for OpenID Connect)", a.name)
		} else if !isSafeURL(a.value) {
			add("%s must be an https address (http only on this machine), without a fragment", a.name)
		}
	}
	return faults
}

// isSafeURL says whether what is sent to an address cannot be read on the way.
func isSafeURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Host)
}

// isLoopback says whether a host, with or without a port, is this machine.
func isLoopback(host string) bool {
	if u, err := url.Parse("//" + host); err == nil {
		host = u.Hostname()
	}
	if strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
