package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a server under test: always a process of its own, so that nothing
// of it is paid for by the generator.
type process struct {
	cmd     *exec.Cmd
	name    string
	address string
	log     *os.File
	exited  chan struct{}
}

// launch starts a server that listens on a free port, without waiting for it.
// In args, ADDRESS stands for where it listens.
func launch(folder, name, program string, args ...string) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &process{name: name, address: "127.0.0.1:" + port, exited: make(chan struct{})}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "ADDRESS", p.address)
	}
	// What a server logs goes to a file, as under a service manager.
	if p.log, err = os.OpenFile(filepath.Join(folder, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	p.cmd = exec.Command(program, args...)
	p.cmd.Dir = folder
	p.cmd.Env = environment()
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	started.Store(p, true)
	go func() {
		_ = p.cmd.Wait()
		started.Delete(p)
		close(p.exited)
	}()
	return p, nil
}

// started are the processes that have not ended.
var started sync.Map

func stopStarted() {
	started.Range(func(p, _ any) bool {
		p.(*process).stop()
		return true
	})
}

// environment is ours without settings of Emporium: its defaults are measured.
func environment() []string {
	var kept []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "EMPORIUM_") {
			kept = append(kept, e)
		}
	}
	return kept
}

// start launches a server and waits until it answers a path.
func start(folder, name, path, program string, args ...string) (*process, error) {
	p, err := launch(folder, name, program, args...)
	if err != nil {
		return nil, err
	}
	if _, err := p.wait(path, 60*time.Second); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// wait asks for a path until it answers 200, and says how long that took.
func (p *process) wait(path string, most time.Duration) (time.Duration, error) {
	from := time.Now()
	for time.Since(from) < most {
		select {
		case <-p.exited:
			return 0, fmt.Errorf("%s ended: %s", p.name, p.lastWords())
		default:
		}
		// A connection each, because a refused one says nothing about the next.
		if c, err := net.DialTimeout("tcp", p.address, time.Second); err == nil {
			_, _ = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			line, _ := bufio.NewReader(c).ReadString('\n')
			_ = c.Close()
			if strings.HasPrefix(line, "HTTP/1.1 200") {
				return time.Since(from), nil
			}
		}
		time.Sleep(500 * time.Microsecond)
	}
	return 0, fmt.Errorf("%s did not answer %s in %s: %s", p.name, path, most, p.lastWords())
}

// lastWords are the end of what it logged, which goes with the folder.
func (p *process) lastWords() []byte {
	text, _ := os.ReadFile(p.log.Name())
	return bytes.TrimSpace(text[max(0, len(text)-600):])
}

// stop ends the server as a service manager would.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	_ = p.log.Close()
}

// cpu is what the process and those that it started have used so far. It is
// counted in ticks of 10 ms.
func (p *process) cpu() time.Duration {
	ticks := 0
	for _, pid := range family(p.cmd.Process.Pid) {
		fields := stat(pid)
		if len(fields) < 13 {
			continue // it has ended
		}
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		ticks += user + system
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// family is a process and its children, such as nginx's workers.
func family(pid int) []int {
	all := []int{pid}
	others, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range others {
		other, _ := strconv.Atoi(filepath.Base(folder))
		if fields := stat(other); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			all = append(all, other)
		}
	}
	return all
}

// stat gives what /proc says of a process, from the third field on: what comes
// before is its name, which may hold anything.
func stat(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
}

// settle waits until the process rests: what one run left to do must not be
// paid for by the next.
func (p *process) settle() {
	for range 60 {
		before := p.cpu()
		time.Sleep(250 * time.Millisecond)
		if p.cpu()-before <= 10*time.Millisecond {
			return
		}
	}
}

// resident is how much memory the process has, in bytes.
func (p *process) resident() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("no VmRSS")
}

// fetch asks for a path and reads the answer.
func (p *process) fetch(path string) (*http.Response, []byte, error) {
	r, err := http.Get("http://" + p.address + path)
	if err != nil {
		return nil, nil, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, r.Status, clip(body))
	}
	return r, body, err
}

// send posts a body and reads the answer.
func (p *process) send(path string, body []byte) (*http.Response, []byte, error) {
	r, err := http.Post("http://"+p.address+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode >= 300 {
		err = fmt.Errorf("POST %s: %s: %s", path, r.Status, clip(answer))
	}
	return r, answer, err
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
