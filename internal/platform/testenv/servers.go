package testenv

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// places are folders outside the PATH in which a program may be installed, the
// newest version last: Debian keeps PostgreSQL's servers apart by version, and
// wraps RabbitMQ's in scripts that insist on its own folders.
var places = map[string]string{
	"initdb":          "/usr/lib/postgresql/*/bin",
	"rabbitmq-server": "/usr/lib/rabbitmq/bin",
}

// installed looks for a program in its places.
func installed(part string) string {
	found, _ := filepath.Glob(filepath.Join(places[part], part)) // the patterns are right
	if places[part] == "" || len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

// freePort gives a port that nobody listens on.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}

// process is a server that a test started.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once it is gone
}

// start runs a server in a group of its own, so that nothing of it is left: also
// when the test is killed, or runs out of time, and cleans nothing up.
func start(t testing.TB, cmd *exec.Cmd, log string) *process {
	t.Helper()
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	survivor, err := outlive(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		_ = survivor.Process.Kill()
		_ = survivor.Wait()
		close(p.exited)
	}()
	return p
}

// outlive starts a process that kills a group when this process is gone, whose
// end of a pipe is then closed.
func outlive(group int) (*exec.Cmd, error) {
	cmd := exec.Command("sh", "-c", `cat; kill -KILL "-$0"`, strconv.Itoa(group))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if _, err := cmd.StdinPipe(); err != nil { // closed by cmd.Wait
		return nil, err
	}
	return cmd, cmd.Start()
}

// signal sends the server itself a signal.
func (p *process) signal(what syscall.Signal) { _ = p.cmd.Process.Signal(what) }

// kill ends the server and all that it started, with SIGKILL.
func (p *process) kill() {
	select {
	case <-p.exited:
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
	<-p.exited
}

// await waits until a server that was started answers.
func (p *process) await(t testing.TB, log string, within time.Duration, answers func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		err := answers()
		if err == nil {
			return
		}
		ended := false
		select {
		case <-p.exited:
			ended = true
		default:
		}
		if ended || time.Now().After(deadline) {
			said, _ := os.ReadFile(log)
			t.Fatalf("%s does not answer: %v\n%s", filepath.Base(p.cmd.Path), err, said)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// plainEnv is the environment without what would tell a server of another.
func plainEnv(more ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		return strings.HasPrefix(pair, "PG") || strings.HasPrefix(pair, "RABBITMQ_") || strings.HasPrefix(pair, "EMPORIUM_")
	})
	return append(env, more...)
}

// output runs a command to its end.
func output(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}
