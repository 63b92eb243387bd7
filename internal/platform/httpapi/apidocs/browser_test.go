package apidocs_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"emporium/internal/platform/testenv"
)

// browser is a tab that remembers what it asked for and what it complained of.
type browser struct {
	context.Context
	t          *testing.T
	mu         sync.Mutex
	requests   []string
	complaints []string
}

func openBrowser(t *testing.T) (*browser, bool) {
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
	b := &browser{Context: ctx, t: t}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
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

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b, steps...); err != nil {
		b.picture("failed")
		b.t.Fatalf("%v; complaints %q", err, b.complaints)
	}
}

// await waits until a JavaScript expression holds.
func (b *browser) await(expression string) {
	b.t.Helper()
	if _, err := chromedp.Run(b, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(30*time.Second))); err != nil {
		b.picture("failed")
		b.t.Fatalf("waiting for %s: %v; complaints %q", expression, err, b.complaints)
	}
}

// picture keeps what the page looks like in the folder that
// EMPORIUM_TEST_PICTURES names.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("EMPORIUM_TEST_PICTURES")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Error(err)
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		b.t.Error(err)
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

const (
	fits  = `document.documentElement.scrollWidth <= window.innerWidth`
	shown = `["A small shop", "Read all things", "Make a thing", "Read my things"].every(
		s => [...document.querySelectorAll("h1, h2, h3")].some(h => h.innerText.includes(s)))`
)

var widths = []struct {
	name          string
	width, height int64
	phone         bool
}{
	{"desktop", 1280, 900, false},
	{"phone", 390, 844, true},
}

func (b *browser) size(width, height int64, phone bool) {
	b.t.Helper()
	if phone {
		b.do(chromedp.EmulateViewport(width, height, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait))
		return
	}
	b.do(chromedp.EmulateViewport(width, height))
}

func TestLandingPageInBrowser(t *testing.T) {
	b, ok := openBrowser(t)
	if !ok {
		return
	}
	s := openShop(t)
	for _, w := range widths {
		b.size(w.width, w.height, w.phone)
		b.do(chromedp.Navigate(s.URL), chromedp.WaitVisible(".services"))
		b.await(fits)
		b.picture("home-" + w.name)
	}
	b.clean(s.URL)
}

func TestReferenceInBrowser(t *testing.T) {
	b, ok := openBrowser(t)
	if !ok {
		return
	}
	s := openShop(t)
	for _, w := range widths {
		b.size(w.width, w.height, w.phone)
		b.do(chromedp.Navigate(s.URL + "/docs"))
		b.await(shown)
		b.await(fits)
		b.picture("docs-" + w.name)
		b.do(chromedp.Click("#who"), chromedp.WaitVisible("#mail"))
		b.await(fits)
		b.picture("docs-sign-in-" + w.name)
	}
	b.try(s, "Read my things")
	b.clean(s.URL)
}

// try makes one call as a visitor does: with the button beside the operation,
// then Send, then the cross.
func (b *browser) try(s *shop, operation string) {
	b.t.Helper()
	before := len(s.calls())
	b.await(`(() => {
		const heading = [...document.querySelectorAll("h3")].find(h => h.innerText.includes(` + "`" + operation + "`" + `));
		const button = heading?.closest("section")?.querySelector(".show-api-client-button");
		button?.click();
		return Boolean(button);
	})()`)
	const press = `[...document.querySelectorAll("button")].find(b => b.textContent.includes(" request to "))`
	b.await(`Boolean(` + press + `)`)
	b.do(chromedp.Evaluate[chromedp.Void](press + `.click()`))
	// The page may still show the answer to an earlier call.
	b.await(fmt.Sprintf(`document.querySelector(".scalar.z-overlay").innerText.includes("lamp %d")`, before+1))
	if len(s.calls()) != before+1 {
		b.t.Fatalf("%q reached the server as %q", operation, s.calls()[before:])
	}
	b.picture("docs-client")
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector(".app-exit-button").click()`), chromedp.WaitNotVisible(".app-exit-button"))
}

func TestSignInOnce(t *testing.T) {
	b, ok := openBrowser(t)
	if !ok {
		return
	}
	s := openShop(t)
	b.size(1280, 900, false)
	b.do(chromedp.Navigate(s.URL + "/docs"))
	b.await(shown)

	b.try(s, "Read my things")
	b.do(chromedp.Click("#who"), chromedp.WaitVisible("#mail"),
		chromedp.SendKeys("#mail", "ada@example.org"), chromedp.SendKeys("#password", "open sesame"),
		chromedp.Click("#sign-in button"))
	b.await(`document.getElementById("who").innerText === "ada@example.org"`)
	b.picture("docs-signed-in")
	b.try(s, "Read my things")
	b.try(s, "Make a thing") // its token is optional
	b.do(chromedp.Reload())
	b.await(shown)
	b.try(s, "Read my things") // the tab remembers
	b.picture("docs-called")
	b.do(chromedp.Evaluate[chromedp.Void](`document.getElementById("sign-out").click()`))
	b.await(`document.getElementById("who").innerText === "Sign in"`)
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
	b.size(390, 844, true)
	b.do(chromedp.Navigate(s.URL+"/docs"), chromedp.Click("#who"), chromedp.WaitVisible("#mail"),
		chromedp.SendKeys("#mail", "ada@example.org"), chromedp.SendKeys("#password", "guess"),
		chromedp.Click("#sign-in button"))
	b.await(`document.getElementById("message").innerText === "wrong mail or password"`)
	b.await(fits)
	b.picture("docs-wrong-password")
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
		b.do(chromedp.Navigate(s.URL + path))
		b.await(`document.readyState === "complete"`)
		b.do(chromedp.Evaluate[chromedp.Void](`
			window.ran = "";
			document.addEventListener("securitypolicyviolation", e => { window.stopped = (window.stopped || "") + " " + e.effectiveDirective; });
			const script = document.createElement("script"); script.textContent = "window.ran += 'script'"; document.body.append(script);
			const div = document.createElement("div"); div.innerHTML = "<img src=x onerror=\"window.ran += 'handler'\">"; document.body.append(div);
			const frame = document.createElement("iframe"); frame.src = "https://elsewhere.example/"; document.body.append(frame);
		`))
		b.await(`["script-src-elem", "script-src-attr", "frame-src"].every(d => (window.stopped || "").includes(d))`)
		b.await(`window.ran === ""`)
	}
}
