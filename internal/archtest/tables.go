package archtest

import (
	"go/ast"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	// statement recognises a string literal that is SQL by how it begins. Our SQL
	// has its keywords in capitals, which tells it from an error message.
	statement = regexp.MustCompile(`^\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH( RECURSIVE)?|CREATE( UNIQUE)? (TABLE|INDEX)|ALTER TABLE|DROP TABLE)\s+\w`)
	// lowerStatement is the same by those who do not write capitals: only whole
	// statements, since "update bid: %w" is none.
	lowerStatement = regexp.MustCompile(`(?is)^\s*(select\s.+\sfrom\s|insert\s+into\s.+\s(values|select)\b|delete\s+from\s+\w+\s+where|update\s+\w+\s+set\s)`)

	created  = regexp.MustCompile(`(?i)\b(?:CREATE\s+(?:TEMP(?:ORARY)?\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?|RENAME\s+TO\s+)"?(\w+)"?`)
	named    = regexp.MustCompile(`\b(?:FROM|JOIN|INTO|UPDATE|REFERENCES|TABLE(?:\s+IF(?:\s+NOT)?\s+EXISTS)?|INDEX\s+(?:IF\s+NOT\s+EXISTS\s+)?\w+\s+ON)\s+(?:ONLY\s+)?"?([A-Za-z_]\w*)"?(\s*\()?`)
	withName = regexp.MustCompile(`(?i)(?:\bWITH(?:\s+RECURSIVE)?|,)\s+(\w+)\s*(?:\([^()]*\)\s*)?AS\s+(?:NOT\s+)?(?:MATERIALIZED\s+)?\(`)
	comment  = regexp.MustCompile(`--[^\n]*`)
	notTable = regexp.MustCompile(`(?i)^(set|of|on|skip|nowait|select|lateral|values|only|if|or|sqlite_\w+|pragma_\w+|information_schema|pg_\w+)$`)
	keywords = regexp.MustCompile(`(?i)\b(from|join|into|update|references|table|index|on|if|not|exists|only|set)\b`)
	distinct = regexp.MustCompile(`(?i)\bDISTINCT\s+FROM\b`)
)

// checkTables holds each service to the tables that its own migrations create.
// Two services may each have a table of the same name: they have databases of
// their own, and that is why a name alone would not be noticed.
func checkTables(t tree) []string {
	own := map[string]map[string]bool{} // area to its tables
	for _, f := range t.files {
		if f.isTest() {
			continue
		}
		for _, sql := range f.sql() {
			for _, m := range created.FindAllStringSubmatch(sql, -1) {
				if own[f.area()] == nil {
					own[f.area()] = map[string]bool{}
				}
				own[f.area()][strings.ToLower(m[1])] = true
			}
		}
	}
	var faults []string
	for _, f := range t.files {
		if !t.isService(f.area()) || f.isTest() {
			continue
		}
		for _, sql := range f.sql() {
			for _, m := range created.FindAllStringSubmatch(sql, -1) {
				if own["platform"][strings.ToLower(m[1])] {
					faults = append(faults, f.fault("creates the table %s, which platform keeps in every database", m[1])...)
				}
			}
			for _, table := range tables(sql) {
				if !own[f.area()][table] {
					faults = append(faults, f.fault("names the table %s: %s", table, whose(own, table))...)
				}
			}
		}
	}
	return append(faults, checkDialects(t)...)
}

func whose(own map[string]map[string]bool, table string) string {
	for _, area := range slices.Sorted(maps.Keys(own)) {
		if own[area][table] {
			return "it belongs to " + area
		}
	}
	return "no migration of this service creates it"
}

// sql gives what in a file is SQL: all of a migration, and the literals of Go
// that hold a statement or a piece of one.
func (f file) sql() []string {
	if path.Ext(f.path) == ".sql" {
		return []string{keywords.ReplaceAllStringFunc(comment.ReplaceAllString(f.text, ""), strings.ToUpper)}
	}
	if f.syn == nil {
		return nil
	}
	var found []string
	for _, text := range literals(f.syn) {
		text = comment.ReplaceAllString(text, "")
		if lowerStatement.MatchString(text) || named.MatchString(text) || created.MatchString(text) {
			found = append(found, text)
		}
	}
	return found
}

// tables are those that a piece of SQL names, without its own WITH queries and
// the functions it selects from.
func tables(sql string) []string {
	sql = distinct.ReplaceAllString(sql, "")
	if lowerStatement.MatchString(sql) {
		sql = keywords.ReplaceAllStringFunc(sql, strings.ToUpper)
	}
	with := map[string]bool{}
	for _, m := range withName.FindAllStringSubmatch(sql, -1) {
		with[strings.ToLower(m[1])] = true
	}
	var found []string
	for _, m := range named.FindAllStringSubmatch(sql, -1) {
		table := strings.ToLower(m[1])
		selected := strings.HasPrefix(m[0], "FROM") || strings.HasPrefix(m[0], "JOIN")
		if with[table] || notTable.MatchString(table) || selected && m[2] != "" {
			continue
		}
		found = append(found, table)
	}
	return found
}

func literals(syn *ast.File) []string {
	var found []string
	ast.Inspect(syn, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				found = append(found, text)
			}
		}
		return true
	})
	return found
}
