package testenv

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RabbitMQServer is a RabbitMQ that the test started and may do anything to.
type RabbitMQServer struct {
	t      testing.TB
	bin    string
	folder string
	port   int
	page   int // where the management plugin listens
	node   string
	env    []string
	run    *process
}

// StartRabbitMQ starts a node of its own name, on free ports and files of its
// own, with plugins ("rabbitmq_management") if need be. It is killed when the test ends; what it shares with others of the machine
// is Erlang's list of nodes (epmd). Not ok, like [Require]: there is no
// rabbitmq-server here.
func StartRabbitMQ(t testing.TB, plugins ...string) (_ *RabbitMQServer, ok bool) {
	t.Helper()
	program, ok := Require(t, "rabbitmq-server")
	if !ok {
		return nil, false
	}
	real, err := filepath.EvalSymlinks(program)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	s := &RabbitMQServer{
		t: t, bin: filepath.Dir(real), folder: folder, port: freePort(t), page: freePort(t),
		node: "emporium-test-" + strings.ToLower(rand.Text()[:8]) + "@localhost",
	}
	s.env = plainEnv(
		"HOME="+folder, // of the cookie
		"RABBITMQ_NODENAME="+s.node,
		fmt.Sprintf("RABBITMQ_NODE_PORT=%d", s.port),
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
		fmt.Sprintf("RABBITMQ_DIST_PORT=%d", freePort(t)),
		"RABBITMQ_BASE="+folder,
		"RABBITMQ_MNESIA_BASE="+filepath.Join(folder, "mnesia"),
		"RABBITMQ_LOG_BASE="+filepath.Join(folder, "log"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(folder, "rabbitmq"),
		"RABBITMQ_ADVANCED_CONFIG_FILE="+filepath.Join(folder, "advanced"),
		"RABBITMQ_CONF_ENV_FILE="+filepath.Join(folder, "env"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(folder, "plugins"),
		"RABBITMQ_PID_FILE="+filepath.Join(folder, "pid"),
	)
	config := "loopback_users.guest = true\n"
	if slices.Contains(plugins, "rabbitmq_management") {
		config += fmt.Sprintf("management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = %d\n", s.page)
	}
	for name, text := range map[string]string{"rabbitmq.conf": config, "plugins": "[" + strings.Join(plugins, ",") + "].\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(s.Kill)
	s.Start()
	return s, true
}

// Address is the server's host and port.
func (s *RabbitMQServer) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// URL is where a server answers that is reached by an address: its own, or that
// of a wire to it.
func (*RabbitMQServer) URL(address string) string { return "amqp://guest:guest@" + address + "/" }

// ManagementPort is where the management plugin answers, if it was asked for.
func (s *RabbitMQServer) ManagementPort() int { return s.page }

// Start starts the server that was stopped or killed, on the same ports and
// files, and waits until it answers.
func (s *RabbitMQServer) Start() {
	s.t.Helper()
	log := filepath.Join(s.folder, "output")
	cmd := exec.Command(filepath.Join(s.bin, "rabbitmq-server"))
	cmd.Env, cmd.Dir = s.env, s.folder
	s.run = start(s.t, cmd, log)
	s.run.await(s.t, log, 2*time.Minute, func() error {
		if _, err := os.Stat(filepath.Join(s.folder, "pid")); err != nil {
			return err // asking takes a second of a processor: not before there is somebody to ask
		}
		return s.control("await_startup", "--timeout", "60")
	})
}

// Stop ends the server as its owner would.
func (s *RabbitMQServer) Stop() {
	s.t.Helper()
	s.Control("stop")
	select {
	case <-s.run.exited:
	case <-time.After(time.Minute):
		s.t.Fatal("RabbitMQ does not stop")
	}
	_ = os.Remove(filepath.Join(s.folder, "pid"))
}

// Kill ends the server with SIGKILL.
func (s *RabbitMQServer) Kill() {
	if s.run != nil {
		s.run.kill()
	}
	_ = os.Remove(filepath.Join(s.folder, "pid"))
}

// Signal sends the server a signal: SIGSTOP pauses it with its connections open.
func (s *RabbitMQServer) Signal(what syscall.Signal) {
	_ = syscall.Kill(-s.run.cmd.Process.Pid, what)
}

// Control runs the broker's own command-line tool on it.
func (s *RabbitMQServer) Control(args ...string) {
	s.t.Helper()
	if err := s.control(args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *RabbitMQServer) control(args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // also after the test's own has ended
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "rabbitmqctl"), append([]string{"-n", s.node}, args...)...)
	cmd.Env, cmd.Dir = s.env, s.folder
	return output(cmd)
}
