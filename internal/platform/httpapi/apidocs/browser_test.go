package apidocs_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"emporium/internal/platform/testenv/browsertest"
)

// browser is a tab that remembers what it asked for and what it complained of.
type browser struct {
	*browsertest.Tab
	t          *testing.T
	mu         sync.Mutex
	requests   []string
	complaints []string
}

func openBrowser(t *testing.T) (*browser, bool) {
	t.Helper()
	tab, ok := browsertest.Open(t)
	if !ok {
		return nil, false
	}
	b := &browser{Tab: tab, t: t}
	t.Cleanup(func() {
		if t.Failed() {
			b.mu.Lock()
			defer b.mu.Unlock()
			t.Logf("the browser complained: %q", b.complaints)
		}
	})
	if _, err := chromedp.Call(b, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(b, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(b, b.hear); err != nil {
		t.Fatal(err)
	}
	return b, true
}

func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" {
			text := string(e.Type)
			for _, a := range e.Args {
				text += " " + string(a.Value) + a.Description
			}
			b.complaints = append(b.complaints, text)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			b.complaints = append(b.complaints, string(e.Entry.Source)+": "+e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

// clean fails the test for a complaint and for a request that left the origin.
func (b *browser) clean(origin string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.requests) == 0 {
		b.t.Error("no request was seen")
	}
	for _, r := range b.requests {
		if !strings.HasPrefix(r, origin+"/") && !strings.HasPrefix(r, "data:") {
			b.t.Errorf("a request left the origin: %s", r)
		}
	}
	for _, c := range b.complaints {
		b.t.Errorf("the browser complains: %s", c)
	}
}

const shown = `["A small shop", "Read all things", "Make a thing", "Read my things"].every(
	s => [...document.querySelectorAll("h1, h2, h3")].some(h => h.innerText.includes(s)))`

func TestLandingPageInBrowser(t *testing.T) {
	b, ok := openBrowser(t)
	if !ok {
		return
	}
	s := openShop(t)
	for _, size := range browsertest.Sizes {
		b.Resize(size)
		b.Do(chromedp.Navigate(s.URL), chromedp.WaitVisible(".services"))
		b.Fits("home-" + size.Name)
	}
	b.clean(s.URL)
}

func TestReferenceInBrowser(t *testing.T) {
	b, ok := openBrowser(t)
	if !ok {
		return
	}
	s := openShop(t)
	for _, size := range browsertest.Sizes {
		b.Resize(size)
		b.Do(chromedp.Navigate(s.URL + "/docs"))
		b.Await(shown)
		b.Fits("docs-" + size.Name)
		b.Do(chromedp.Click("#who"), chromedp.WaitVisible("#mail"))
		b.Fits("docs-sign-in-" + size.Name)
	}
	b.try(s, "Read my things")
	b.clean(s.URL)
}

// try makes one call as a visitor does: with the button beside the operation,
// then Send, then the cross.
func (b *browser) try(s *shop, operation string) {
	b.t.Helper()
	before := len(s.calls())
	b.Await(`(() => {
		const heading = [...document.querySelectorAll("h3")].find(h => h.innerText.includes(` + "`" + operation + "`" + `));
		const button = heading?.closest("section")?.querySelector(".show-api-client-button");
		button?.click();
		return Boolean(button);
	})()`)
	const press = `[...document.querySelectorAll("button")].find(b => b.textContent.includes(" request to "))`
	b.Await(`Boolean(` + press + `)`)
	b.Do(chromedp.Evaluate[chromedp.Void](press + `.click()`))
	// The page may still show the answer to an earlier call.
	b.Await(fmt.Sprintf(`document.querySelector(".scalar.z-overlay").innerText.includes("lamp %d")`, before+1))
	if len(s.calls()) != before+1 {
		b.t.Fatalf("%q reached the server as %q", operation, s.calls()[before:])
	}
	b.Picture("docs-client")
	b.Do(chromedp.Evaluate[chromedp.Void](`document.querySelector(".app-exit-button").click()`), chromedp.WaitNotVisible(".app-exit-button"))
}

func TestSignInOnce(t *testing.T) {
	b, ok := openBrowser(t)
	if !ok {
		return
	}
	s := openShop(t)
	b.Resize(browsertest.Desktop)
	b.Do(chromedp.Navigate(s.URL + "/docs"))
	b.Await(shown)

	b.try(s, "Read my things")
	b.Do(chromedp.Click("#who"), chromedp.WaitVisible("#mail"),
		chromedp.SendKeys("#mail", "ada@example.org"), chromedp.SendKeys("#password", "open sesame"),
		chromedp.Click("#sign-in button"))
	b.Await(`document.getElementById("who").innerText === "ada@example.org"`)
	b.Picture("docs-signed-in")
	b.try(s, "Read my things")
	b.try(s, "Make a thing") // its token is optional
	b.Do(chromedp.Reload())
	b.Await(shown)
	b.try(s, "Read my things") // the tab remembers
	b.Picture("docs-called")
	b.Do(chromedp.Evaluate[chromedp.Void](`document.getElementById("sign-out").click()`))
	b.Await(`document.getElementById("who").innerText === "Sign in"`)
	b.try(s, "Read my things")

	const token = "Bearer e30."
	want := []string{"GET /things/mine ", "GET /things/mine " + token, "POST /things/ " + token, "GET /things/mine " + token, "GET /things/mine "}
	got := s.calls()
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) || strings.Contains(want[i], token) != strings.Contains(got[i], token) {
			t.Errorf("call %d: %q, want %q", i, got[i], want[i])
		}
	}
	b.clean(s.URL)
}

func TestWrongPassword(t *testing.T) {
	b, ok := openBrowser(t)
	if !ok {
		return
	}
	s := openShop(t)
	b.Resize(browsertest.Phone)
	b.Do(chromedp.Navigate(s.URL+"/docs"), chromedp.Click("#who"), chromedp.WaitVisible("#mail"),
		chromedp.SendKeys("#mail", "ada@example.org"), chromedp.SendKeys("#password", "guess"),
		chromedp.Click("#sign-in button"))
	b.Await(`document.getElementById("message").innerText === "wrong mail or password"`)
	b.Fits("docs-wrong-password")
}

// The policy holds in a browser: a script that gets into a page does not run, and
// styles only where the page needs its own.
func TestPolicyHolds(t *testing.T) {
	b, ok := openBrowser(t)
	if !ok {
		return
	}
	s := openShop(t)
	for _, path := range []string{"/", "/docs"} {
		b.Do(chromedp.Navigate(s.URL + path))
		b.Await(`document.readyState === "complete"`)
		b.Do(chromedp.Evaluate[chromedp.Void](`
			window.ran = "";
			document.addEventListener("securitypolicyviolation", e => { window.stopped = (window.stopped || "") + " " + e.effectiveDirective; });
			const script = document.createElement("script"); script.textContent = "window.ran += 'script'"; document.body.append(script);
			const div = document.createElement("div"); div.innerHTML = "<img src=x onerror=\"window.ran += 'handler'\">"; document.body.append(div);
			const frame = document.createElement("iframe"); frame.src = "https://elsewhere.example/"; document.body.append(frame);
		`))
		b.Await(`["script-src-elem", "script-src-attr", "frame-src"].every(d => (window.stopped || "").includes(d))`)
		b.Await(`window.ran === ""`)
	}
}
