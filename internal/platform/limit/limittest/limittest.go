// Package limittest is what every limiter has to pass: the same asks get the
// same answers, whatever counts them.
package limittest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"emporium/internal/platform/limit"
)

// Engine is a limiter whose time a test can let pass.
type Engine struct {
	limit.Limiter
	Pass func(t testing.TB, d time.Duration)
}

// rule makes a rule whose steps are so long that the time a test takes does not
// matter.
func rule(t testing.TB, name string, quota int64) limit.Rule {
	t.Helper()
	r, err := limit.NewRule(name, quota, time.Duration(quota)*step)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const step = 100 * time.Second

// Run holds an engine to the suite. Each case has one of its own.
func Run(t *testing.T, open func(t *testing.T) Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Engine)
	}{
		{"a quota is used up, and comes back one by one", comesBack},
		{"callers and rules are counted apart", apart},
		{"several asks count together or not at all", together},
		{"a refused ask costs nothing", refusedIsFree},
		{"an unused quota grows no further", wholeIsWhole},
		{"a smaller quota holds at once", smaller},
		{"callers at the same time get the quota and no more", race},
		{"over a long time the rate is the rule's", rate},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func (e Engine) take(t testing.TB, r limit.Rule, who string) limit.Ask {
	t.Helper()
	asks := []limit.Ask{{Rule: r, Who: who}}
	if allowed := e.Take(t.Context(), asks); allowed != (asks[0].Wait == 0) {
		t.Fatalf("allowed is %v, and the wait is %s", allowed, asks[0].Wait)
	}
	return asks[0]
}

// drain uses up a quota.
func (e Engine) drain(t testing.TB, r limit.Rule, who string, quota int) {
	t.Helper()
	for i := range quota {
		if a := e.take(t, r, who); a.Wait != 0 || a.Left != int64(quota-1-i) {
			t.Fatalf("ask %d of %d: wait %s, left %d", i+1, quota, a.Wait, a.Left)
		}
	}
	if a := e.take(t, r, who); a.Wait == 0 || a.Left != 0 {
		t.Fatalf("ask %d of %d: wait %s, left %d", quota+1, quota, a.Wait, a.Left)
	}
}

// near says whether two spans differ by what a busy machine may need.
func near(a, b time.Duration) bool { return (a - b).Abs() < step/4 }

func comesBack(t *testing.T, e Engine) {
	r := rule(t, "address", 5)
	e.drain(t, r, "ada", 5)
	a := e.take(t, r, "ada")
	if !near(a.Wait, step) || !near(a.Full, 5*step) {
		t.Errorf("wait %s, full in %s", a.Wait, a.Full)
	}
	e.Pass(t, step/2)
	if a := e.take(t, r, "ada"); !near(a.Wait, step/2) {
		t.Errorf("half a step later: wait %s", a.Wait)
	}
	e.Pass(t, step/2)
	if a := e.take(t, r, "ada"); a.Wait != 0 || a.Left != 0 || !near(a.Full, 5*step) {
		t.Errorf("a step later: %+v", a)
	}
	if a := e.take(t, r, "ada"); a.Wait == 0 {
		t.Errorf("two came back in one step: %+v", a)
	}
	e.Pass(t, 3*step)
	e.drain(t, r, "ada", 3)
}

func apart(t *testing.T, e Engine) {
	one, other := rule(t, "address", 2), rule(t, "account", 3)
	e.drain(t, one, "ada", 2)
	e.drain(t, one, "bob", 2)
	e.drain(t, other, "ada", 3)
	e.drain(t, one, "2001:db8::/64", 2)
	e.drain(t, one, "ada:", 2)
}

func together(t *testing.T, e Engine) {
	account, key := rule(t, "account", 5), rule(t, "key", 2)
	both := func() []limit.Ask { return []limit.Ask{{Rule: account, Who: "7"}, {Rule: key, Who: "k1"}} }
	for range 2 {
		if asks := both(); !e.Take(t.Context(), asks) {
			t.Fatalf("refused: %+v", asks)
		}
	}
	asks := both()
	if e.Take(t.Context(), asks) {
		t.Fatal("the used up one did not count")
	}
	if asks[0].Wait != 0 || asks[0].Left != 3 || asks[1].Wait == 0 || asks[1].Left != 0 {
		t.Errorf("%+v", asks)
	}
	e.drain(t, account, "7", 3)
}

func refusedIsFree(t *testing.T, e Engine) {
	r := rule(t, "address", 2)
	e.drain(t, r, "ada", 2)
	for range 50 {
		e.take(t, r, "ada")
	}
	e.Pass(t, step)
	if a := e.take(t, r, "ada"); a.Wait != 0 {
		t.Errorf("asking again and again made the wait longer: %s", a.Wait)
	}
}

func wholeIsWhole(t *testing.T, e Engine) {
	r := rule(t, "address", 3)
	e.take(t, r, "ada")
	e.Pass(t, 100*step)
	e.drain(t, r, "ada", 3)
}

func smaller(t *testing.T, e Engine) {
	e.drain(t, rule(t, "address", 50), "ada", 50)
	r := rule(t, "address", 2)
	if a := e.take(t, r, "ada"); a.Wait == 0 || a.Wait > step || a.Full > 2*step {
		t.Errorf("%+v", a)
	}
	e.Pass(t, 2*step)
	e.drain(t, r, "ada", 2)
}

func race(t *testing.T, e Engine) {
	r := rule(t, "address", 100)
	var allowed, lowest atomic.Int64
	lowest.Store(1000)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 20 {
				asks := []limit.Ask{{Rule: r, Who: "ada"}}
				if e.Take(t.Context(), asks) {
					allowed.Add(1)
					for low := lowest.Load(); asks[0].Left < low && !lowest.CompareAndSwap(low, asks[0].Left); low = lowest.Load() {
					}
				}
			}
		})
	}
	all.Wait()
	if allowed.Load() != 100 || lowest.Load() != 0 {
		t.Errorf("%d of 320 were allowed, and the last had %d left; want 100 and 0", allowed.Load(), lowest.Load())
	}
}

func rate(t *testing.T, e Engine) {
	r := rule(t, "address", 4)
	allowed := 0
	const rounds = 60
	for i := range rounds {
		for n := range 3 {
			if a := e.take(t, r, "ada"); a.Wait == 0 {
				allowed++
			} else if n == 0 && i > 0 {
				t.Fatalf("round %d: none came back in a step", i)
			}
		}
		e.Pass(t, step)
	}
	if want := 4 + rounds - 1; allowed != want {
		t.Errorf("%d were allowed in %d steps, want %d", allowed, rounds, want)
	}
}
