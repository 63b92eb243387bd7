package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// row is one comparison of rates.
type row struct {
	name        string
	against     string // what the other side is
	target      float64
	connections int
	ours        side
	theirs      side

	rounds int // most; 0: as many as asked for
}

// side is what one of the two does in a row.
type side struct {
	server  string // "emporium", "bare", "pocketbase", …
	request request
	status  int

	after func() error // what is to be done after each run; nil: nothing

	do func(connections int, duration time.Duration) (run, error) // what it does instead of answering requests
}

// measured is what became of a row.
type measured struct {
	row
	ours, theirs []run
	err          error
}

// run is one side's run.
type run struct {
	rate float64
	cpu  time.Duration // of the server, for one request
}

// ratios are those of the runs side by side, in order of size.
func (m measured) ratios() []float64 {
	var all []float64
	for i := range m.ours {
		all = append(all, m.ours[i].rate/m.theirs[i].rate)
	}
	slices.Sort(all)
	return all
}

func middle(sorted []float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return (sorted[len(sorted)/2] + sorted[(len(sorted)-1)/2]) / 2
}

func rates(runs []run) float64 {
	var all []float64
	for _, r := range runs {
		all = append(all, r.rate)
	}
	slices.Sort(all)
	return middle(all)
}

func costs(runs []run) time.Duration {
	var all []time.Duration
	for _, r := range runs {
		all = append(all, r.cpu)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

const (
	getConnections  = 32
	postConnections = 64
)

// rows are the comparisons of docs/benchmarks.md. The ids are PocketBase's.
func rows(ids map[string][]string) []row {
	// 200 different ones in turn: one alone would show nothing but the caches.
	bare := func(path string) side { return side{server: "bare", request: get(path), status: 200} }
	here := func(path string, first, count uint64) side {
		return side{server: "emporium", request: getOf(path, first, count), status: 200}
	}
	theirs := func(path string, ids []string) side {
		return side{server: "pocketbase", request: getAny(path, ids), status: 200}
	}
	var all []row
	for _, g := range []struct {
		name   string
		ours   side
		bare   string
		target float64
	}{
		{"GET /coupons/{id}", here("/coupons/", 1, couponCount), "/coupons/7", 0.45},
		{"GET /api/movies/{id}", here("/api/movies/", 1, 200), "/api/movies/77", 0.45},
		{"GET /api/v1/items/{id}", here("/api/v1/items/item", 1, itemCount), "/api/v1/items/item7", 0.45},
		{"GET /coupons, 20 of them", side{server: "emporium", request: get("/coupons"), status: 200}, "/coupons", 0.28},
		{"GET /api/recent_purchases/{username}, cached", here("/api/recent_purchases/customer", 0, customerCount), "/api/recent_purchases/customer7", 0.70},
	} {
		all = append(all, row{name: g.name, against: "bare", target: g.target, connections: getConnections, ours: g.ours, theirs: bare(g.bare)})
	}
	all = append(all,
		row{name: "one SELECT of a movie, bare otherwise", against: "bare", target: 0, connections: getConnections, ours: side{server: "bare", request: getOf("/select/api/movies/", 1, 200), status: 200}, theirs: bare("/api/movies/77")},
		row{name: "one SELECT of 20 coupons, bare otherwise", against: "bare", target: 0, connections: getConnections, ours: side{server: "bare", request: get("/select/coupons"), status: 200}, theirs: bare("/coupons")},
	)
	for _, p := range []struct {
		name, path string
		body       func([]byte, uint64) []byte
		status     int
	}{
		{"POST /api/movies", "/api/movies", movieBody, 200},
		{"POST /api/v1/bids, on different items", "/api/v1/bids", bidBody(itemCount+1, itemCount), 201},
		{"POST /api/v1/bids, all on one item", "/api/v1/bids", bidBody(2*itemCount+1, 1), 201},
		{"POST /api/billing", "/api/billing", orderBody, 200},
	} {
		all = append(all, row{
			name: p.name, against: "bare", target: 0.40, connections: postConnections,
			ours: side{server: "emporium", request: post(p.path, p.body), status: p.status}, theirs: side{server: "bare", request: post(p.path, p.body), status: p.status},
		})
	}
	const collection = "/api/collections/"
	return append(all,
		row{name: "GET one coupon", against: "PocketBase", target: 3, connections: getConnections, ours: here("/coupons/", 1, couponCount), theirs: theirs(collection+"coupons/records/", ids["coupons"])},
		row{name: "GET one movie", against: "PocketBase", target: 3, connections: getConnections, ours: here("/api/movies/", 1, 200), theirs: theirs(collection+"movies/records/", first(ids["movies"], 200))},
		row{name: "GET one item", against: "PocketBase", target: 3, connections: getConnections, ours: here("/api/v1/items/item", 1, itemCount), theirs: theirs(collection+"items/records/", ids["items"])},
		row{name: "GET 20 coupons", against: "PocketBase", target: 3, connections: getConnections, ours: side{server: "emporium", request: get("/coupons"), status: 200}, theirs: side{server: "pocketbase", request: get(collection + "coupons/records?perPage=20&skipTotal=1"), status: 200}},
		row{name: "POST a movie", against: "PocketBase", target: 3, connections: postConnections, ours: side{server: "emporium", request: post("/api/movies", movieBody), status: 200}, theirs: side{server: "pocketbase", request: post(collection+"movies/records", movieBody), status: 200}},
	)
}

func first(ids []string, most int) []string { return ids[:min(most, len(ids))] }

// getOf asks for one thing after the other, by number.
func getOf(path string, from, count uint64) request {
	var names []string
	for n := range count {
		names = append(names, fmt.Sprint(from+n))
	}
	return getAny(path, names)
}

// getAny asks for one thing after the other, by name.
func getAny(path string, names []string) request {
	var all []request
	for _, name := range names {
		all = append(all, get(path+name))
	}
	return func(buf []byte, n uint64) []byte { return all[n%uint64(len(all))](buf, n) }
}

// compare runs both sides of a row in turn, so that what else the machine does
// meets both.
func (b *bench) compare(r row) (m measured) {
	m.row = r
	if _, m.err = b.runSide(r, r.ours, b.duration/4); m.err != nil {
		return m
	}
	if _, m.err = b.runSide(r, r.theirs, b.duration/4); m.err != nil {
		return m
	}
	rounds := b.runs
	if r.rounds > 0 {
		rounds = min(rounds, r.rounds)
	}
	for range rounds {
		var ours, theirs run
		if ours, m.err = b.runSide(r, r.ours, b.duration); m.err != nil {
			return m
		}
		if theirs, m.err = b.runSide(r, r.theirs, b.duration); m.err != nil {
			return m
		}
		m.ours, m.theirs = append(m.ours, ours), append(m.theirs, theirs)
	}
	return m
}

func (b *bench) runSide(r row, s side, duration time.Duration) (run, error) {
	connections := r.connections
	if b.connections > 0 {
		connections = b.connections
	}
	if s.do != nil {
		return s.do(connections, duration)
	}
	p, err := b.server(s.server)
	if err != nil {
		return run{}, err
	}
	before := p.cpu()
	profiled := b.profile(p, r, s, duration)
	o, err := load{
		address: p.address, connections: connections, request: s.request, status: s.status,
		duration: duration, from: b.next[s.server],
	}.run()
	b.next[s.server] = o.next
	if err != nil {
		return run{}, fmt.Errorf("%s: %w", s.server, err)
	}
	profiled()
	p.settle() // what it has left to do is part of what a request costs
	used := p.cpu() - before
	if s.after != nil {
		err = s.after()
	}
	return run{rate: o.rate(), cpu: used / time.Duration(max(o.requests, 1))}, err
}

// server gives a server, started when it is first asked for.
func (b *bench) server(name string) (*process, error) {
	if p := b.servers[name]; p != nil {
		return p, nil
	}
	var p *process
	var err error
	switch name {
	case "emporium":
		p, err = start(b.folder, name, "/healthz", b.program,
			append([]string{"serve", "--listen=ADDRESS", "--data=" + filepath.Join(b.folder, "data")}, b.settings...)...)
	case "bare":
		p, err = start(b.folder, name, "/healthz", b.self, "as", "bare", "ADDRESS", filepath.Join(b.folder, "bare.json"))
	case "pocketbase":
		p, err = start(b.folder, name, "/api/health", b.self, "as", "pocketbase", "ADDRESS", filepath.Join(b.folder, "pb_data"),
			filepath.Join(b.folder, "records.json"), filepath.Join(b.folder, "ids.json"))
	case "gateway", "caddy", "nginx", "reverseproxy":
		p, err = b.startProxy(name)
	case "unlimited", "limited":
		p, err = b.startProtected(name)
	default:
		p, err = b.startOnServers(name)
	}
	if err != nil {
		return nil, err
	}
	b.servers[name] = p
	return p, nil
}

// pocketBaseIDs starts PocketBase, which makes its records, and gives their ids.
func (b *bench) pocketBaseIDs() (map[string][]string, error) {
	if _, err := b.server("pocketbase"); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(b.folder, "ids.json"))
	if err != nil {
		return nil, err
	}
	var ids map[string][]string
	return ids, json.Unmarshal(text, &ids)
}
