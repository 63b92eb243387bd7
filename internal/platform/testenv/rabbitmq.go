package testenv

import (
	"context"
	"crypto/rand"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// VirtualHost makes a virtual host in the broker for one test, by the broker's
// own command-line tool, and removes it. It gives the host's URL; false, like
// [Require], where there is no broker or no tool.
func VirtualHost(t testing.TB) (address string, ok bool) {
	t.Helper()
	address, ok = Require(t, "rabbitmq")
	if !ok {
		return "", false
	}
	if find("rabbitmqctl") == "" {
		if required("rabbitmq") {
			t.Fatal("EMPORIUM_TEST_REQUIRE asks for rabbitmq, whose rabbitmqctl is not here")
		}
		t.Logf("NOT TESTED: %s needs rabbitmqctl, which is not here", t.Name())
		return "", false
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatalf("%s is no URL", variables["rabbitmq"])
	}
	name := "emporium-test-" + strings.ToLower(rand.Text())
	rabbitmqctl(t, "add_vhost", name)
	t.Cleanup(func() { rabbitmqctl(t, "delete_vhost", name) })
	rabbitmqctl(t, "set_permissions", "-p", name, u.User.Username(), ".*", ".*", ".*")
	u.Path = "/" + name
	return u.String(), true
}

func rabbitmqctl(t testing.TB, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // also after the test's own has ended
	defer cancel()
	if out, err := exec.CommandContext(ctx, "rabbitmqctl", args...).CombinedOutput(); err != nil {
		t.Fatalf("rabbitmqctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
