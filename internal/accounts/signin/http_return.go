package signin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxReturn bounds an address to return to, in bytes.
const maxReturn = 2048

// returnTo gives the address to return to that a browser asks for, or "" where
// that is not allowed: it is one of the operator's list to the letter, or a path
// of this server.
func (p *Pages) returnTo(text string) string {
	if p.isAway(text) || isOwnPath(text) {
		return text
	}
	return ""
}

// isAway says whether an address is one elsewhere that the operator listed.
func (p *Pages) isAway(text string) bool {
	return text != "" && slices.Contains(p.options.ReturnTo, text)
}

// isOwnPath takes what every reader of addresses takes as a path of the same
// server: one slash first, no backslash, nothing that readers drop.
func isOwnPath(text string) bool {
	if len(text) > maxReturn || !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") {
		return false
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' || strings.IndexByte("\\\"<>^`{|}", c) >= 0 {
			return false
		}
	}
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil
}

// leave sends somebody who has signed in where they wanted to go. Who is sent
// elsewhere carries the token behind a #, which no server logs.
func (p *Pages) leave(v *visit, to string) {
	switch {
	case p.isAway(to):
		p.redirect(v, to+"#"+url.Values{"access_token": {v.token}, "token_type": {"Bearer"}}.Encode())
	case isOwnPath(to):
		p.redirect(v, v.base+to)
	default:
		p.redirect(v, v.base+Path+"/account")
	}
}

func (p *Pages) redirect(v *visit, address string) {
	v.w.Header().Set("Location", address)
	v.w.WriteHeader(http.StatusSeeOther)
}

// withReturn adds where to return to.
func withReturn(path, to string) string {
	if to == "" {
		return path
	}
	return path + "?" + url.Values{"return_to": {to}}.Encode()
}
