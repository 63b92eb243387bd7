package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// How much is there to read from.
const (
	movieCount    = 3000
	couponCount   = 20
	bidderCount   = 50
	itemCount     = 64 // that are read; as many again, and one, are bid on
	bidsPerItem   = 3
	productCount  = 50
	customerCount = 40
	orderedEach   = 8 // purchases of each customer
)

func movieBody(b []byte, n uint64) []byte {
	b = append(b, `{"title":"The Long Way Home `...)
	b = strconv.AppendUint(b, n, 10)
	b = append(b, `","description":"Two sisters cross a country in a borrowed van, and part `...)
	b = strconv.AppendUint(b, n%9+1, 10)
	return append(b, ` of their story begins."}`...)
}

func couponBody(b []byte, n uint64) []byte {
	return fmt.Appendf(b, `{"category":"Food","couponcode":"BREAD%d","description":"Ten percent off everything from the oven, every morning before nine","merchant":"Corner Bakery %d","title":"Morning bread","store":{"lat":48.85%04d,"long":2.35%04d,"city":"Paris","phone":"+33 1 55 55 01 %02d","state":"Île-de-France","street":"%d rue des Moulins","zip":"75001"},"expire_at":"2030-01-%02dT00:00:00.000Z","published_at":"2026-01-01T00:00:00.000Z"}`,
		n, n, n, n, n, n+1, n%28+1)
}

// bidBody bids on one of the items from first on; what is bid goes up and down.
func bidBody(first, items uint64) func([]byte, uint64) []byte {
	return func(b []byte, n uint64) []byte {
		b = append(b, `{"bid":{"item":"item`...)
		b = strconv.AppendUint(b, first+n%items, 10)
		b = append(b, `","value":`...)
		b = strconv.AppendUint(b, n*7919%100_000+1, 10)
		b = append(b, `.25,"user":"user`...)
		b = strconv.AppendUint(b, n%bidderCount+1, 10)
		return append(b, `"}}`...)
	}
}

func orderBody(b []byte, n uint64) []byte {
	b = append(b, `{"user_id":"`...)
	b = strconv.AppendUint(b, n%1000+1, 10)
	b = append(b, `","number_of_items":"5","total_amount":"`...)
	b = strconv.AppendUint(b, n%500+1, 10)
	return append(b, `.50"}`...)
}

// fill puts through the API what the rows read. One connection keeps the order,
// so that ids are known.
func fill(p *process) error { return fillFrom(p, "/api/movies") }

// fillFrom leaves out what comes before a path.
func fillFrom(p *process, path string) error {
	begun := false
	purchases := func(b []byte, n uint64) []byte {
		return fmt.Appendf(b, `{"product_id":%d,"username":"customer%d"}`, n*n%productCount+1, n%customerCount)
	}
	for _, f := range []struct {
		path        string
		body        func([]byte, uint64) []byte
		status      int
		connections int
		count       uint64
	}{
		{"/api/movies", movieBody, 200, 32, movieCount},
		{"/coupons", couponBody, 201, 1, couponCount},
		{"/api/v1/users", func(b []byte, n uint64) []byte { return fmt.Appendf(b, `{"name":"Bidder %d"}`, n) }, 201, 1, bidderCount},
		{"/api/v1/items", func(b []byte, n uint64) []byte {
			return fmt.Appendf(b, `{"item":{"name":"Lot %d, a box of old maps"}}`, n)
		}, 201, 1, 2*itemCount + 1},
		{"/api/v1/bids", bidBody(1, itemCount), 201, 1, itemCount * bidsPerItem},
		{"/api/users", func(b []byte, n uint64) []byte {
			return fmt.Appendf(b, `{"username":"customer%d","email":"customer%d@example.org"}`, n, n)
		}, 201, 1, customerCount},
		{"/api/products", func(b []byte, n uint64) []byte {
			return fmt.Appendf(b, `{"id":%d,"face":"( .-. ) %d","size":%d,"price":%d}`, n+1, n, n%40+10, n*13%900+100)
		}, 201, 1, productCount},
		{"/api/purchases", purchases, 201, 1, customerCount * orderedEach},
	} {
		if begun = begun || f.path == path; !begun {
			continue
		}
		l := load{address: p.address, connections: f.connections, request: post(f.path, f.body), status: f.status, most: f.count}
		if _, err := l.run(); err != nil {
			return fmt.Errorf("fill %s: %w", f.path, err)
		}
	}
	return nil
}

// can reads Emporium's answer to a GET for the bare handler.
func can(p *process, pattern, path string) (canned, error) {
	r, body, err := p.fetch(path)
	if err != nil {
		return canned{}, err
	}
	r.Header.Del("Date")
	return canned{Pattern: pattern, Status: r.StatusCode, Header: r.Header, Body: body}, nil
}

// script writes down what the other servers answer with, all of it read from
// Emporium.
func script(p *process, folder string) error {
	var answers []canned
	for _, g := range [][2]string{
		{"GET /coupons/{id}", "/coupons/7"},
		{"GET /api/movies/{id}", "/api/movies/77"},
		{"GET /api/v1/items/{id}", "/api/v1/items/item7"},
		{"GET /coupons", "/coupons"},
		{"GET /api/recent_purchases/{username}", "/api/recent_purchases/customer7"},
	} {
		a, err := can(p, g[0], g[1])
		if err != nil {
			return err
		}
		answers = append(answers, a)
	}
	for _, g := range []struct {
		path, check string
		body        []byte
	}{
		{"/api/movies", "movie", movieBody(nil, 1)},
		{"/api/v1/bids", "bid", bidBody(itemCount+1, itemCount)(nil, 1)},
		{"/api/billing", "order", orderBody(nil, 1)},
	} {
		a, err := canPost(p, g.path, g.check, g.body)
		if err != nil {
			return err
		}
		answers = append(answers, a)
	}
	if err := writeJSON(filepath.Join(folder, "bare.json"), answers); err != nil {
		return err
	}
	return copyRecords(p, folder)
}

// copyRecords gives the same records to the handlers with one SELECT and to
// PocketBase.
func copyRecords(p *process, folder string) error {
	var movies []movie
	var coupons []coupon
	var all records
	for _, read := range []struct {
		path string
		into []any
	}{
		{"/api/movies", []any{&movies, &all.Movies}},
		{"/coupons", []any{&coupons, &all.Coupons}},
	} {
		_, body, err := p.fetch(read.path)
		if err != nil {
			return err
		}
		for _, into := range read.into {
			if err := json.Unmarshal(body, into); err != nil {
				return err
			}
		}
	}
	for n := 1; n <= itemCount; n++ {
		_, body, err := p.fetch("/api/v1/items/item" + strconv.Itoa(n))
		if err != nil {
			return err
		}
		var item struct{ Item map[string]any }
		if err := json.Unmarshal(body, &item); err != nil {
			return err
		}
		all.Items = append(all.Items, item.Item)
	}
	if err := writeJSON(filepath.Join(folder, "records.json"), all); err != nil {
		return err
	}
	return makeSelects(filepath.Join(folder, "bare.json.db"), movies, coupons)
}

func writeJSON(file string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

func canPost(p *process, path, check string, body []byte) (canned, error) {
	r, answer, err := p.send(path, body)
	if err != nil {
		return canned{}, err
	}
	r.Header.Del("Date")
	return canned{Pattern: http.MethodPost + " " + path, Check: check, Status: r.StatusCode, Header: r.Header, Body: answer}, nil
}
