package app_test

import (
	"net"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/cache/cachetest"
	"emporium/internal/platform/database/dbtest"
	"emporium/internal/platform/httpapi/apitest"
	"emporium/internal/platform/testenv"
)

// manyHosts does what docs/howto/many-hosts.md says: it takes over the settings
// of its ini blocks, runs what its sh blocks start, and types in its console
// blocks. Hosts are ports of this machine.
type manyHosts struct {
	*shell
	folder   string
	real     map[string]string // what stands for an address of the page
	settings map[string]string // by flag
	started  []string          // the commands that run
	programs []*programtest.Program
}

const manyHostsPage = "../../docs/howto/many-hosts.md"

func TestManyHosts(t *testing.T) {
	for _, part := range []string{"psql", "haproxy"} {
		if _, ok := testenv.Require(t, part); !ok {
			return
		}
	}
	postgres, ok := testenv.StartPostgres(t)
	if !ok {
		return
	}
	broker, ok := testenv.VirtualHost(t)
	if !ok {
		return
	}
	redis, ok := cachetest.StartRedis(t)
	if !ok {
		return
	}
	m := &manyHosts{shell: &shell{t: t, vars: map[string]string{}}, folder: t.TempDir(), settings: map[string]string{"data": "data"}}
	m.real = map[string]string{
		"db.example.org": postgres.Address(), "amqp://emporium:secret@mq.example.org/": broker, "redis://cache.example.org:6379/0": redis.URL(),
		pageAddress: "http://" + freeAddress(t),
	}
	text, err := os.ReadFile(manyHostsPage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, address := range regexp.MustCompile(`10\.0\.0\.\d+:8080`).FindAllString(page, -1) {
		if m.real[address] == "" {
			m.real[address] = freeAddress(t)
		}
	}
	var renewed strings.Builder
	for {
		before, block, found := strings.Cut(page, "\n```")
		renewed.WriteString(before)
		if !found {
			break
		}
		kind, rest, _ := strings.Cut(block, "\n")
		block, page, found = strings.Cut(rest, "\n```")
		if !found {
			t.Fatalf("a block of kind %s has no end", kind)
		}
		block = strings.TrimSuffix(typedIn("```"+kind+"\n"+block+"\n```", m.typeIn(kind)), "\n```")
		renewed.WriteString("\n" + block + "\n```")
		switch kind {
		case "sql":
			_, statement, _ := strings.Cut(block, "\n")
			dbtest.Run(t, postgres.URL(postgres.Address()), statement)
		case "ini":
			m.change(block)
		case "sh":
			m.start(block)
		}
	}
	apitest.Golden(t, manyHostsPage, renewed.String())
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// here puts the test's addresses in the place of the page's, and there the other
// way round.
func (m *manyHosts) here(text string) string {
	for page, real := range m.real {
		text = strings.ReplaceAll(text, page, real)
	}
	return text
}

func (m *manyHosts) there(text string) string {
	for page, real := range m.real {
		text = strings.ReplaceAll(text, real, page)
	}
	return text
}

// change takes over settings, and starts again what runs.
func (m *manyHosts) change(block string) {
	for _, line := range strings.Split(block, "\n")[1:] {
		name, value, _ := strings.Cut(line, "=")
		if name == "EMPORIUM_SECRET" {
			secret, err := os.ReadFile(m.folder + "/data/secret.key")
			if err != nil {
				m.t.Fatal(err)
			}
			value = string(secret)
		}
		if name == "EMPORIUM_TRUSTED_PROXIES" {
			value = "127.0.0.1"
		}
		m.settings[strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "EMPORIUM_")), "_", "-")] = m.here(value)
	}
	m.restart()
}

// start runs a block of `emporium serve`, in the place of what ran.
func (m *manyHosts) start(block string) {
	lines := strings.Split(block, "\n")[1:]
	if !strings.HasPrefix(lines[0], "emporium serve") {
		return
	}
	m.started = lines
	m.restart()
}

func (m *manyHosts) stop() {
	m.t.Helper()
	for _, p := range m.programs {
		if err := p.Stop(); err != nil {
			m.t.Errorf("%v\n%s", err, p.Output())
		}
	}
	m.programs = nil
}

func (m *manyHosts) restart() {
	m.t.Helper()
	m.stop()
	for _, line := range m.started {
		args := m.flags()
		if len(m.started) > 1 { // a host has a folder of its own
			args = append(args, "--data="+m.t.TempDir())
		}
		words := m.words(m.here(line))[2:]
		if i := slices.Index(words, "--listen"); i >= 0 {
			args, words = append(args, "--listen="+words[i+1]), slices.Delete(words, i, i+2)
		} else {
			args = append(args, "--listen="+strings.TrimPrefix(m.real[pageAddress], "http://"))
		}
		m.programs = append(m.programs, programtest.Start(m.t, append(args, words...)...))
	}
	if strings.Count(strings.Join(m.started, "\n"), "serve gateway") == 2 {
		f := &fleet{programs: map[string][2]*programtest.Program{"gateway": [2]*programtest.Program(m.programs[len(m.programs)-2:])}}
		haproxy, _ := testenv.Require(m.t, "haproxy")
		f.startHAProxy(m.t, haproxy)
		m.real["http://10.0.0.5"] = f.front
	}
}

func (m *manyHosts) flags() (flags []string) {
	for name, value := range m.settings {
		if name == "data" {
			value = m.folder + "/" + value
		}
		flags = append(flags, "--"+name+"="+value)
	}
	return flags
}

// typeIn types in the commands of a console block.
func (m *manyHosts) typeIn(kind string) func(command, shown string) string {
	return func(command, shown string) string {
		if kind != "console" {
			m.t.Fatalf("%q is typed in in a block of kind %s", command, kind)
		}
		words := m.words(m.here(command))
		switch words[0] {
		case "curl":
			for i, word := range words {
				if u, err := url.Parse(word); err == nil && u.Host != "" && i > 0 {
					m.server = &programtest.Program{URL: "http://" + u.Host}
					words[i] = pageAddress + strings.TrimPrefix(word, m.server.URL)
				}
			}
			return m.settled(shown, func() (string, bool) { return m.curl(words) })
		case "psql":
			return m.settled(shown, func() (string, bool) { return m.output(words[0], words[1:]), true })
		case "emporium":
			if words[1] == "copy" { // the page says to stop the program first
				m.stop()
			}
			return m.settled(shown, func() (string, bool) {
				// What only reads may be looked at until it is as it should be.
				return m.output(programtest.Binary(m.t), slices.Concat(words[1:], m.settingsOf(words[1]))), words[1] == "queue"
			})
		}
		m.t.Fatalf("this test does not know %q", command)
		return ""
	}
}

// settingsOf are the flags that a command of the program takes from .env.
func (m *manyHosts) settingsOf(command string) []string {
	if command != "queue" && command != "copy" {
		return m.flags()
	}
	return []string{"--data=" + m.folder + "/data"}
}

func (m *manyHosts) output(program string, args []string) string {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), program, args...)
	cmd.Dir = m.folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Errorf("%s %q: %v", program, args, err)
	}
	return m.there(string(out))
}
