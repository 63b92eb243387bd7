package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// engines are the servers to measure on; "" for one that is not there. What is
// made on them has a name that nobody else has, and is removed at the end.
type engines struct {
	postgres, rabbitmq, redis string

	mu     sync.Mutex
	remove []func() error
}

// prefix begins the names of everything that a run makes on a server.
var prefix = "emporium_bench_" + strings.ToLower(rand.Text()[:10])

func (e *engines) removeLater(f func() error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.remove = append(e.remove, f)
}

// cleanUp removes what was made. The last comes first.
func (e *engines) cleanUp() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for n := len(e.remove) - 1; n >= 0; n-- {
		if err := e.remove[n](); err != nil {
			say("not removed: %s\n", err)
		}
	}
	e.remove = nil
}

// cleanUpOnSignal does it, too, when the command is broken off, and ends what it
// started.
func (e *engines) cleanUpOnSignal(folder string) {
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-broken
		stopStarted()
		e.cleanUp()
		_ = os.RemoveAll(folder)
		os.Exit(1)
	}()
}

// keepers are the services that keep data of their own.
var keepers = []string{"accounts", "auctions", "billing", "coupons", "inventory", "property", "purchases"}

// databaseFlags have every service keep its data on the server, in databases
// whose names begin with name.
func (e *engines) databaseFlags(name string) []string {
	flags := []string{"--database-url=" + e.postgres}
	for _, keeper := range keepers {
		database := prefix + "_" + name + "_" + keeper
		flags = append(flags, "--"+keeper+"-database="+database)
		e.removeLater(func() error { return e.dropDatabase(database) })
	}
	return flags
}

// databaseURL is the address of one of them.
func (e *engines) databaseURL(name, keeper string) (string, error) {
	u, err := url.Parse(e.postgres)
	if err != nil {
		return "", errors.New("-postgres is not a URL such as postgres://postgres@127.0.0.1/postgres")
	}
	u.Path = "/" + prefix + "_" + name + "_" + keeper
	return u.String(), nil
}

func (e *engines) dropDatabase(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, e.postgres)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(ctx) }()
	if _, err := c.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop the database %s: %w", name, err)
	}
	return nil
}

// virtualHost makes a virtual host in the broker, and gives its address.
func (e *engines) virtualHost() (string, error) {
	u, err := url.Parse(e.rabbitmq)
	if err != nil {
		return "", errors.New("-rabbitmq is not a URL such as amqp://guest:guest@127.0.0.1:5672/")
	}
	if err := rabbitmqctl("add_vhost", prefix); err != nil {
		return "", err
	}
	e.removeLater(func() error { return rabbitmqctl("delete_vhost", prefix) })
	u.Path = "/" + prefix
	return u.String(), rabbitmqctl("set_permissions", "-p", prefix, u.User.Username(), ".*", ".*", ".*")
}

func rabbitmqctl(args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "rabbitmqctl", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("rabbitmqctl %s: %w\n%s", args[0], err, clip(out))
	}
	return nil
}

// forget removes a run's keys from Redis.
func (e *engines) forget() error {
	u, err := url.Parse(e.redis)
	if err != nil {
		return errors.New("-redis is not a URL such as redis://127.0.0.1:6379/0")
	}
	c, err := net.DialTimeout("tcp", u.Host, 5*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	var commands strings.Builder
	command := func(words ...string) {
		fmt.Fprintf(&commands, "*%d\r\n", len(words))
		for _, word := range words {
			fmt.Fprintf(&commands, "$%d\r\n%s\r\n", len(word), word)
		}
	}
	count := 2
	if password, given := u.User.Password(); given {
		if name := u.User.Username(); name != "" {
			command("AUTH", name, password)
		} else {
			command("AUTH", password)
		}
		count++
	}
	number := strings.Trim(u.Path, "/")
	if number == "" {
		number = "0"
	}
	command("SELECT", number)
	command("EVAL", "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end return 1", "0", prefix+"*")
	if _, err := c.Write([]byte(commands.String())); err != nil {
		return err
	}
	answers := bufio.NewReader(c)
	for range count {
		line, err := answers.ReadString('\n')
		if err == nil && strings.HasPrefix(line, "-") {
			err = fmt.Errorf("remove keys from Redis: %s", strings.TrimSpace(line))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
