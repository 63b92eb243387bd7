// Package programtest runs the real program, as a user would, for tests that
// kill it, split it or look at what it prints.
package programtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"emporium/internal/platform/testenv"
)

var build struct {
	once sync.Once
	path string
	err  error
}

// Binary builds the program, once for a run of tests, and gives its path.
func Binary(t testing.TB) string {
	t.Helper()
	build.once.Do(func() {
		dir, err := os.MkdirTemp("", "emporium-test-*") //nolint:usetesting // it serves all tests of the run
		if err != nil {
			build.err = err
			return
		}
		build.path = filepath.Join(dir, "emporium")
		out, err := exec.CommandContext(t.Context(), "go", "build", "-o", build.path, "emporium/cmd/emporium").CombinedOutput()
		if err != nil {
			build.err = fmt.Errorf("build the program: %w\n%s", err, out)
		}
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	return build.path
}

// Program is a running server.
type Program struct {
	URL    string // "http://127.0.0.1:34567"
	cmd    *exec.Cmd
	exited chan struct{} // closed once err says how it ended
	err    error
	mu     sync.Mutex
	out    strings.Builder
}

// startWithin bounds how long a server may take to say where it listens.
const startWithin = 30 * time.Second

// Start runs `emporium serve` with arguments, on a free port unless they name one,
// and waits until it says where it listens. It is killed when the test ends.
func Start(t testing.TB, args ...string) *Program {
	t.Helper()
	all := []string{"serve", "--drain=0s"}
	if !slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--listen=") }) {
		all = append(all, "--listen=127.0.0.1:0")
	}
	p := &Program{cmd: exec.CommandContext(t.Context(), Binary(t), append(all, args...)...), exited: make(chan struct{})}
	p.cmd.Dir = t.TempDir() // no .env of ours
	p.cmd.Env = cleanEnv()
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			_, _ = fmt.Fprintln(p, lines.Text())
			if f := strings.Fields(lines.Text()); len(f) > 1 && f[0] == "API" {
				address <- strings.TrimSuffix(f[1], ",")
			}
		}
	}()
	go func() {
		<-read
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(p.Kill)
	select {
	case p.URL = <-address:
	case <-p.exited:
		t.Fatalf("the program ended: %v\n%s", p.err, p.Output())
	case <-time.After(startWithin):
		t.Fatalf("the program did not say where it listens\n%s", p.Output())
	}
	return p
}

func cleanEnv() (env []string) {
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "EMPORIUM_") {
			env = append(env, pair)
		}
	}
	return env
}

// Environment is one without settings, in which the program and the tools of
// tools/npm are on the PATH.
func Environment(t testing.TB) []string {
	t.Helper()
	path := []string{filepath.Dir(Binary(t)), testenv.Tools(), os.Getenv("PATH")}
	return append(cleanEnv(), "PATH="+strings.Join(path, string(os.PathListSeparator)))
}

// Write takes what the program prints.
func (p *Program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

// Output is what the program has printed so far.
func (p *Program) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// Kill ends the program with SIGKILL and waits until it is gone.
func (p *Program) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// Stop asks the program to end, and gives how it ended.
func (p *Program) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.exited
	return p.err
}

// Pid is the program's process id.
func (p *Program) Pid() int { return p.cmd.Process.Pid }

// Address is where the program listens, without the scheme.
func (p *Program) Address() string {
	_, address, _ := strings.Cut(p.URL, "://")
	return address
}

// Dial makes a connection to the program.
func (p *Program) Dial(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", p.Address())
}

// Get reads one page, whole.
func (p *Program) Get(ctx context.Context, path string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+path, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}
