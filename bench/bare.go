package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// canned is an answer of Emporium, for the bare handler to repeat byte by byte.
type canned struct {
	Pattern string // of net/http's mux
	Check   string // what a POST's body is: "movie", "bid" or "order"
	Status  int
	Header  http.Header
	Body    []byte
}

// serveBare is the limit that Emporium is held against: net/http, its mux, and
// handlers that know their answers. A POST is decoded and validated, and then
// forgotten. Next to them stand the same handlers with one SELECT.
func serveBare(address, script string) error {
	text, err := os.ReadFile(script)
	if err != nil {
		return err
	}
	var answers []canned
	if err := json.Unmarshal(text, &answers); err != nil {
		return err
	}
	mux := http.NewServeMux()
	for _, path := range []string{"GET /healthz", "GET /readyz"} {
		mux.HandleFunc(path, func(http.ResponseWriter, *http.Request) {})
	}
	for _, a := range answers {
		mux.HandleFunc(a.Pattern, a.handler())
	}
	if err := mountSelects(mux, script); err != nil {
		return err
	}
	return http.ListenAndServe(address, inAnyMode(mux))
}

// inAnyMode says to a gateway that it runs in the gateway's own access mode, as
// the gateway asks of a service.
func inAnyMode(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if mode, asked := r.Header["Emporium-Access"]; asked {
			w.Header()["Emporium-Access"] = mode
		}
		next.ServeHTTP(w, r)
	})
}

func (a canned) handler() http.HandlerFunc {
	answer := func(w http.ResponseWriter) {
		for name, values := range a.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(a.Status)
		_, _ = w.Write(a.Body)
	}
	check := checks[a.Check]
	if check == nil {
		return func(w http.ResponseWriter, _ *http.Request) { answer(w) }
	}
	return func(w http.ResponseWriter, r *http.Request) {
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
		if err := check(decoder); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer(w)
	}
}

// checks decode and validate the bodies of POSTs.
var checks = map[string]func(*json.Decoder) error{
	"movie": func(d *json.Decoder) error {
		var movie struct {
			Title       *string `json:"title"`
			Description *string `json:"description"`
		}
		d.DisallowUnknownFields()
		if err := d.Decode(&movie); err != nil {
			return err
		}
		if movie.Title == nil || *movie.Title == "" {
			return errors.New("a movie needs a title")
		}
		return nil
	},
	"bid": func(d *json.Decoder) error {
		var body struct {
			Bid struct {
				Item  string      `json:"item"`
				User  string      `json:"user"`
				Value json.Number `json:"value"`
			} `json:"bid"`
		}
		if err := d.Decode(&body); err != nil {
			return err
		}
		_, item := number(strings.CutPrefix(body.Bid.Item, "item"))
		_, user := number(strings.CutPrefix(body.Bid.User, "user"))
		value, err := body.Bid.Value.Float64()
		if !item || !user || err != nil || value <= 0 {
			return errors.New("a bid needs item, user and a positive value")
		}
		return nil
	},
	"order": func(d *json.Decoder) error {
		var order struct {
			User  string `json:"user_id"`
			Items string `json:"number_of_items"`
			Total string `json:"total_amount"`
		}
		if err := d.Decode(&order); err != nil {
			return err
		}
		items, err := strconv.Atoi(order.Items)
		total, err2 := strconv.ParseFloat(order.Total, 64)
		if order.User == "" || err != nil || items < 1 || err2 != nil || total < 0 || total >= 1e12 {
			return errors.New("an order needs user_id, number_of_items and total_amount")
		}
		return nil
	},
}

func number(text string, ok bool) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, ok && err == nil && n > 0
}
