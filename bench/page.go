package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	markBegin = "<!-- measured: begin -->"
	markEnd   = "<!-- measured: end -->"
)

// page is what was measured, as Markdown.
type page struct {
	b       *bench
	peers   []string // in the order in which they came
	rows    map[string][]measured
	figures []string
	left    []string // rows that were left out, and why
	load    string   // of the machine, before anything was measured
}

// figure is something measured that is not a comparison of rates.
type figure struct {
	name    string
	target  string
	measure func() (string, error)
}

func newPage(b *bench) *page {
	text, _ := os.ReadFile("/proc/loadavg")
	load, _, _ := strings.Cut(string(text), " ")
	return &page{b: b, rows: map[string][]measured{}, load: load}
}

func (p *page) addRow(m measured) {
	if p.rows[m.against] == nil {
		p.peers = append(p.peers, m.against)
	}
	p.rows[m.against] = append(p.rows[m.against], m)
}

// leaveOut says which rows are not there.
func (p *page) leaveOut(format string, args ...any) {
	p.left = append(p.left, fmt.Sprintf(format, args...))
	say("left out: %s\n", p.left[len(p.left)-1])
}

func (p *page) addFigure(f figure) error {
	result, err := f.measure()
	if err == nil {
		say("  %s\n", result)
		p.figures = append(p.figures, fmt.Sprintf("| %s | %s | %s |\n", f.name, result, f.target))
	}
	return err
}

// String is the page's table.
func (p *page) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "\n%s, %s, %s; load before: %s. Each side ran %d times for %s, in turn with the other.\n",
		time.Now().Format(time.DateOnly), machine(p.b.folder), runtime.Version(), p.load, p.b.runs, p.b.duration)
	for _, peer := range p.peers {
		fmt.Fprintf(&s, "\n### %s\n\n", titles[peer])
		s.WriteString("| | requests/s | of theirs | ratio (least to most) | target | CPU of the server, ours / theirs |\n|---|--:|--:|--:|--:|--:|\n")
		for _, m := range p.rows[peer] {
			ratios := m.ratios()
			target := "for reference"
			if m.target > 0 {
				target = fmt.Sprintf("%.2f", m.target)
			}
			fmt.Fprintf(&s, "| %s | %.0f | %.0f | **%.2f** (%.2f to %.2f) | %s | %s / %s |\n", m.name, rates(m.ours), rates(m.theirs),
				middle(ratios), ratios[0], ratios[len(ratios)-1], target, micros(costs(m.ours)), micros(costs(m.theirs)))
		}
	}
	if len(p.figures) > 0 {
		s.WriteString("\n### Start, memory and waiting\n\n| | measured | target |\n|---|---|--:|\n" + strings.Join(p.figures, ""))
	}
	for _, why := range p.left {
		fmt.Fprintf(&s, "\nLeft out: %s.\n", why)
	}
	s.WriteByte('\n')
	return s.String()
}

var titles = map[string]string{
	"bare":       "Against a bare net/http handler",
	"PocketBase": "Against PocketBase 0.36.8",
	"proxies":    "The gateway in front of a separate process, against other proxies there",
	"protected":  "Protected mode",
	"servers":    "On PostgreSQL, RabbitMQ and Redis",
}

func micros(d time.Duration) string {
	return fmt.Sprintf("%.1f µs", float64(d.Nanoseconds())/1000)
}

// machine says what it was measured on.
func machine(folder string) string {
	model := "unknown CPU"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, after, ok := strings.Cut(string(text), "model name\t: "); ok {
			model, _, _ = strings.Cut(after, "\n")
		}
	}
	kernel, _ := exec.Command("uname", "-sr").Output()
	return fmt.Sprintf("%d × %s, %s, %s", runtime.NumCPU(), strings.TrimSpace(model), strings.TrimSpace(string(kernel)), disk(folder))
}

// disk says where the data was, and what it costs to make four kilobytes
// durable there: durable writes can be no faster than that.
func disk(folder string) string {
	var fs syscall.Statfs_t
	name := "unknown file system"
	if err := syscall.Statfs(folder, &fs); err == nil {
		names := map[int64]string{0xef53: "ext4", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x01021994: "tmpfs", 0x794c7630: "overlayfs", 0x2fc12fc1: "zfs"}
		if known := names[int64(fs.Type)]; known != "" { //nolint:unconvert // its type differs by architecture
			name = known
		}
	}
	f, err := os.CreateTemp(folder, "sync")
	if err != nil {
		return name
	}
	defer os.Remove(f.Name())
	defer f.Close()
	const times = 50
	from := time.Now()
	for range times {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return name
		}
		if err := f.Sync(); err != nil {
			return name
		}
	}
	return fmt.Sprintf("%s (fsync of 4 kB: %s)", name, (time.Since(from) / times).Round(time.Microsecond))
}
