package app

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// progress draws a bar on a terminal, and nothing elsewhere.
type progress struct {
	to    io.Writer // nil: not a terminal
	what  string
	total int64 // 0: not known
	drawn time.Time
	start time.Time
	now   func() time.Time
}

const barWidth = 30

func newProgress(to io.Writer, what string, total int64, now func() time.Time) *progress {
	p := &progress{what: what, total: total, now: now, start: now()}
	if f, ok := to.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.to = to
	}
	return p
}

// show redraws the bar, at most ten times a second.
func (p *progress) show(done int64, rows int) {
	if p.to == nil || p.now().Sub(p.drawn) < 100*time.Millisecond {
		return
	}
	p.drawn = p.now()
	rate := float64(rows) / max(p.now().Sub(p.start).Seconds(), 0.001)
	if p.total <= 0 {
		fmt.Fprintf(p.to, "\r%s  %d rows  %.0f/s\x1b[K", p.what, rows, rate)
		return
	}
	part := min(float64(done)/float64(p.total), 1)
	filled := int(part * barWidth)
	fmt.Fprintf(p.to, "\r%s  [%s%s] %3.0f %%  %d rows  %.0f/s\x1b[K", p.what,
		strings.Repeat("█", filled), strings.Repeat("░", barWidth-filled), part*100, rows, rate)
}

// clear takes the bar away, so that a line can be printed in its place.
func (p *progress) clear() {
	if p.to != nil {
		fmt.Fprint(p.to, "\r\x1b[K")
		p.drawn = time.Time{}
	}
}
