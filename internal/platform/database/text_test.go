package database_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"emporium/internal/platform/database"
)

func TestFold(t *testing.T) {
	for _, same := range [][]string{
		{"Évry", "évry", "ÉVRY", "E\u0301vry"},
		{"straße", "STRASSE", "Strasse"},
		{"ΣΊΣΥΦΟΣ", "σίσυφος", "σίσυφοσ"},
		{"plain", "PLAIN", "Plain"},
		{"", ""},
	} {
		for _, s := range same {
			if database.Fold(s) != database.Fold(same[0]) {
				t.Errorf("Fold(%q) = %q, Fold(%q) = %q", s, database.Fold(s), same[0], database.Fold(same[0]))
			}
		}
	}
	if database.Fold("Evry") == database.Fold("Évry") {
		t.Error("accents are not cases")
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"Évry", "straße", "İstanbul", "ǰ", "\xff", "ᾳ\u0345", "Ω", "ﬃ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		folded := database.Fold(s)
		if utf8.ValidString(s) && database.Fold(folded) != folded {
			t.Errorf("Fold(%q) = %q, and again %q", s, folded, database.Fold(folded))
		}
		pattern := database.Contains(s)
		if plain := strings.NewReplacer(`\\`, "", `\%`, "", `\_`, "").Replace(pattern[1 : len(pattern)-1]); strings.ContainsAny(plain, `%_\`) {
			t.Errorf("Contains(%q) = %q", s, pattern)
		}
	})
}

func TestFilter(t *testing.T) {
	var f database.Filter
	if f.Where() != "" || len(f.Args()) != 0 {
		t.Errorf("no conditions: %q, %v", f.Where(), f.Args())
	}
	f.And("a = ? OR b = ?", 1, "x")
	f.And("c IS NULL")
	f.And("id > ?", 9)
	if got, want := f.Where()+" LIMIT "+f.Arg(5), " WHERE (a = $1 OR b = $2) AND (c IS NULL) AND (id > $3) LIMIT $4"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(f.Args()) != 4 || f.Args()[1] != "x" || f.Args()[3] != 5 {
		t.Errorf("args %v", f.Args())
	}
	defer func() {
		if recover() == nil {
			t.Error("a missing value goes unnoticed")
		}
	}()
	f.And("d = ? AND e = ?", 1)
}
