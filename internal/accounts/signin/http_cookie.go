package signin

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"net/http"
	"time"

	"emporium/internal/market"
)

// The cookies of the pages. Neither is taken by the API, which knows callers by
// their Authorization header alone: nothing there can be done with a cookie that
// a browser sends by itself.
const (
	browserCookie = "emporium-browser" // random: ties forms and journeys to a browser
	tokenCookie   = "emporium-token"   // of who is signed in on these pages
)

// browserLife is how long a form may stay open, and longer than any journey.
const browserLife = 30 * time.Minute

// randomSize is that of what nobody may guess, in bytes.
const randomSize = 32

// cookie makes one that only this host gets, and no script reads. Its name has
// the prefix that holds browsers to that, which takes TLS.
func (v *visit) cookie(name, value string, life time.Duration) *http.Cookie {
	c := &http.Cookie{
		Name: v.cookieName(name), Value: value, Path: "/", Secure: v.secure, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, MaxAge: int(life / time.Second),
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

func (v *visit) cookieName(name string) string {
	if v.secure {
		return "__Host-" + name
	}
	return name // plain http, which page allows on this machine alone
}

func (v *visit) given(name string) string {
	c, err := v.r.Cookie(v.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// recognise reads who is signed in. An API key signs nobody in: it would act
// beyond its scopes here, and could let its holder in for good by a provider.
func (p *Pages) recognise(v *visit) {
	if known := v.given(browserCookie); isRandom(known) {
		v.browser = known
	}
	token := v.given(tokenCookie)
	if token == "" {
		return
	}
	who, err := p.options.Accounts.Identify(v.r.Context(), token)
	if err != nil || who.Key != 0 {
		return
	}
	v.token, v.who = token, who
	v.r = v.r.WithContext(market.WithIdentity(v.r.Context(), who))
}

// remember lets a browser be known for as long as a form may stay open.
func (p *Pages) remember(v *visit) error {
	if v.browser == "" {
		made, err := p.random()
		if err != nil {
			return err
		}
		v.browser = made
	}
	http.SetCookie(v.w, v.cookie(browserCookie, v.browser, browserLife))
	return nil
}

// letIn signs a browser in. It is known by something new from here on.
func (p *Pages) letIn(v *visit, token string) {
	v.token = token
	http.SetCookie(v.w, v.cookie(tokenCookie, token, 0)) // until the browser is closed; the token ends by itself
	http.SetCookie(v.w, v.cookie(browserCookie, "", 0))
}

func (p *Pages) random() (string, error) {
	b := make([]byte, randomSize)
	if _, err := io.ReadFull(p.options.Random, b); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

func isRandom(s string) bool {
	b, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil && len(b) == randomSize
}

// derive makes something for one purpose of what a browser is known by.
func derive(browser, purpose string) string {
	mac := hmac.New(sha256.New, []byte(browser))
	mac.Write([]byte(purpose))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func formProof(browser string) string { return derive(browser, "form") }

// sameForm says whether a form was made for this browser.
func (p *Pages) sameForm(v *visit) bool {
	browser := v.given(browserCookie)
	return isRandom(browser) && subtle.ConstantTimeCompare([]byte(formProof(browser)), []byte(v.r.PostForm.Get("form"))) == 1
}
