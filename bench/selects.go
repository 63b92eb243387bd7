package main

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"os"
	"strconv"

	_ "modernc.org/sqlite" // what PocketBase brings, too
)

// The handlers with one SELECT say what of the distance to a bare handler is
// the database's: nothing but a prepared statement and encoding/json.

type movie struct {
	ID          int64   `json:"id"`
	Title       string  `json:"title"`
	Description *string `json:"description"`
}

type coupon struct {
	ID          int64      `json:"id"`
	Category    *string    `json:"category"`
	Code        *string    `json:"couponcode"`
	Description *string    `json:"description"`
	Merchant    *string    `json:"merchant"`
	Title       *string    `json:"title"`
	Store       *storeJSON `json:"store"`
	ExpireAt    string     `json:"expire_at"`
	PublishedAt string     `json:"published_at"`
}

type storeJSON struct {
	Lat    *float64 `json:"lat"`
	Long   *float64 `json:"long"`
	City   *string  `json:"city"`
	Phone  *string  `json:"phone"`
	State  *string  `json:"state"`
	Street *string  `json:"street"`
	Zip    *string  `json:"zip"`
}

const selectsSchema = `
CREATE TABLE movies (id INTEGER PRIMARY KEY, title TEXT NOT NULL, description TEXT) STRICT;
CREATE TABLE coupons (id INTEGER PRIMARY KEY, category TEXT, couponcode TEXT, description TEXT, merchant TEXT, title TEXT,
	lat REAL, long REAL, city TEXT, phone TEXT, state TEXT, street TEXT, zip TEXT, expire_at TEXT, published_at TEXT) STRICT;`

// makeSelects writes the database of the handlers with one SELECT.
func makeSelects(file string, movies []movie, coupons []coupon) error {
	db, err := sql.Open("sqlite", file+"?_pragma=journal_mode(WAL)")
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec(selectsSchema); err != nil {
		return err
	}
	for _, m := range movies {
		if _, err := tx.Exec(`INSERT INTO movies VALUES ($1, $2, $3)`, m.ID, m.Title, m.Description); err != nil {
			return err
		}
	}
	for _, c := range coupons {
		s := c.Store
		if s == nil {
			s = &storeJSON{}
		}
		if _, err := tx.Exec(`INSERT INTO coupons VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
			c.ID, c.Category, c.Code, c.Description, c.Merchant, c.Title,
			s.Lat, s.Long, s.City, s.Phone, s.State, s.Street, s.Zip, c.ExpireAt, c.PublishedAt); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// mountSelects mounts them under /select/, when there is a database beside the
// script.
func mountSelects(mux *http.ServeMux, script string) error {
	file := script + ".db"
	if _, err := os.Stat(file); err != nil {
		return nil //nolint:nilerr // then nothing asks for them
	}
	db, err := sql.Open("sqlite", file+"?_pragma=query_only(1)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	one, err := db.Prepare(`SELECT id, title, description FROM movies WHERE id = $1`)
	if err != nil {
		return err
	}
	list, err := db.Prepare(`SELECT id, category, couponcode, description, merchant, title,
		lat, long, city, phone, state, street, zip, expire_at, published_at FROM coupons ORDER BY id`)
	if err != nil {
		return err
	}
	mux.HandleFunc("GET /select/api/movies/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		var m movie
		if err == nil {
			err = one.QueryRowContext(r.Context(), id).Scan(&m.ID, &m.Title, &m.Description)
		}
		answerJSON(w, m, err)
	})
	mux.HandleFunc("GET /select/coupons", func(w http.ResponseWriter, r *http.Request) {
		rows, err := list.QueryContext(r.Context())
		if err != nil {
			answerJSON(w, nil, err)
			return
		}
		defer rows.Close()
		var all []coupon
		for rows.Next() {
			c := coupon{Store: &storeJSON{}}
			s := c.Store
			if err := rows.Scan(&c.ID, &c.Category, &c.Code, &c.Description, &c.Merchant, &c.Title,
				&s.Lat, &s.Long, &s.City, &s.Phone, &s.State, &s.Street, &s.Zip, &c.ExpireAt, &c.PublishedAt); err != nil {
				answerJSON(w, nil, err)
				return
			}
			all = append(all, c)
		}
		answerJSON(w, all, rows.Err())
	})
	return nil
}

func answerJSON(w http.ResponseWriter, v any, err error) {
	if err == nil {
		var b []byte
		if b, err = json.Marshal(v); err == nil {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", strconv.Itoa(len(b)))
			_, _ = w.Write(b)
			return
		}
	}
	http.Error(w, err.Error(), http.StatusInternalServerError)
}
