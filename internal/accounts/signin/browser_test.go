package signin_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"emporium/internal/platform/testenv"
)

// tab is a page of Chromium.
type tab struct {
	context.Context
	t testing.TB
}

func openTab(t *testing.T) (*tab, bool) {
	t.Helper()
	path, ok := testenv.Require(t, "chromium")
	if !ok {
		return nil, false
	}
	flags := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	if os.Geteuid() == 0 { // the sandbox refuses root
		flags = append(flags, chromedp.NoSandbox)
	}
	ctx, stop := chromedp.NewExecAllocator(t.Context(), flags...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil { // starts it; a limit here would end it
		t.Fatal(err)
	}
	ctx, stop = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(stop)
	return &tab{ctx, t}, true
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b, steps...); err != nil {
		b.picture("failed")
		b.t.Fatal(err)
	}
}

func (b *tab) await(expression string) {
	b.t.Helper()
	if _, err := chromedp.Run(b, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(30*time.Second))); err != nil {
		b.picture("failed")
		b.t.Fatalf("waiting for %s: %v", expression, err)
	}
}

// picture keeps what the page looks like in the folder that
// EMPORIUM_TEST_PICTURES names, and fails where it is wider than the window.
func (b *tab) picture(name string) {
	b.t.Helper()
	if dir := os.Getenv("EMPORIUM_TEST_PICTURES"); dir != "" {
		png, err := chromedp.Run(b, chromedp.CaptureScreenshot())
		if err != nil {
			b.t.Error(err)
			return
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
			b.t.Error(err)
		}
	}
}

const fits = `document.documentElement.scrollWidth <= window.innerWidth`

// In a browser, at the size of a desk and of a phone: by a real provider, through
// to the token; linking, which takes a page in between; and signing out.
func TestInBrowser(t *testing.T) {
	b, ok := openTab(t)
	if !ok {
		return
	}
	s, _, ok := openCorp(t)
	if !ok {
		return
	}
	s.signUp(t, "zoe@example.com", "open sesame")
	provider := func(login string) {
		b.do(chromedp.WaitVisible(`input[name=login]`), chromedp.SendKeys(`input[name=login]`, login), chromedp.SendKeys(`input[name=password]`, "any"), chromedp.Click(`button[type=submit]`))
		b.do(chromedp.WaitReady(`input[value=consent]`), chromedp.Click(`button[type=submit]`))
	}
	for _, w := range []struct {
		name          string
		width, height int64
		login         string
	}{{"desktop", 1280, 900, "ada@example.com"}, {"phone", 390, 844, "eve@example.com"}} {
		if w.name == "phone" {
			b.do(chromedp.EmulateViewport(w.width, w.height, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait))
		} else {
			b.do(chromedp.EmulateViewport(w.width, w.height))
		}
		b.do(chromedp.Navigate(s.URL+"/sign-in"), chromedp.WaitVisible("#mail"))
		b.await(fits)
		b.picture("sign-in-" + w.name)
		b.do(chromedp.SendKeys("#mail", "zoe@example.com"), chromedp.SendKeys("#password", "wrong"), chromedp.Click("form button"), chromedp.WaitVisible("#password-fault"))
		b.await(fits)
		b.picture("sign-in-wrong-" + w.name)
		b.do(chromedp.Navigate(s.URL+"/sign-in/new"), chromedp.WaitVisible("#birthDate"))
		b.await(fits)
		b.picture("sign-up-" + w.name)
		b.do(chromedp.Navigate(s.URL+"/sign-in"), chromedp.Click(`a[data-provider=corp]`))
		if w.name == "phone" { // who is still known there from before
			b.do(chromedp.Navigate(s.URL+"/sign-in"), chromedp.WaitVisible("#mail"), chromedp.SendKeys("#mail", "zoe@example.com"), chromedp.SendKeys("#password", "open sesame"), chromedp.Click("form button"))
		} else {
			provider(w.login)
			b.do(chromedp.WaitVisible("#birthDate"))
			b.await(fits)
			b.picture("arrival-" + w.name)
			b.do(chromedp.SetValue("#birthDate", "1990-01-02"), chromedp.Click("form button"))
		}
		b.do(chromedp.WaitVisible("#token"))
		b.await(fits)
		b.picture("account-" + w.name)
		token, err := chromedp.Run(b, chromedp.Evaluate[string](`document.querySelector("#token").value`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.accounts.Identify(t.Context(), token); err != nil {
			t.Error(err)
		}
		if w.name == "phone" { // whom the provider knows from before has an account of their own
			b.do(chromedp.Click(`button[data-link=corp]`), chromedp.WaitVisible(`a.button[href="/sign-in"]`))
			b.picture("linked-elsewhere")
			text, err := chromedp.Run(b, chromedp.Evaluate[string](`document.body.innerText`))
			if err != nil || !strings.Contains(text, "belongs to another account") {
				t.Errorf("%q %v", text, err)
			}
			b.do(chromedp.Navigate(s.URL+"/sign-in/account"), chromedp.WaitVisible("#token"))
		}
		b.do(chromedp.Click(`form.out button`))
		b.do(chromedp.WaitVisible(`a.button[href="/sign-in"]`))
		b.picture("out-" + w.name)
	}
}
