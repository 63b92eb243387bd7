package archtest

import (
	"go/ast"
	"regexp"
	"strings"
)

var testName = regexp.MustCompile(`\b(?:Test|Benchmark|Fuzz)[A-Z]\w*`)

// checkPages holds the pages of docs/ to the tests that they name as proof: a
// test that was renamed or removed proves nothing.
func checkPages(t tree) []string {
	there := map[string]bool{}
	for _, f := range t.files {
		if f.syn == nil || !f.isTest() {
			continue
		}
		for _, d := range f.syn.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				there[fn.Name.Name] = true
			}
		}
	}
	var faults []string
	for _, f := range t.files {
		if !strings.HasPrefix(f.path, "docs/") || !strings.HasSuffix(f.path, ".md") {
			continue
		}
		for _, name := range testName.FindAllString(f.text, -1) {
			if !there[name] {
				faults = append(faults, f.fault("names %s, and there is no such test", name)...)
			}
		}
	}
	return faults
}
