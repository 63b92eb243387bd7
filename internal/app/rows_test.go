package app_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"emporium/internal/app"
)

// TestRowsAfterABrokenOne checks that one row that cannot be read does not take
// the others with it, and that all are told by the line on which they begin.
func TestRowsAfterABrokenOne(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want []app.Row
	}{
		"lines":             {"{\"a\":1}\n{\"a\":}\nwhat\n{\"a\":2}\n", []app.Row{{`{"a":1}`, 1}, {"", 2}, {`{"a":2}`, 4}}},
		"the first line":    {"{a}\n{\"a\":2}", []app.Row{{"", 1}, {`{"a":2}`, 2}}},
		"a line too short":  {"{\"a\":1\n{\"a\":2}\n{\"a\":3}", []app.Row{{"", 1}, {`{"a":2}`, 2}, {`{"a":3}`, 3}}},
		"several":           {"{\"a\":\n{\"b\":1}\n\n{,}\n{\"a\":3}", []app.Row{{"", 1}, {`{"b":1}`, 2}, {"", 4}, {`{"a":3}`, 5}}},
		"an array":          {"[\n {\"a\":1},\n {\"a\" 2},\r\n {\"a\":3}, {b}, {\"lost\":1},\n,{\"a\":4}\n]", []app.Row{{`{"a":1}`, 2}, {"", 3}, {`{"a":3}`, 4}, {"", 4}, {`{"a":4}`, 5}}},
		"a wrapped array":   {"{\"n\":3,\"movies\":[\n{\"a\":1},\n{\"a\"},\n{\"a\":3}\n],\"next\":{}}", []app.Row{{`{"a":1}`, 2}, {"", 3}, {`{"a":3}`, 4}}},
		"a name twice":      {`[{"a":1,"a":2},{"a":3}]`, []app.Row{{`{"a":1,"a":2}`, 1}, {`{"a":3}`, 1}}},
		"no UTF-8":          {"[{\"a\":\"\xe9\"},{\"a\":3}]", []app.Row{{"{\"a\":\"\xe9\"}", 1}, {`{"a":3}`, 1}}},
		"a byte order mark": {"\ufeff[{\"a\":1}]", []app.Row{{`{"a":1}`, 1}}},
		"beside the rows":   {`{"n":{"a":[1]},"movies":[{"a":1}],"more":[2]}`, []app.Row{{`{"a":1}`, 1}}},
		"an empty list":     {`{"movies":[],"n":0}`, nil},
		"a row with a list": {`{"a":1,"b":[]}`, []app.Row{{`{"a":1,"b":[]}`, 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := app.ReadRows(c.file)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got  %v, %v\nwant %v", got, err, c.want)
			}
		})
	}
}

// TestRowsThatAreLost checks that nothing is passed over in silence.
func TestRowsThatAreLost(t *testing.T) {
	for name, file := range map[string]string{
		"two arrays":        `[{"a":1}] [{"a":2}]`,
		"two wrapped":       `{"movies":[{"a":1}]} {"movies":[{"a":2}]}`,
		"text after":        `[{"a":1}] x`,
		"cut off":           `[{"a":1}, {"a"`,
		"an open array":     `[{"a":1}`,
		"an open wrapping":  `{"movies":[{"a":1}]`,
		"nothing to resume": "[{\"a\":1},\n {\"a\" 2}]",
	} {
		if got, err := app.ReadRows(file); err == nil || !slices.Equal(got, []app.Row{{`{"a":1}`, 1}}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestAssignedFields checks that what the server assigns is taken out, and that
// the rest stays byte for byte, so that the server judges what is in the file.
func TestAssignedFields(t *testing.T) {
	const file = "[{\"id\": 7, \"z\":1.50, \"a\":\"\\u00e9\xe9\", \"\\u0069d\":[1], \"z\":{ \"id\":2}}, {\"id\":1}, 5]"
	got, err := app.ReadRows(file, "id")
	want := []app.Row{{"{\"z\":1.50,\"a\":\"\\u00e9\xe9\",\"z\":{ \"id\":2}}", 1}, {"{}", 1}, {"5", 1}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got  %v, %v\nwant %v", got, err, want)
	}
}

// FuzzRows checks that reading a file ends, that lines never go back, and that
// every row of a good array is there.
func FuzzRows(f *testing.F) {
	for _, s := range []string{
		"", "[]", "[{}]", "{}\n{}", "[{\"a\":1},\n{\"a\" 2},\n{}]", "{\"movies\":[{\"id\":1}],\"n\":2}", "{x}\n{\"id\":\n{}", "\ufeff[{}]", "[{\"id\":\"\xe9\"}]", "[[\n{]\n{}", "{\"a\":1,\"a\":2}", "[1,null,\"\n\"]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, file string) {
		got, err := app.ReadRows(file, "id")
		last := 1
		for _, row := range got {
			if row.Line < last || row.Line > strings.Count(file, "\n")+1 {
				t.Fatalf("lines go wrong in %v", got)
			}
			last = row.Line
		}
		var want []json.RawMessage
		if json.Unmarshal([]byte(file), &want) == nil && want != nil && (err != nil || len(got) != len(want)) {
			t.Errorf("%d rows, %v; want %d", len(got), err, len(want))
		}
	})
}
