package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// PostgresServer is a PostgreSQL that the test started and may do anything to.
type PostgresServer struct {
	t      testing.TB
	bin    string // where its programs are
	folder string
	port   int
	as     *syscall.SysProcAttr // whose it is: PostgreSQL refuses to run as root
	run    *process
}

// StartPostgres makes a cluster in a folder of its own and starts its server on a
// free port, with settings ("max_connections=50") if need be. It is killed when
// the test ends. Not ok, like [Require]: there is no initdb here.
func StartPostgres(t testing.TB, settings ...string) (_ *PostgresServer, ok bool) {
	t.Helper()
	initdb, ok := Require(t, "initdb")
	if !ok {
		return nil, false
	}
	real, err := filepath.EvalSymlinks(initdb)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "emporium-test-postgres-*") //nolint:usetesting // t.TempDir lies in a folder that PostgreSQL's user may not enter
	if err != nil {
		t.Fatal(err)
	}
	s := &PostgresServer{t: t, bin: filepath.Dir(real), folder: folder, port: freePort(t), as: &syscall.SysProcAttr{}}
	t.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(folder)
	})
	if os.Getuid() == 0 {
		s.as.Credential = s.owner()
	}
	make := exec.Command(initdb, "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	make.SysProcAttr, make.Env, make.Dir = s.as, plainEnv(), folder
	if err := output(make); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("\nlisten_addresses = '127.0.0.1'\nport = %d\nunix_socket_directories = ''\nmax_connections = 200\n", s.port)
	for _, setting := range settings {
		config += setting + "\n"
	}
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(config); err != nil {
		t.Fatal(err)
	}
	s.Start()
	return s, true
}

// owner is the user that PostgreSQL's package made, who gets the folder.
func (s *PostgresServer) owner() *syscall.Credential {
	s.t.Helper()
	u, err := user.Lookup("postgres")
	if err != nil {
		s.t.Fatal("PostgreSQL does not run as root, and there is no user postgres: ", err)
	}
	uid, _ := strconv.Atoi(u.Uid) // numbers, on every system that has initdb
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(s.folder, uid, gid); err != nil {
		s.t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (s *PostgresServer) data() string { return filepath.Join(s.folder, "data") }
func (s *PostgresServer) log() string  { return filepath.Join(s.folder, "log") }

// Address is the server's host and port.
func (s *PostgresServer) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// URL is where a server answers that is reached by an address: its own, or that
// of a wire to it.
func (*PostgresServer) URL(address string) string {
	return "postgres://postgres@" + address + "/postgres?sslmode=disable"
}

// Start starts the server that was stopped or killed, on the same port and
// files, and waits until it answers.
func (s *PostgresServer) Start() {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.data())
	as := *s.as
	cmd.SysProcAttr, cmd.Env, cmd.Dir = &as, plainEnv(), s.folder
	s.run = start(s.t, cmd, s.log())
	s.run.await(s.t, s.log(), time.Minute, func() error {
		return output(exec.Command(filepath.Join(s.bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port)))
	})
}

// StopFast ends connections and stops, as `pg_ctl stop -m fast` does.
func (s *PostgresServer) StopFast() { s.stop(syscall.SIGINT) }

// StopImmediate stops without a word, as `pg_ctl stop -m immediate` does: the
// next start recovers.
func (s *PostgresServer) StopImmediate() { s.stop(syscall.SIGQUIT) }

func (s *PostgresServer) stop(how syscall.Signal) {
	s.t.Helper()
	s.run.signal(how)
	select {
	case <-s.run.exited:
	case <-time.After(time.Minute):
		s.t.Fatal("PostgreSQL does not stop")
	}
}

// Kill ends the server and its children with SIGKILL.
func (s *PostgresServer) Kill() {
	if s.run != nil {
		s.run.kill()
	}
}
