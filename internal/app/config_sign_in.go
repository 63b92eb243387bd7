package app

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"emporium/internal/accounts/signin"
	"emporium/internal/gateway"
	"emporium/internal/platform/httpapi"
)

// SignInFlags are the settings of the pages on which people sign in.
type SignInFlags struct {
	Providers Secret   `env:"PROVIDERS" help:"By whom people may sign in beside a password: a JSON array of OpenID Connect and OAuth 2.0 providers, as docs/howto/openid-connect.md shows it." placeholder:"JSON"`
	ReturnTo  []string `name:"return-to" env:"RETURN_TO" help:"Addresses of your own pages, with commas between them, to the letter, that people may be sent back to after signing in, with their token behind a #. Paths of this server are always allowed, and get no token." placeholder:"URL,…"`
}

// faults says what is wrong with the settings of the pages, and with the address
// that providers send people back to.
func (c *Config) signInFaults() (faults []error) {
	public := c.PublicURL
	if public != "" && (!isBase(public) || !ownAddress(public) || strings.Trim(pathOf(public), "/") != "") {
		faults = append(faults, fmt.Errorf("--public-url (EMPORIUM_PUBLIC_URL): %q is not an https address without a path, such as https://shop.example.org (http only on this machine)", public))
	}
	providers, err := signin.ParseProviders([]byte(c.SignIn.Providers))
	if err != nil {
		faults = append(faults, fmt.Errorf("--sign-in-providers (EMPORIUM_SIGN_IN_PROVIDERS): %w", err))
	}
	if len(providers) > 0 && public == "" && !c.loopback() {
		faults = append(faults, errors.New("--public-url (EMPORIUM_PUBLIC_URL): providers must know where to send people back to: set the address that people know, such as https://shop.example.org"))
	}
	for _, address := range c.SignIn.ReturnTo {
		u, err := url.Parse(address)
		if err != nil || !ownAddress(address) || u.Path == "" {
			faults = append(faults, fmt.Errorf("--sign-in-return-to (EMPORIUM_SIGN_IN_RETURN_TO): %q is not an https address with a path, such as https://app.example.org/signed-in (http only on this machine)", address))
		}
	}
	return faults
}

func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Path
}

// ownAddress takes https, and http of this machine alone.
func ownAddress(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || strings.ContainsAny(text, "; ,'\"#") {
		return false
	}
	host := u.Hostname()
	return u.Scheme == "https" || u.Scheme == "http" && (host == "localhost" || strings.HasPrefix(host, "127.") || host == "::1")
}

// mountSignIn puts up the pages on which people sign in, where the accounts are.
func (a *App) mountSignIn(api *httpapi.API) error {
	if !a.here["accounts"] {
		return nil
	}
	providers, err := signin.ParseProviders([]byte(a.config.SignIn.Providers))
	if err != nil {
		return fmt.Errorf("--sign-in-providers (EMPORIUM_SIGN_IN_PROVIDERS): %w", err)
	}
	pages, err := signin.New(signin.Options{
		Accounts: a.accounts, Now: a.now, Log: a.log, Providers: providers, Public: a.config.PublicURL,
		Attempted: func(w http.ResponseWriter, r *http.Request, signUp bool, mail string) bool {
			if signUp {
				return api.Attempted(w, r, httpapi.SigningUp, "")
			}
			return api.Attempted(w, r, httpapi.SigningIn, mail)
		},
		ReturnTo: a.config.SignIn.ReturnTo, Secure: gateway.Trusted(a.config.TrustedProxies).Secure,
	})
	if err != nil {
		return err
	}
	pages.Mount(api.Handle)
	return nil
}
