package database

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold gives what a text is searched by: whatever its case, in any alphabet,
// and however its accents were typed. It is stored in columns named …_key.
func Fold(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			// Folding may leave what is not composed any more, so it stands between.
			return norm.NFC.String(cases.Fold().String(norm.NFC.String(s)))
		}
	}
	return strings.ToLower(s)
}

var likeEscapes = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// Contains gives the LIKE pattern for texts that hold s, for use with
// ESCAPE '\'; fold s first, as the column was.
func Contains(s string) string { return "%" + likeEscapes.Replace(s) + "%" }
