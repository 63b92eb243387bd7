// Command bench holds Emporium against the limits that it was built for: a bare
// net/http handler that answers the same bytes, and PocketBase with the same
// records. It starts each as a process of its own, drives them in turn with the
// same generator, and writes the table of docs/benchmarks.md.
//
//	go -C bench run .                 everything, about fifteen minutes
//	go -C bench run . -only movies    the rows whose names contain it, printed alone
//
// It needs Linux, for epoll and /proc, and nothing but Go. The rows on servers
// need these, and the rows beside other proxies need Caddy and nginx; what is not
// there is named, and its rows are left out.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// bench is one run of the command.
type bench struct {
	only        *regexp.Regexp
	duration    time.Duration
	runs        int
	connections int
	rows        int
	profiles    string
	settings    []string // of Emporium; none: its defaults
	orders      int      // that wait when billing starts
	engines     engines
	host        string   // the broker's virtual host, once it is made
	billing     []string // the flags of billing's database there

	folder  string
	program string // emporium
	self    string
	servers map[string]*process
	next    map[string]uint64 // the number of each server's next request
}

func main() {
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func command(args []string) error {
	if len(args) > 2 && args[0] == "as" {
		return serveAs(args[1], args[2], args[3:])
	}
	var b bench
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "only the rows whose names match this regular expression; prints them and writes no file")
	flags.DurationVar(&b.duration, "duration", 3*time.Second, "how long each run takes")
	flags.IntVar(&b.runs, "runs", 5, "how often each side runs, in turn with the other")
	flags.IntVar(&b.connections, "connections", 0, "connections instead of 32 for GET and 64 for POST")
	flags.IntVar(&b.rows, "rows", 1_000_000, "how many movies the long list has")
	flags.StringVar(&b.profiles, "perf", "", "a folder for profiles of Emporium, which perf takes; look at them with perf report --no-children -i FILE")
	flags.IntVar(&b.orders, "orders", 500_000, "how many orders wait for billing")
	for _, e := range []struct {
		to         *string
		name, text string
	}{
		{&b.engines.postgres, "postgres", "the PostgreSQL to measure on, postgres://…, where databases may be made"},
		{&b.engines.rabbitmq, "rabbitmq", "the RabbitMQ to measure on, amqp://…; rabbitmqctl must be able to make virtual hosts there"},
		{&b.engines.redis, "redis", "the Redis to measure on, redis://…"},
	} {
		flags.StringVar(e.to, e.name, os.Getenv("EMPORIUM_TEST_"+strings.ToUpper(e.name)+"_URL"), e.text)
	}
	settings := flags.String("settings", "", "flags for Emporium, such as --no-log-requests, to see what they change")
	folder := flags.String("folder", "", "where to put the data, on a real disk; a temporary folder when not given")
	program := flags.String("emporium", "", "the program to measure; built from this repository when not given")
	out := flags.String("out", "../docs/benchmarks.md", "the page whose table is renewed; - prints it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if b.only, err = regexp.Compile("(?i)" + *only); err != nil {
		return err
	}
	b.settings = strings.Fields(*settings)
	if b.profiles != "" {
		if b.profiles, err = filepath.Abs(b.profiles); err != nil {
			return err
		}
	}
	if b.folder, err = os.MkdirTemp(*folder, "emporium-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.folder)
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.program, err = build(b.folder, *program); err != nil {
		return err
	}
	b.engines.cleanUpOnSignal(b.folder)
	defer b.engines.cleanUp()
	table, err := b.measure()
	if err != nil {
		return err
	}
	if *only != "" || *out == "-" {
		fmt.Print(table)
		return nil
	}
	return renew(*out, table)
}

// serveAs is this program as one of the servers that it measures.
func serveAs(name, address string, args []string) error {
	switch {
	case name == "bare" && len(args) == 1:
		return serveBare(address, args[0])
	case name == "reverseproxy" && len(args) == 1:
		return serveReverseProxy(address, args[0])
	case name == "pocketbase" && len(args) == 3:
		return servePocketBase(address, args[0], args[1], args[2])
	}
	return fmt.Errorf("there is no server %q", name)
}

func build(folder, program string) (string, error) {
	if program != "" {
		return filepath.Abs(program)
	}
	program = filepath.Join(folder, "emporium")
	c := exec.Command("go", "build", "-o", program, "./cmd/emporium")
	c.Dir = ".."
	c.Stderr = os.Stderr
	return program, c.Run()
}

// measure runs what was asked for and gives the page's table.
func (b *bench) measure() (string, error) {
	b.servers, b.next = map[string]*process{}, map[string]uint64{}
	defer b.stopAll()
	page := newPage(b)
	err := b.compareAll(page)
	if err == nil {
		err = b.compareProxies(page)
	}
	if err == nil {
		err = b.compareProtected(page)
	}
	if err == nil {
		err = b.compareOnServers(page)
	}
	if err != nil {
		return "", err
	}
	b.stopAll()
	for _, f := range []figure{b.startFigure(), b.idleFigure(), b.streamFigure(), b.crowdFigure()} {
		if b.only.MatchString(f.name) {
			say("%s ...\n", f.name)
			if err := page.addFigure(f); err != nil {
				return "", fmt.Errorf("%s: %w", f.name, err)
			}
		}
	}
	return page.String(), nil
}

// stopAll ends every server.
func (b *bench) stopAll() {
	for name, p := range b.servers {
		p.stop()
		delete(b.servers, name)
	}
}

// wanted are the rows that were asked for.
func (b *bench) wanted(all []row) (chosen []row) {
	for _, r := range all {
		if b.only.MatchString(r.name + ", against " + r.against) {
			chosen = append(chosen, r)
		}
	}
	return chosen
}

// compareRows measures rows.
func (b *bench) compareRows(page *page, rows []row) error {
	for _, r := range rows {
		say("%s, against %s ... ", r.name, r.against)
		m := b.compare(r)
		if m.err != nil {
			return fmt.Errorf("%s: %w", r.name, m.err)
		}
		say("%.2f\n", middle(m.ratios()))
		page.addRow(m)
	}
	return nil
}

// prepare starts and fills Emporium, and has the bare handler know its answers.
func (b *bench) prepare() error {
	if b.servers["emporium"] != nil {
		return nil
	}
	p, err := b.server("emporium")
	if err != nil {
		return err
	}
	if err := fill(p); err != nil {
		return err
	}
	if err := script(p, b.folder); err != nil {
		return err
	}
	p.settle()
	return nil
}

// compareAll measures the rows of one process on embedded storage, and starts
// and fills only what they need.
func (b *bench) compareAll(page *page) error {
	needed := b.wanted(rows(nil))
	if len(needed) == 0 {
		return nil
	}
	if err := b.prepare(); err != nil {
		return err
	}
	var ids map[string][]string
	for _, r := range needed {
		if r.theirs.server == "pocketbase" {
			var err error
			if ids, err = b.pocketBaseIDs(); err != nil {
				return err
			}
			break
		}
	}
	return b.compareRows(page, b.wanted(rows(ids)))
}

// compareProxies measures the gateway's hop.
func (b *bench) compareProxies(page *page) error {
	var here []row
	absent := map[string]bool{}
	for _, r := range b.wanted(proxyRows()) {
		switch name := r.theirs.server; {
		case installed(name):
			here = append(here, r)
		case !absent[name]:
			absent[name] = true
			page.leaveOut("those beside %s, which is not installed here (Debian has it)", name)
		}
	}
	if len(here) == 0 {
		return nil
	}
	if err := b.prepare(); err != nil {
		return err
	}
	if p := b.servers["pocketbase"]; p != nil {
		p.stop()
		delete(b.servers, "pocketbase")
	}
	return b.compareRows(page, here)
}

// say tells whoever waits how far it is.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format, args...) }

// renew puts the table between the marks of the page.
func renew(file, table string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), markBegin)
	_, after, found2 := strings.Cut(rest, markEnd)
	if !found || !found2 {
		return fmt.Errorf("%s has no lines %q and %q", file, markBegin, markEnd)
	}
	return os.WriteFile(file, []byte(before+markBegin+"\n"+table+markEnd+after), 0o644)
}
