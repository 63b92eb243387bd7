package archtest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

var (
	migration  = regexp.MustCompile(`^(internal/.+/migrations)/(sqlite|postgres)/([^/]+\.sql)$`)
	constraint = regexp.MustCompile(`(?i)^(constraint|primary|unique|foreign|check|exclude|like)\b`)
	parens     = regexp.MustCompile(`\([^()]*\)`)
)

// checkDialects holds a service's two sets of migrations to the same files,
// tables and columns, since one text of SQL is to run on both.
func checkDialects(t tree) []string {
	type dialects map[string]file // "sqlite" and "postgres"
	pairs := map[string]dialects{}
	for _, f := range t.files {
		if m := migration.FindStringSubmatch(f.path); m != nil {
			key := m[1] + "/*/" + m[3]
			if pairs[key] == nil {
				pairs[key] = dialects{}
			}
			pairs[key][m[2]] = f
		}
	}
	var faults []string
	for _, pair := range pairs {
		lite, hasLite := pair["sqlite"]
		post, hasPost := pair["postgres"]
		switch {
		case !hasLite:
			faults = append(faults, post.fault("has no twin under migrations/sqlite")...)
			continue
		case !hasPost:
			faults = append(faults, lite.fault("has no twin under migrations/postgres")...)
			continue
		}
		have, other := columns(lite.text), columns(post.text)
		for _, table := range slices.Sorted(maps.Keys(have)) {
			if !slices.Equal(have[table], other[table]) {
				faults = append(faults, lite.fault("gives %s the columns %v, its twin %v", table, have[table], other[table])...)
			}
			delete(other, table)
		}
		for table := range other {
			faults = append(faults, post.fault("creates %s, its twin does not", table)...)
		}
	}
	return faults
}

// columns gives the column names of each table that a migration creates, sorted.
func columns(sql string) map[string][]string {
	sql = comment.ReplaceAllString(sql, "")
	found := map[string][]string{}
	for _, at := range created.FindAllStringSubmatchIndex(sql, -1) {
		table, rest := strings.ToLower(sql[at[2]:at[3]]), sql[at[1]:]
		body := inParens(rest)
		for parens.MatchString(body) { // default (now()), numeric(14,2), check (x in (0, 1))
			body = parens.ReplaceAllString(body, "")
		}
		names := []string{}
		for part := range strings.SplitSeq(body, ",") {
			part = strings.TrimSpace(part)
			if words := strings.Fields(part); len(words) > 0 && !constraint.MatchString(part) {
				names = append(names, strings.ToLower(strings.Trim(words[0], `"`)))
			}
		}
		slices.Sort(names)
		found[table] = names
	}
	return found
}

// inParens gives what stands in the first pair of parentheses.
func inParens(s string) string {
	depth, from := 0, 0
	for i, c := range s {
		switch c {
		case '(':
			if depth == 0 {
				from = i + 1
			}
			depth++
		case ')':
			depth--
			if depth == 0 {
				return s[from:i]
			}
		}
	}
	return ""
}
