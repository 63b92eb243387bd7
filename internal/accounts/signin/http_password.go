package signin

import (
	"net/http"

	"emporium/internal/accounts"
	"emporium/internal/market"
)

func (p *Pages) buttons(to string) []button {
	all := make([]button, 0, len(p.options.Providers))
	for _, provider := range p.options.Providers {
		all = append(all, button{provider.Name, provider.Label, withReturn(Path+"/with/"+provider.Name, to)})
	}
	return all
}

func (p *Pages) signInView(v *visit, to string) view {
	return view{
		Title: "Sign in", ReturnTo: to, Providers: p.buttons(to),
		Fields: []field{
			{Name: "mail", Label: "Mail", Type: "email", Value: v.r.PostForm.Get("mail"), Auto: "username"},
			{Name: "password", Label: "Password", Type: "password", Auto: "current-password"},
		},
	}
}

func (p *Pages) showSignIn(v *visit) {
	to := p.returnTo(v.r.URL.Query().Get("return_to"))
	if v.token != "" {
		p.redirect(v, v.base+withReturn(Path+"/account", to))
		return
	}
	if err := p.remember(v); err != nil {
		p.fail(v, err, "message.html", view{Title: "Sign in"})
		return
	}
	p.show(v, http.StatusOK, "sign-in.html", p.signInView(v, to))
}

func (p *Pages) signIn(v *visit) {
	form := v.r.PostForm
	to := p.returnTo(form.Get("return_to"))
	if !p.mayTry(v, false, form.Get("mail")) {
		return
	}
	token, err := p.options.Accounts.SignIn(v.r.Context(), accounts.Credentials{Mail: form.Get("mail"), Password: form.Get("password")})
	if err != nil {
		p.fail(v, err, "sign-in.html", p.signInView(v, to))
		return
	}
	p.letIn(v, token)
	p.leave(v, to)
}

func nameFields(first, last, birth string) []field {
	return []field{
		{Name: "firstName", Label: "First name", Type: "text", Value: first, Auto: "given-name"},
		{Name: "lastName", Label: "Last name", Type: "text", Value: last, Auto: "family-name"},
		{Name: "birthDate", Label: "Birth date", Type: "date", Value: birth, Auto: "bday"},
	}
}

func (p *Pages) signUpView(v *visit, to string) view {
	form := v.r.PostForm
	return view{
		Title: "Make an account", ReturnTo: to, Providers: p.buttons(to),
		Fields: append(nameFields(form.Get("firstName"), form.Get("lastName"), form.Get("birthDate")),
			field{Name: "mail", Label: "Mail", Type: "email", Value: form.Get("mail"), Auto: "username"},
			field{Name: "password", Label: "Password", Type: "password", Auto: "new-password", Hint: "A few words are better than a short riddle."}),
	}
}

func (p *Pages) showSignUp(v *visit) {
	if err := p.remember(v); err != nil {
		p.fail(v, err, "message.html", view{Title: "Make an account"})
		return
	}
	p.show(v, http.StatusOK, "sign-up.html", p.signUpView(v, p.returnTo(v.r.URL.Query().Get("return_to"))))
}

func (p *Pages) signUp(v *visit) {
	form := v.r.PostForm
	to := p.returnTo(form.Get("return_to"))
	if !p.mayTry(v, true, "") {
		return
	}
	n := newcomer(form.Get)
	n.Mail, n.Password = form.Get("mail"), form.Get("password")
	_, err := p.options.Accounts.SignUp(v.r.Context(), n)
	var token string
	if err == nil {
		token, err = p.options.Accounts.SignIn(v.r.Context(), accounts.Credentials{Mail: n.Mail, Password: n.Password})
	}
	if err != nil {
		p.fail(v, err, "sign-up.html", p.signUpView(v, to))
		return
	}
	p.letIn(v, token)
	p.leave(v, to)
}

func newcomer(get func(string) string) accounts.Newcomer {
	return accounts.Newcomer{FirstName: get("firstName"), LastName: get("lastName"), BirthDate: get("birthDate")}
}

// showAccount gives the token to copy, and what else there is for who is signed
// in.
func (p *Pages) showAccount(v *visit) {
	to := p.returnTo(v.r.URL.Query().Get("return_to"))
	if v.token == "" {
		p.redirect(v, v.base+withReturn(Path, to))
		return
	}
	if err := p.remember(v); err != nil {
		p.fail(v, err, "message.html", view{Title: "Signed in"})
		return
	}
	shown, err := p.accountView(v)
	if err != nil {
		p.fail(v, err, "message.html", view{Title: "Signed in"})
		return
	}
	if p.isAway(to) {
		shown.Away = to
	} else {
		shown.Next = to
	}
	p.show(v, http.StatusOK, "account.html", shown)
}

func (p *Pages) accountView(v *visit) (view, error) {
	a, err := p.options.Accounts.Account(v.r.Context(), v.who.User)
	if err != nil {
		return view{}, err
	}
	personas, err := p.options.Accounts.Personas(v.r.Context())
	if err != nil {
		return view{}, err
	}
	shown := view{Title: "You are signed in", Mail: a.Mail, Token: v.token}
	for _, provider := range p.options.Providers {
		b := button{Name: provider.Name, Label: provider.Label}
		linked := false
		for _, known := range personas {
			linked = linked || known.Issuer == p.sources[provider.Name].issuer()
		}
		if linked {
			shown.Linked = append(shown.Linked, b)
		} else {
			shown.Providers = append(shown.Providers, b)
		}
	}
	return shown, nil
}

// goOn sends who is signed in elsewhere, when they ask for it.
func (p *Pages) goOn(v *visit) {
	to := p.returnTo(v.r.PostForm.Get("return_to"))
	if v.token == "" {
		p.redirect(v, v.base+withReturn(Path, to))
		return
	}
	p.leave(v, to)
}

// signOut ends the token, wherever it was copied to, and its cookie.
func (p *Pages) signOut(v *visit) {
	if v.token != "" {
		if err := p.options.Accounts.SignOut(v.r.Context(), v.token); err != nil {
			p.fail(v, err, "message.html", view{Title: "Still signed in"})
			return
		}
	}
	http.SetCookie(v.w, v.cookie(tokenCookie, "", 0))
	http.SetCookie(v.w, v.cookie(browserCookie, "", 0))
	v.token, v.who = "", market.Identity{}
	p.message(v, http.StatusOK, "You are signed out", "Your token ended with it, wherever you copied it to.", true)
}
