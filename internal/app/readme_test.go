package app_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/httpapi/apitest"
)

// Every ```console block of README.md is typed in, in order, at a demo that was
// just started, and must show what the page shows.
func TestReadme(t *testing.T) { typePage(t, "../../README.md", "--demo") }

// So is each of these pages, at an empty shop.
func TestHowto(t *testing.T) {
	for _, page := range []string{"lists", "safe-requests", "sign-in", "watch"} {
		t.Run(page, func(t *testing.T) { typePage(t, "../../docs/howto/"+page+".md") })
	}
}

func typePage(t *testing.T, file string, flags ...string) {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &shell{t: t, server: programtest.Start(t, flags...), vars: map[string]string{}}
	apitest.Golden(t, file, typedIn(string(page), s.run))
	if s.calls == 0 {
		t.Error("the page calls nothing")
	}
}

// typedIn gives a page with the output of each command in its console blocks
// replaced by what run says; run is told what the page shows now.
func typedIn(page string, run func(command, shown string) string) string {
	var out strings.Builder
	console := false
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.HasPrefix(line, "```") {
			console = line == "```console"
		}
		out.WriteString(line)
		if i < len(lines)-1 {
			out.WriteByte('\n')
		}
		command, ok := strings.CutPrefix(line, "$ ")
		if !console || !ok {
			continue
		}
		for strings.HasSuffix(command, "\\") {
			i++
			out.WriteString(lines[i] + "\n")
			command = strings.TrimSuffix(command, "\\") + strings.TrimSpace(strings.TrimPrefix(lines[i], ">"))
		}
		var shown []string
		for i+1 < len(lines) && !strings.HasPrefix(lines[i+1], "$ ") && !strings.HasPrefix(lines[i+1], "```") {
			i++
			shown = append(shown, lines[i])
		}
		if got := run(command, strings.Join(shown, "\n")); got != "" {
			out.WriteString(got + "\n")
		}
	}
	return out.String()
}

// shell understands what the page uses of a shell and of curl, so that the test
// needs neither.
type shell struct {
	t      *testing.T
	server *programtest.Program
	vars   map[string]string
	calls  int
}

const pageAddress = "http://127.0.0.1:8080"

// settles bounds how long an answer may take to become what the page shows:
// orders are written down after they were taken.
const settles = 10 * time.Second

func (s *shell) run(command, shown string) string {
	s.t.Helper()
	name, value, assigns := strings.Cut(command, "=")
	if assigns && !strings.ContainsAny(name, " '\"") {
		if inner, ok := strings.CutPrefix(value, "$("); ok {
			s.vars[name] = s.pipe(strings.TrimSuffix(inner, ")"))
		} else {
			s.vars[name] = s.words(value)[0]
		}
		return ""
	}
	return s.settled(shown, func() (string, bool) {
		got, reads := s.curl(s.words(command))
		return strings.ReplaceAll(got, s.server.Address(), strings.TrimPrefix(pageAddress, "http://")), reads
	})
}

// settled is what comes of a command; one that only reads is given again until it
// is what the page shows.
func (*shell) settled(shown string, do func() (got string, reads bool)) string {
	wait := settles
	if flag.Lookup("update").Value.String() == "true" {
		wait = time.Second
	}
	for deadline := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		got, reads := do()
		got = sameHeaders(strings.TrimSuffix(got, "\n"), shown)
		if got == shown || !reads || time.Now().After(deadline) {
			return got
		}
	}
}

// sameHeaders takes over from the page what differs from answer to answer.
func sameHeaders(got, shown string) string {
	lines := strings.Split(got, "\n")
	for i, line := range lines {
		for _, header := range []string{"Date: ", "X-Request-Id: "} {
			for old := range strings.SplitSeq(shown, "\n") {
				if strings.HasPrefix(line, header) && strings.HasPrefix(old, header) {
					lines[i] = old
				}
			}
		}
	}
	return strings.Join(lines, "\n")
}

// pipe runs `curl …` or `curl … | cut -d '"' -f N`.
func (s *shell) pipe(command string) string {
	s.t.Helper()
	call, cut, piped := strings.Cut(command, " | ")
	out, _ := s.curl(s.words(call))
	if !piped {
		return out
	}
	w := s.words(cut)
	if len(w) != 5 || w[0] != "cut" || w[1] != "-d" || w[3] != "-f" {
		s.t.Fatalf("this test does not know %q", cut)
	}
	field, err := strconv.Atoi(w[4])
	fields := strings.Split(out, w[2])
	if err != nil || field < 1 || field > len(fields) {
		s.t.Fatalf("%s: no field %s in %s", command, w[4], out)
	}
	return fields[field-1]
}

// words splits a command as a shell does: blanks, both kinds of quotes, and
// $NAME outside of single ones.
func (s *shell) words(command string) []string {
	s.t.Helper()
	var words []string
	var word strings.Builder
	quote, begun := byte(0), false
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, begun = c, true
		case c == '$' && quote != '\'':
			end := i + 1
			for end < len(command) && (command[end] >= 'A' && command[end] <= 'Z') {
				end++
			}
			value, ok := s.vars[command[i+1:end]]
			if !ok {
				s.t.Fatalf("%s: %s is not set", command, command[i:end])
			}
			word.WriteString(value)
			i, begun = end-1, true
		case c == ' ' && quote == 0:
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		case quote == 0 && strings.IndexByte("|&;<>()*?\\`", c) >= 0:
			s.t.Fatalf("%s: a shell would make something of %q", command, c)
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	if quote != 0 {
		s.t.Fatalf("%s: a quote is open", command)
	}
	if begun {
		words = append(words, word.String())
	}
	return words
}

// curl makes the call, and says whether it only reads.
func (s *shell) curl(args []string) (out string, reads bool) {
	s.t.Helper()
	var method, address, body string
	var head, sends bool
	header := http.Header{"Accept": {"*/*"}, "User-Agent": {"curl/8.0"}}
	if len(args) == 0 || args[0] != "curl" {
		s.t.Fatalf("this test does not know %q", args)
	}
	for i := 1; i < len(args); i++ {
		switch arg := args[i]; arg {
		case "-s":
		case "-i":
			head = true
		case "-X", "-H", "-d":
			if i++; i == len(args) {
				s.t.Fatalf("%q: nothing after %s", args, arg)
			}
			switch value := args[i]; arg {
			case "-X":
				method = value
			case "-H":
				name, text, _ := strings.Cut(value, ": ")
				header.Set(name, text)
			case "-d":
				body, sends = value, true
			}
		default:
			if strings.HasPrefix(arg, "-") || address != "" {
				s.t.Fatalf("this test does not know %q in %q", arg, args)
			}
			address = arg
		}
	}
	if sends && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if method == "" {
		method = map[bool]string{true: http.MethodPost, false: http.MethodGet}[sends]
	}
	path, ok := strings.CutPrefix(address, pageAddress)
	if !ok {
		s.t.Fatalf("%q does not call %s", args, pageAddress)
	}
	s.calls++
	top, answer, err := s.call(method, path, header, body)
	if err != nil {
		s.t.Fatalf("%q: %v", args, err)
	}
	if head {
		answer = top + answer
	}
	return answer, method == http.MethodGet
}

// call gives the answer's head as it came, with its headers in their order, and
// its body.
func (s *shell) call(method, path string, header http.Header, body string) (head, answer string, err error) {
	conn, err := s.server.Dial(s.t.Context())
	if err != nil {
		return "", "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(settles))
	for i := range len(path) {
		if path[i] >= 0x80 {
			return "", "", fmt.Errorf("%s is not an address: escape %q", path, path[i:])
		}
	}
	target, err := url.Parse(s.server.URL + path)
	if err != nil {
		return "", "", err
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, target.String(), strings.NewReader(body))
	if err != nil {
		return "", "", err
	}
	r.Header = header
	if err := r.Write(conn); err != nil {
		return "", "", err
	}
	var raw bytes.Buffer
	resp, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &raw)), r)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	head, _, _ = strings.Cut(raw.String(), "\r\n\r\n")
	return strings.ReplaceAll(head, "\r\n", "\n") + "\n\n", string(content), err
}

func TestTypedIn(t *testing.T) {
	page := "a\n```console\n$ one \\\n>  two\nold\n$ three\n```\n```\n$ not this\n```\n"
	var ran []string
	got := typedIn(page, func(command, shown string) string {
		ran = append(ran, command+"="+shown)
		return "new"
	})
	if want := "a\n```console\n$ one \\\n>  two\nnew\n$ three\nnew\n```\n```\n$ not this\n```\n"; got != want {
		t.Errorf("got %q", got)
	}
	if want := "one two=old three="; strings.Join(ran, " ") != want {
		t.Errorf("ran %q", ran)
	}
}

func TestWords(t *testing.T) {
	s := &shell{t: t, vars: map[string]string{"TOKEN": "a b"}}
	got := s.words(`curl -H "Authorization: $TOKEN" -d '{"a": "$x"}' ""`)
	want := []string{"curl", "-H", "Authorization: a b", "-d", `{"a": "$x"}`, ""}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got %q", got)
	}
}
