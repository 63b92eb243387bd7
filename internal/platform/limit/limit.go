// Package limit says how often something may be done: so many times in a span
// of time, by whoever does it. It knows no HTTP; what is counted, and by whom,
// is the caller's to say.
//
// A quota is given back bit by bit (GCRA, the generic cell rate algorithm of
// ATM, which is a token bucket with one number for its state): of 60 a minute,
// one comes back each second, up to 60. That number is when the quota will be
// whole again, in microseconds; it means the same in memory and in Redis.
package limit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rule is how often something may be done. The zero Rule limits nothing.
type Rule struct {
	name   string
	quota  int64
	span   time.Duration
	step   int64    // microseconds in which one comes back
	whole  int64    // microseconds in which all come back
	policy []string // as the header RateLimit-Policy has it
}

// Bounds of rules. A step is at least a microsecond, so the longest span and the
// largest quota fit together.
const (
	maxQuota = 1_000_000
	minSpan  = time.Second
	maxSpan  = 7 * 24 * time.Hour
)

// NewRule makes a rule that allows quota times in span. Rules that are counted
// apart have different names: a word of small letters and hyphens.
func NewRule(name string, quota int64, span time.Duration) (Rule, error) {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") != "" {
		return Rule{}, fmt.Errorf("the name of a limit is a word of small letters and hyphens; got %q", name)
	}
	if quota < 1 || quota > maxQuota {
		return Rule{}, fmt.Errorf("a limit allows 1 to %d; got %d", maxQuota, quota)
	}
	if span < minSpan || span > maxSpan || span%time.Second != 0 {
		return Rule{}, errors.New("the span of a limit is whole seconds, from 1s to 168h")
	}
	step := (span.Microseconds() + quota - 1) / quota // never more than the quota
	return Rule{
		name: name, quota: quota, span: span, step: step, whole: step * quota,
		policy: []string{`"` + name + `";q=` + strconv.FormatInt(quota, 10) + ";w=" + strconv.FormatInt(int64(span/time.Second), 10)},
	}, nil
}

// Limits says whether the rule limits anything.
func (r Rule) Limits() bool { return r.quota > 0 }

// Name is what the rule is called in headers and keys.
func (r Rule) Name() string { return r.name }

// String says what is allowed: "60 in 1m0s".
func (r Rule) String() string { return strconv.FormatInt(r.quota, 10) + " in " + r.span.String() }

// Policy is the rule as an item of the header RateLimit-Policy
// (draft-ietf-httpapi-ratelimit-headers-10): the one value, not to be changed.
func (r Rule) Policy() []string { return r.policy }

// Ask is one count: by whom, under which rule. [Limiter.Take] fills in where
// that leaves them.
type Ask struct {
	Rule Rule
	Who  string // any text without secrets: it becomes part of a key

	Left int64         // of the quota
	Full time.Duration // until the quota is whole again
	Wait time.Duration // until one may be taken; 0 when one may be now
}

// Standing is the ask as an item of the header RateLimit.
func (a *Ask) Standing() string {
	b := make([]byte, 0, 48)
	b = append(b, '"')
	b = append(b, a.Rule.name...)
	b = append(b, `";r=`...)
	b = strconv.AppendInt(b, a.Left, 10)
	b = append(b, ";t="...)
	b = strconv.AppendInt(b, Seconds(a.Full), 10)
	return string(b)
}

// Seconds is a span in whole seconds, as headers have it: never too short.
func Seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// Limiter counts.
type Limiter interface {
	// Take counts each of the asks, when all of them may be, and otherwise none.
	// It always has an answer; what it counts with may be away.
	Take(ctx context.Context, asks []Ask) (allowed bool)
}

// since bounds what is stored of a rule to what it can mean now: nothing stored,
// a clock that was set back, or a rule that had a larger quota before.
func (r Rule) since(full, now int64) int64 { return min(max(full, now), now+r.whole) }

// may says whether one more can be taken when the quota would be whole at full.
func (r Rule) may(full, now int64) bool { return full+r.step-now <= r.whole }

// note fills in where somebody stands whose quota is whole at full.
func (a *Ask) note(full, now int64) {
	r := a.Rule
	a.Left = (r.whole - (full - now)) / r.step
	a.Full = time.Duration(full-now) * time.Microsecond
	a.Wait = 0
	if !r.may(full, now) {
		a.Wait = time.Duration(full+r.step-now-r.whole) * time.Microsecond
	}
}
