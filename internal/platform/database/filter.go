package database

import (
	"fmt"
	"strconv"
	"strings"
)

// Filter builds the conditions of a list query, with its values apart from its
// text. The zero value has none.
//
//	var f database.Filter
//	f.And("merchant = ?", merchant)
//	query := `SELECT … FROM coupons` + f.Where() + ` ORDER BY id LIMIT ` + f.Arg(limit)
//	rows, err := db.Query(ctx, query, f.Args()...)
type Filter struct {
	conditions []string
	args       []any
}

// And adds a condition, in which each ? stands for one of args. A count that
// does not match is a mistake in the program, and panics.
func (f *Filter) And(condition string, args ...any) {
	parts := strings.Split(condition, "?")
	if len(parts)-1 != len(args) {
		panic(fmt.Sprintf("filter %q has %d values", condition, len(args)))
	}
	var text strings.Builder
	text.WriteString(parts[0])
	for i, arg := range args {
		text.WriteString(f.Arg(arg))
		text.WriteString(parts[i+1])
	}
	f.conditions = append(f.conditions, text.String())
}

// Arg adds a value outside of the conditions and gives its placeholder: "$3".
func (f *Filter) Arg(v any) string {
	f.args = append(f.args, v)
	return "$" + strconv.Itoa(len(f.args))
}

// Where gives " WHERE (…) AND (…)", or nothing when there are no conditions.
func (f *Filter) Where() string {
	if len(f.conditions) == 0 {
		return ""
	}
	return " WHERE (" + strings.Join(f.conditions, ") AND (") + ")"
}

// Args gives the values in the order of their placeholders.
func (f *Filter) Args() []any { return f.args }
