package httpapi

import "net/http"

// PagePolicy says what a page of ours needs beyond what all may do: load
// scripts, styles, pictures and fonts from this server, ask it, and send forms
// to it. The zero value needs nothing more.
type PagePolicy struct {
	InlineStyles bool   // it writes its own styles
	FormTargets  string // other origins that a form's answer may lead to, with spaces between them
	Private      bool   // it shows what is somebody's: no copy is kept anywhere
}

const pagePolicy = "default-src 'none'; script-src 'self'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; "

// PageHeaders tells browsers what a page may do. Whatever gets into it, no script
// runs but those that this server serves.
func PageHeaders(h http.Header, p PagePolicy) {
	styles, forms, keep := "style-src 'self'; ", "form-action 'self'", "no-cache"
	if p.InlineStyles {
		styles = "style-src 'self' 'unsafe-inline'; "
	}
	if p.FormTargets != "" {
		forms += " " + p.FormTargets
	}
	if p.Private {
		keep = "no-store"
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy+styles+forms)
	h.Set("Cache-Control", keep)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}
