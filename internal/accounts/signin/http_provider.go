package signin

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"emporium/internal/accounts"
	"emporium/internal/market"
)

// providerOf gives the provider in a path, or answers that there is none.
func (p *Pages) providerOf(v *visit) (Provider, source, bool) {
	name := v.r.PathValue("provider")
	at := slices.IndexFunc(p.options.Providers, func(of Provider) bool { return of.Name == name })
	if at < 0 {
		p.message(v, http.StatusNotFound, "No such provider", "Nobody of that name signs people in here.", true)
		return Provider{}, nil, false
	}
	return p.options.Providers[at], p.sources[name], true
}

// depart remembers a journey and gives the address at the provider.
func (p *Pages) depart(v *visit, of Provider, from source, to string, user market.UserID) (string, error) {
	if err := p.remember(v); err != nil {
		return "", err
	}
	state, err := p.random()
	if err != nil {
		return "", err
	}
	address, err := from.begin(v.r.Context(), p.trip(v, of, state))
	if err != nil {
		return "", err
	}
	return address, p.options.Accounts.StartJourney(v.r.Context(), accounts.Journey{
		State: state, Browser: v.browser, Provider: of.Name, ReturnTo: to, User: user,
	})
}

// trip is the same going and coming back, and known to this browser alone.
func (p *Pages) trip(v *visit, of Provider, state string) trip {
	return trip{
		redirect: v.base + Path + "/with/" + of.Name + "/callback", state: state,
		nonce: derive(v.browser, "nonce "+state), verifier: derive(v.browser, "verifier "+state),
	}
}

// begin sends a browser to a provider.
func (p *Pages) begin(v *visit) {
	of, from, ok := p.providerOf(v)
	if !ok || !p.mayTry(v, false, "") {
		return
	}
	address, err := p.depart(v, of, from, p.returnTo(v.r.URL.Query().Get("return_to")), 0)
	if err != nil {
		p.failAt(v, of, err)
		return
	}
	p.redirect(v, address)
}

// link sends who is signed in to a provider, to sign in by it from then on. It
// takes a form of ours, so that no other page links somebody to its own account.
// The way there is a page: browsers hold redirects of a form to the form's targets.
func (p *Pages) link(v *visit) {
	of, from, ok := p.providerOf(v)
	if !ok {
		return
	}
	if v.token == "" {
		p.redirect(v, v.base+Path)
		return
	}
	address, err := p.depart(v, of, from, "", v.who.User)
	if err != nil {
		p.failAt(v, of, err)
		return
	}
	p.show(v, http.StatusOK, "away.html", view{Title: "To " + of.Label, Label: of.Label, Away: address})
}

func (p *Pages) unlink(v *visit) {
	of, from, ok := p.providerOf(v)
	if !ok {
		return
	}
	if v.token == "" {
		p.redirect(v, v.base+Path)
		return
	}
	if !p.mayTry(v, false, "") {
		return
	}
	if err := p.options.Accounts.Unlink(v.r.Context(), from.issuer(), v.r.PostForm.Get("password")); err != nil {
		shown, viewErr := p.accountView(v)
		if viewErr != nil {
			err = viewErr
		}
		_, text := p.explain(v, err)
		if market.KindOf(err) == market.Unauthenticated {
			text = "The password is wrong: " + of.Label + " still signs you in."
		}
		shown.Title, shown.Notice = "You are signed in", text
		p.show(v, http.StatusForbidden, "account.html", shown)
		return
	}
	p.redirect(v, v.base+Path+"/account")
}

// callback is where a provider sends people back to.
func (p *Pages) callback(v *visit) {
	of, from, ok := p.providerOf(v)
	if !ok {
		return
	}
	q := v.r.URL.Query()
	journey, err := p.options.Accounts.EndJourney(v.r.Context(), accounts.Journey{State: q.Get("state"), Browser: v.browser, Provider: of.Name})
	if err != nil {
		p.failAt(v, of, err)
		return
	}
	switch said := q.Get("error"); {
	case said == "access_denied":
		p.message(v, http.StatusForbidden, "Not signed in", of.Label+" says that you did not agree. Nothing was changed.", true)
		return
	case said != "":
		p.failAt(v, of, errors.Join(errBad, errors.New("it sent back with the error "+clip(said))))
		return
	case q.Get("code") == "":
		p.failAt(v, of, errors.Join(errBad, errors.New("it sent back without a code")))
		return
	}
	who, err := from.end(v.r.Context(), p.trip(v, of, journey.State), q.Get("code"), q.Get("iss"))
	if err != nil {
		p.failAt(v, of, err)
		return
	}
	if journey.User != 0 {
		p.finishLink(v, of, journey.User, who)
		return
	}
	token, err := p.options.Accounts.SignInAs(v.r.Context(), who)
	if market.KindOf(err) == market.NotFound {
		err = p.options.Accounts.Arrive(v.r.Context(), accounts.Arrival{Persona: who, Browser: v.browser, Provider: of.Name, ReturnTo: journey.ReturnTo})
		if err == nil {
			p.redirect(v, v.base+Path+"/arrival")
			return
		}
	}
	if err != nil {
		p.failAt(v, of, err)
		return
	}
	p.letIn(v, token)
	p.leave(v, journey.ReturnTo)
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64]
	}
	return s
}

func (p *Pages) finishLink(v *visit, of Provider, user market.UserID, who accounts.Persona) {
	if v.who.User != user {
		p.message(v, http.StatusForbidden, "Not linked", "You are no longer signed in as who began this. Sign in and try again.", true)
		return
	}
	if err := p.options.Accounts.Link(v.r.Context(), who); err != nil {
		p.failAt(v, of, err)
		return
	}
	p.redirect(v, v.base+Path+"/account")
}

// failAt says why a provider could not sign somebody in. What the provider did is
// for the log; people are told what they can do.
func (p *Pages) failAt(v *visit, of Provider, err error) {
	ours := errors.Is(err, errDown) || errors.Is(err, errBad) || errors.Is(err, errRefused)
	if ours {
		p.options.Log.WarnContext(v.r.Context(), "a provider could not sign somebody in", "provider", of.Name, "error", err)
	}
	switch {
	case errors.Is(err, errDown) || ours && errors.Is(err, context.DeadlineExceeded):
		v.w.Header().Set("Retry-After", "10")
		p.message(v, http.StatusServiceUnavailable, of.Label+" does not answer", "Try again in a while, or sign in with your password.", true)
	case ours:
		p.message(v, http.StatusBadGateway, of.Label+" could not sign you in", "Its answer could not be taken, so nothing was changed. Try again, or sign in with your password; if it stays so, tell the operator.", true)
	default:
		status, text := p.explain(v, err)
		p.message(v, status, "Not signed in", text, true)
	}
}

func (p *Pages) arrivalView(v *visit, a accounts.Arrival) view {
	form := v.r.PostForm
	shown := view{Title: "One more step", Arrival: a, Label: a.Provider, Mail: a.Mail}
	for _, provider := range p.options.Providers {
		if provider.Name == a.Provider {
			shown.Label = provider.Label
		}
	}
	if a.Account {
		shown.Title = "Is this account yours?"
		shown.Fields = []field{{Name: "password", Label: "Password of the account", Type: "password", Auto: "current-password"}}
		return shown
	}
	first, last, mail := a.FirstName, a.LastName, a.Mail
	if v.r.Method == http.MethodPost {
		first, last = form.Get("firstName"), form.Get("lastName")
		mail = form.Get("mail")
	}
	if a.MailVerified {
		mail = a.Mail
	}
	shown.Fields = append(nameFields(first, last, form.Get("birthDate")),
		field{Name: "mail", Label: "Mail", Type: "email", Value: mail, Auto: "username", Fixed: a.MailVerified})
	return shown
}

// showArrival asks for what is missing of somebody whom no account knows.
func (p *Pages) showArrival(v *visit) {
	a, err := p.options.Accounts.Arrived(v.r.Context(), v.browser)
	if err == nil {
		err = p.remember(v)
	}
	if err != nil {
		status, text := p.explain(v, err)
		p.message(v, status, "Not signed in", text, true)
		return
	}
	p.show(v, http.StatusOK, "arrival.html", p.arrivalView(v, a))
}

func (p *Pages) takeArrival(v *visit) {
	ctx, form := v.r.Context(), v.r.PostForm
	a, err := p.options.Accounts.Arrived(ctx, v.browser)
	if err != nil {
		status, text := p.explain(v, err)
		p.message(v, status, "Not signed in", text, true)
		return
	}
	known := ""
	if a.Account {
		known = a.Mail
	}
	if !p.mayTry(v, !a.Account, known) {
		return
	}
	var token string
	if a.Account {
		token, err = p.options.Accounts.LinkByPassword(ctx, v.browser, form.Get("password"))
	} else {
		n := newcomer(form.Get)
		n.Mail = form.Get("mail")
		token, err = p.options.Accounts.SignUpAs(ctx, v.browser, n)
	}
	if err != nil {
		p.fail(v, err, "arrival.html", p.arrivalView(v, a))
		return
	}
	p.letIn(v, token)
	p.leave(v, a.ReturnTo)
}
