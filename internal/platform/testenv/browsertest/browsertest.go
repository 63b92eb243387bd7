// Package browsertest opens pages in Chromium for tests.
package browsertest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"emporium/internal/platform/testenv"
)

// Tab is a page of Chromium, and the context of what is done in it.
type Tab struct {
	context.Context
	t testing.TB
}

// Open starts Chromium with an empty tab. Where there is none, the test is left
// as [testenv.Require] leaves it.
func Open(t testing.TB) (*Tab, bool) {
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
	return &Tab{ctx, t}, true
}

// Do takes steps. One that leads to another page is followed by a step or an
// [Tab.Await] that only holds there: Navigate breaks off what is still loading,
// and is broken off by it.
func (b *Tab) Do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b, steps...); err != nil {
		b.Picture("failed")
		b.t.Fatal(err)
	}
}

// Await waits until a JavaScript expression holds.
func (b *Tab) Await(expression string) {
	b.t.Helper()
	if _, err := chromedp.Run(b, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(30*time.Second))); err != nil {
		b.Picture("failed")
		b.t.Fatalf("waiting for %s: %v", expression, err)
	}
}

// Text is what a JavaScript expression gives.
func (b *Tab) Text(expression string) string {
	b.t.Helper()
	text, err := chromedp.Run(b, chromedp.Evaluate[string](expression))
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

// Size is that of a window.
type Size struct {
	Name          string
	width, height int64
	phone         bool
}

// The sizes that pages have to fit.
var (
	Desktop = Size{"desktop", 1280, 900, false}
	Phone   = Size{"phone", 390, 844, true}
	Sizes   = []Size{Desktop, Phone}
)

// Resize gives the window another size.
func (b *Tab) Resize(to Size) {
	b.t.Helper()
	if to.phone {
		b.Do(chromedp.EmulateViewport(to.width, to.height, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait))
		return
	}
	b.Do(chromedp.EmulateViewport(to.width, to.height))
}

// Fits fails the test when the page stays wider than the window, and keeps a
// picture of it.
func (b *Tab) Fits(picture string) {
	b.t.Helper()
	b.Await(`document.documentElement.scrollWidth <= window.innerWidth`)
	b.Picture(picture)
}

// Picture keeps what the page looks like in the folder that
// EMPORIUM_TEST_PICTURES names.
func (b *Tab) Picture(name string) {
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
