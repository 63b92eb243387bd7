package signin_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"emporium/internal/platform/testenv/browsertest"
)

// In a browser, at the size of a desk and of a phone: by a real provider, through
// to the token; linking, which takes a page in between; and signing out.
func TestInBrowser(t *testing.T) {
	b, ok := browsertest.Open(t)
	if !ok {
		return
	}
	s, _, ok := openCorp(t)
	if !ok {
		return
	}
	s.signUp(t, "zoe@example.com", "open sesame")
	const out = `a.button[href="/sign-in"]`
	signOut := chromedp.Click(`form.out button`)
	for _, size := range browsertest.Sizes {
		b.Resize(size)
		b.Do(chromedp.Navigate(s.URL+"/sign-in"), chromedp.WaitVisible("#mail"))
		b.Fits("sign-in-" + size.Name)
		b.Do(chromedp.SendKeys("#mail", "zoe@example.com"), chromedp.SendKeys("#password", "wrong"), chromedp.Click("form button"), chromedp.WaitVisible("#password-fault"))
		b.Fits("sign-in-wrong-" + size.Name)
		b.Do(chromedp.Navigate(s.URL+"/sign-in/new"), chromedp.WaitVisible("#birthDate"))
		b.Fits("sign-up-" + size.Name)
		b.Do(chromedp.Navigate(s.URL+"/sign-in"), chromedp.Click(`a[data-provider=corp]`))
		if size == browsertest.Desktop {
			b.Do(chromedp.WaitVisible(`input[name=login]`), chromedp.SendKeys(`input[name=login]`, "ada@example.com"), chromedp.SendKeys(`input[name=password]`, "any"), chromedp.Click(`button[type=submit]`))
			b.Do(chromedp.WaitReady(`input[value=consent]`), chromedp.Click(`button[type=submit]`))
			b.Do(chromedp.WaitVisible("#birthDate"))
			b.Fits("arrival-" + size.Name)
			b.Do(chromedp.SetValue("#birthDate", "1990-01-02"), chromedp.Click("form button"))
		} else { // who is still known there is signed in at once
			b.Do(chromedp.WaitVisible("#token"))
			if text := b.Text(`document.body.innerText`); !strings.Contains(text, "ada@example.com") {
				t.Errorf("signed in as %q", text)
			}
			b.Do(signOut, chromedp.WaitVisible(out))
			b.Do(chromedp.Navigate(s.URL+"/sign-in"), chromedp.WaitVisible("#mail"), chromedp.SendKeys("#mail", "zoe@example.com"), chromedp.SendKeys("#password", "open sesame"), chromedp.Click("form button"))
		}
		b.Do(chromedp.WaitVisible("#token"))
		b.Fits("account-" + size.Name)
		if _, err := s.accounts.Identify(t.Context(), b.Text(`document.querySelector("#token").value`)); err != nil {
			t.Error(err)
		}
		if size == browsertest.Phone { // whom the provider knows from before has an account of their own
			b.Do(chromedp.Click(`button[data-link=corp]`), chromedp.WaitVisible(out))
			b.Picture("linked-elsewhere")
			if text := b.Text(`document.body.innerText`); !strings.Contains(text, "belongs to another account") {
				t.Errorf("%q", text)
			}
			b.Do(chromedp.Navigate(s.URL+"/sign-in/account"), chromedp.WaitVisible("#token"))
		}
		b.Do(signOut, chromedp.WaitVisible(out))
		b.Picture("out-" + size.Name)
	}
}
