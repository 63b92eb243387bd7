package database_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"

	"emporium/internal/market"
	"emporium/internal/platform/database"
	"emporium/internal/platform/database/dbtest"
)

// TestScan reads values into every kind of place that a store may use.
func TestScan(t *testing.T) {
	db := dbtest.OpenWith(t, database.Options{Path: filepath.Join(t.TempDir(), "scan.db"), Name: "scan"})
	type name string
	type raw []byte
	for expression, dests := range map[string][]any{
		`42`:                         {new(int64), new(int), new(int32), new(uint8), new(float64), new(any), new(*int), new(market.UserID), new(market.Money), new(*market.UserID), new(sql.NullInt64), new(sql.Null[int64])},
		`1`:                          {new(bool), new(*bool)},
		`2.5`:                        {new(float64), new(*float64), new(any)},
		`'Évry'`:                     {new(string), new(name), new(*string), new(*name), new(any), new([]byte), new(raw), new(sql.NullString)},
		`x'c3a9'`:                    {new([]byte), new(string), new(raw), new(any), new(sql.RawBytes)},
		`NULL`:                       {new(*string), new(*int64), new(*market.Time), new([]byte), new(any), new(sql.NullString), new(sql.Null[int64])},
		`''`:                         {new(string), new(*string)},
		`'2026-11-02T12:00:00.987Z'`: {new(market.Time), new(*market.Time)},
	} {
		s := db.Prepare(`SELECT ` + expression)
		for _, dest := range dests {
			if err := s.QueryRow(t.Context()).Scan(dest); err != nil {
				t.Errorf("%s into %T: %v", expression, dest, err)
				continue
			}
			back := reflect.ValueOf(dest).Elem().Interface()
			var got any
			if err := db.Prepare(`SELECT $1`).QueryRow(t.Context(), back).Scan(&got); err != nil {
				t.Errorf("%s from %T: %v", expression, dest, err)
			}
			if again := reflect.New(reflect.TypeOf(dest).Elem()); db.Prepare(`SELECT $1`).QueryRow(t.Context(), back).Scan(again.Interface()) != nil ||
				!reflect.DeepEqual(again.Elem().Interface(), back) {
				t.Errorf("%s through %T comes back as %v", expression, dest, again.Elem())
			}
		}
	}
	for expression, dests := range map[string][]any{
		`300`:   {new(uint8), new(int8), new(bool), new(string)},
		`-1`:    {new(uint64)},
		`NULL`:  {new(string), new(int64), new(bool)},
		`'x'`:   {new(int64), new(bool), new(float64), new(market.Time)},
		`2.5`:   {new(int64), new(string)},
		`1`:     {int64(0), (*int)(nil), nil},
		`1, 2`:  {new(int64)},
		`x'00'`: {new(int64)},
	} {
		for _, dest := range dests {
			if err := db.Prepare(`SELECT ` + expression).QueryRow(t.Context()).Scan(dest); err == nil {
				t.Errorf("%s went into %T as %v", expression, dest, fmt.Sprint(dest))
			}
		}
	}
	var s string
	if err := db.Prepare(`SELECT $1`).QueryRow(t.Context(), "a\x00b").Scan(&s); err != nil || s != "a\x00b" {
		t.Errorf("a null byte: %q, %v", s, err)
	}
	if err := db.Prepare(`SELECT $1`).QueryRow(t.Context(), struct{}{}).Scan(&s); err == nil {
		t.Error("a struct is no argument")
	}
	if err := db.Prepare(`SELECT $1`).QueryRow(t.Context()).Scan(&s); err == nil {
		t.Error("an argument is missing")
	}
}
