package main

import (
	"bufio"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// given is the address of a server to test with, or says that there is none.
func given(t *testing.T, name string) (address string, ok bool) {
	t.Helper()
	address = os.Getenv("EMPORIUM_TEST_" + strings.ToUpper(name) + "_URL")
	if address == "" {
		if slices.Contains(strings.Split(os.Getenv("EMPORIUM_TEST_REQUIRE"), ","), name) {
			t.Fatalf("EMPORIUM_TEST_REQUIRE asks for %s", name)
		}
		t.Logf("NOT TESTED: %s needs %s", t.Name(), name)
	}
	return address, address != ""
}

// The row that fills a queue says how many messages are there: as many must be.
func TestPublishPutsInAsManyAsAsked(t *testing.T) {
	address, ok := given(t, "rabbitmq")
	if !ok {
		return
	}
	b := bench{engines: engines{rabbitmq: address}}
	defer b.engines.cleanUp()
	const count = 333
	if err := b.fillQueue(bareQueue, count); err != nil {
		t.Fatal(err)
	}
	ch, done, err := b.channel(bareQueue)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	for n := range count {
		d, there, err := ch.Get(bareQueue, true)
		if err != nil || !there {
			t.Fatalf("message %d of %d is not there (%v)", n+1, count, err)
		}
		if row, err := orderRow(d.Body); err != nil || row[0] == "" || row[1].(int64) != 5 {
			t.Fatalf("%s became %v (%v)", d.Body, row, err)
		}
	}
	if _, there, err := ch.Get(bareQueue, true); there || err != nil {
		t.Errorf("there are more than %d messages (%v)", count, err)
	}
}

func TestForgetRemovesOnlyItsOwnKeys(t *testing.T) {
	address, ok := given(t, "redis")
	if !ok {
		return
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.DialTimeout("tcp", u.Host, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answers := bufio.NewReader(c)
	ask := func(command string) string {
		t.Helper()
		_, _ = fmt.Fprintf(c, "%s\r\n", command)
		line, err := answers.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "-") {
			t.Fatalf("%s: %s (%v)", command, line, err)
		}
		return strings.TrimSpace(line)
	}
	ask("SELECT " + max(strings.Trim(u.Path, "/"), "0"))
	other := "another_" + prefix
	ask("SET " + prefix + ":key 1 EX 60")
	ask("SET " + other + " 1 EX 60")
	e := engines{redis: address}
	if err := e.forget(); err != nil {
		t.Fatal(err)
	}
	if own, others := ask("EXISTS "+prefix+":key"), ask("EXISTS "+other); own != ":0" || others != ":1" {
		t.Errorf("its own key: %s, that of others: %s", own, others)
	}
	ask("DEL " + other)
}

// What nginx's workers use is nginx's.
func TestFamilyHasChildren(t *testing.T) {
	c := exec.Command("/bin/sh", "-c", "sleep 20 & echo $!; wait")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Fscan(out, &child); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if p, err := os.FindProcess(child); err == nil {
			_ = p.Kill()
		}
		_ = c.Wait()
	}()
	if got := family(c.Process.Pid); !slices.Equal(got, []int{c.Process.Pid, child}) {
		t.Errorf("family is %v, want %d and %d", got, c.Process.Pid, child)
	}
}

// What is not there is named, and its rows are left out; nothing is started.
func TestWhatIsNotThereIsLeftOut(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := os.Stat("/usr/sbin/caddy"); err != nil && installed("caddy") {
		t.Error("Caddy is said to be here without being in the path")
	}
	b := bench{only: regexp.MustCompile(""), duration: time.Second, orders: 10, servers: map[string]*process{}}
	p := newPage(&b)
	if err := b.compareOnServers(p); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(p.left, "\n")
	for _, want := range []string{"-postgres", "-rabbitmq", "-redis", "POST /api/billing", "10 waiting orders"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not named in:\n%s", want, text)
		}
	}
	if len(b.servers) > 0 || len(p.rows) > 0 {
		t.Errorf("servers %v and rows %v without any server", b.servers, p.rows)
	}
}
