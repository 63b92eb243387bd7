package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// What protected mode costs: the token that is verified, the quotas that are
// counted, and the hashes of those who sign in while others are served.

// owner is one of the demo's accounts.
const owner = `{"mail":"clemence.moreau@example.org","password":"timber-jasper-harbor-42"}`

// protectedRows compare the same request with and without a token, and with and
// without quotas, on processes that differ in nothing else.
func protectedRows(tokens map[string]string) []row {
	plain := getOf("/coupons/", 1, 200)
	signed := func(server string) side {
		return side{server: server, request: withHeader(plain, "Authorization: Bearer "+tokens[server]), status: 200}
	}
	return []row{
		{name: "GET /coupons/{id} with a token, the same without", against: "protected", target: 0.90, connections: getConnections,
			ours: signed("unlimited"), theirs: side{server: "unlimited", request: plain, status: 200}},
		{name: "GET /coupons/{id} with a token and counted, the same not counted", against: "protected", connections: getConnections,
			ours: signed("limited"), theirs: signed("unlimited")},
	}
}

// withHeader adds a line to the head of a request without a body.
func withHeader(r request, line string) request {
	return func(buf []byte, n uint64) []byte {
		buf = r(buf, n)
		return append(append(buf[:len(buf)-2], line...), headEnd...)
	}
}

// compareProtected measures the rows of protected mode.
func (b *bench) compareProtected(page *page) error {
	if len(b.wanted(protectedRows(nil))) == 0 {
		return nil
	}
	b.stopAll()
	tokens := map[string]string{}
	for _, name := range []string{"unlimited", "limited"} {
		p, err := b.server(name)
		if err != nil {
			return err
		}
		_, answer, err := p.send("/api/user/auth", []byte(owner))
		if err != nil {
			return err
		}
		var signed struct {
			Token string `json:"access_token"`
		}
		if err := json.Unmarshal(answer, &signed); err != nil || signed.Token == "" {
			return fmt.Errorf("signing in gave %q, %v", clip(answer), err)
		}
		tokens[name] = signed.Token
	}
	return b.compareRows(page, b.wanted(protectedRows(tokens)))
}

// startProtected starts Emporium in protected mode on the demo's data, without
// quotas, or with quotas that nobody reaches.
func (b *bench) startProtected(name string) (*process, error) {
	quota := "off"
	if name == "limited" {
		quota = "1000000/1s"
	}
	args := []string{
		"serve", "--demo", "--access=protected", "--listen=ADDRESS", "--data=" + filepath.Join(b.folder, name+"-data"),
		"--limit-address=" + quota, "--limit-account=" + quota, "--limit-key=" + quota, "--limit-sign-in=off", "--limit-sign-in-mail=off",
	}
	return start(b.folder, name, "/readyz", b.program, args...)
}

const (
	signingIn  = 64
	demoMovies = 3000 // at least
)

// crowdFigure is how long others wait while many people sign in at once.
func (b *bench) crowdFigure() figure {
	return figure{fmt.Sprintf("GET of one movie while %d people sign in at once: the 99th percentile, of what it is without them", signingIn), "under 2", func() (string, error) {
		p, err := b.startProtected("unlimited")
		if err != nil {
			return "", err
		}
		defer p.stop()
		var all []crowded
		for range b.runs {
			c, err := b.crowd(p)
			if err != nil {
				return "", err
			}
			all = append(all, c)
		}
		slices.SortFunc(all, func(x, y crowded) int { return int(1000 * (x.ratio() - y.ratio())) })
		c := all[len(all)/2]
		return fmt.Sprintf("**%.2f** (%.2f to %.2f): %s, alone %s; %.0f signed in a second", c.ratio(), all[0].ratio(), all[len(all)-1].ratio(),
			c.with.at(99), c.without.at(99), c.rate), nil
	}}
}

// crowded is one round of it.
type crowded struct {
	without, with waits
	rate          float64 // of those who signed in
}

func (c crowded) ratio() float64 { return float64(c.with.of(99)) / float64(c.without.of(99)) }

func (b *bench) crowd(p *process) (c crowded, err error) {
	const long = 10 * time.Second // for a thousand answers
	if c.without, err = b.ask(p, demoMovies, after(long)); err != nil {
		return c, err
	}
	done := make(chan struct{})
	var wait sync.WaitGroup
	var asking error
	wait.Go(func() { c.with, asking = b.ask(p, demoMovies, done) })
	o, err := load{address: p.address, connections: signingIn, request: post("/api/user/auth", func(buf []byte, _ uint64) []byte { return append(buf, owner...) }), status: 200, duration: long}.run()
	close(done)
	wait.Wait()
	if err == nil {
		err = asking
	}
	c.rate = o.rate()
	return c, err
}
