package testenv_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"emporium/internal/platform/testenv"
)

// TestServersEndWithTheirTest kills a test that has started a server.
func TestServersEndWithTheirTest(t *testing.T) {
	const told = "EMPORIUM_TESTENV_START"
	if os.Getenv(told) != "" { // the test to be killed
		s, ok := testenv.StartPostgres(t)
		if !ok {
			return
		}
		_, _ = os.Stdout.WriteString("at " + s.Address() + "\n")
		select {}
	}
	if _, ok := testenv.Require(t, "initdb"); !ok {
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServersEndWithTheirTest$")
	cmd.Env = append(os.Environ(), told+"=1", "TMPDIR="+openFolder(t))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := ""
	for lines := bufio.NewScanner(out); address == "" && lines.Scan(); {
		address, _ = strings.CutPrefix(lines.Text(), "at ")
		if !strings.Contains(address, ":") {
			address = ""
		}
	}
	if address == "" {
		t.Fatal("it started no server: ", cmd.Wait())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		_ = c.Close()
		if time.Now().After(deadline) {
			t.Fatalf("the server at %s is still there", address)
		}
	}
}

// openFolder is removed with the test, and may be entered by everybody: servers
// run as other users.
func openFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "emporium-test-*") //nolint:usetesting // t.TempDir lies in a folder that only this user may enter
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}
