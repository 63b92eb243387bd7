package accounts

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strings"

	"emporium/internal/market"
)

// FirstStaffPath is where the first staff member makes an account, by the link
// that the first start in protected mode prints.
const FirstStaffPath = "/staff/first"

var (
	//go:embed pages/first.html
	firstText string
	//go:embed pages/style.css
	styleText string

	firstPage = template.Must(template.New("first").Parse(firstText))
)

// maxForm bounds what a form sends, in bytes.
const maxForm = 16 << 10

// PageOptions say what the pages need from around them.
type PageOptions struct {
	Handle func(pattern string, h http.Handler)
	From   func(*http.Request) string // the address that a request comes from
	Fail   func(w http.ResponseWriter, r *http.Request, err error)
}

// Pages puts up the page of the first staff member.
func Pages(s *Service, o PageOptions) {
	p := pages{service: s, options: o}
	o.Handle("GET "+FirstStaffPath, http.HandlerFunc(p.show))
	o.Handle("POST "+FirstStaffPath, http.HandlerFunc(p.take))
}

type pages struct {
	service *Service
	options PageOptions
}

// firstData is what the page shows.
type firstData struct {
	Style  template.CSS
	Token  string
	Dead   string // why the link does not hold
	Mail   string // of the account that was made
	Faults map[string]string
	Fault  string // of no one field
	Given  map[string]string
}

func (p pages) show(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	err := p.service.CheckFirstLink(r.Context(), Link(token))
	p.write(w, r, firstData{Token: token, Given: map[string]string{"birthDate": "1970-01-01"}}, err)
}

func (p pages) take(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		p.write(w, r, firstData{}, market.Refuse(market.Invalid, "bad_form", "the form could not be read"))
		return
	}
	get := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	n := Newcomer{
		FirstName: get("firstName"), LastName: get("lastName"), BirthDate: get("birthDate"), Mail: get("mail"),
		Password: r.PostForm.Get("password"),
	}
	data := firstData{Token: get("token"), Given: map[string]string{
		"firstName": n.FirstName, "lastName": n.LastName, "birthDate": n.BirthDate, "mail": n.Mail,
	}}
	ctx := market.WithAction(r.Context(), &market.Action{Operation: "add-first-staff", Call: "POST " + FirstStaffPath, From: p.options.From(r)})
	made, err := p.service.AddFirstStaff(ctx, Link(data.Token), n)
	if err == nil {
		data.Mail = made.Mail
	}
	p.write(w, r, data, err)
}

// write shows the page, with what went wrong in its place.
func (p pages) write(w http.ResponseWriter, r *http.Request, data firstData, err error) {
	status := http.StatusOK
	var refusal *market.Error
	switch {
	case err == nil:
	case !errors.As(err, &refusal) || refusal.Kind == market.Unavailable:
		p.options.Fail(w, r, err)
		return
	case refusal.Kind == market.Denied:
		status, data.Dead = http.StatusForbidden, refusal.Detail
	case refusal.Kind == market.Conflict:
		status, data.Fault = http.StatusConflict, refusal.Detail+". Make it staff with: emporium staff add "+data.Given["mail"]
	default:
		status, data.Faults = http.StatusBadRequest, map[string]string{}
		for _, f := range refusal.Faults {
			data.Faults[strings.TrimPrefix(f.Location, "body.")] = f.Message
		}
		if len(data.Faults) == 0 {
			data.Fault = refusal.Detail
		}
	}
	data.Style = template.CSS(styleText) // it is embedded
	var page bytes.Buffer
	if err := firstPage.Execute(&page, data); err != nil {
		p.options.Fail(w, r, err)
		return
	}
	sum := sha256.Sum256([]byte(styleText))
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address holds the token
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(page.Bytes())
	}
}
