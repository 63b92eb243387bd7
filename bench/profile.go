package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

var notName = regexp.MustCompile(`[^A-Za-z0-9]+`)

// profiled are the servers that are Emporium.
var profiled = map[string]bool{"emporium": true, "gateway": true, "taking-in": true, "on-postgres": true, "cached-in-redis": true}

// profile lets perf watch Emporium during a whole run, when a folder for
// profiles was given. What is returned waits for perf to end.
func (b *bench) profile(p *process, r row, s side, duration time.Duration) (wait func()) {
	if b.profiles == "" || !profiled[s.server] || duration != b.duration {
		return func() {}
	}
	file := filepath.Join(b.profiles, notName.ReplaceAllString(r.name, "-")+".perf")
	c := exec.Command("perf", "record", "-q", "-F", "997", "-g", "-o", file, "-p", fmt.Sprint(p.cmd.Process.Pid),
		"--", "sleep", fmt.Sprintf("%.1f", duration.Seconds()*0.9))
	if err := c.Start(); err != nil {
		say("no profile: %s\n", err)
		return func() {}
	}
	return func() {
		if err := c.Wait(); err != nil {
			say("no profile: %s\n", err)
		}
	}
}
