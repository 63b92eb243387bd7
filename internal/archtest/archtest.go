// Package archtest keeps the shape of the repository true. It reads every Go
// file, migration and page, finds the services by itself, and says which of the
// rules in docs/ARCHITECTURE.md a file breaks.
package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// module is the path that every import of ours begins with.
const module = "emporium"

// notServices are the folders of internal/ that are not a service. Every other
// one that holds a program is, so a new service is checked without an edit here.
var notServices = []string{"app", "market", "platform", "gateway", "archtest"}

// Check reads the repository and gives one line per broken rule: the file, what
// it does, and the rule. None means that the architecture stands.
func Check(repo fs.FS) ([]string, error) {
	t, err := read(repo)
	if err != nil {
		return nil, err
	}
	var faults []string
	for _, f := range t.files {
		faults = append(faults, checkImports(t, f)...)
		faults = append(faults, checkShape(t, f)...)
	}
	faults = append(faults, checkInterfaces(t)...)
	faults = append(faults, checkTables(t)...)
	faults = append(faults, checkPages(t)...)
	slices.Sort(faults)
	return slices.Compact(faults), nil
}

// tree is the repository as the rules see it.
type tree struct {
	files    []file
	services []string // "coupons", in order
}

// file is one source file.
type file struct {
	path string // from the root of the repository, with slashes
	text string
	gofs *token.FileSet
	syn  *ast.File // nil when it is not Go
}

func (f file) dir() string  { return path.Dir(f.path) }
func (f file) name() string { return path.Base(f.path) }
func (f file) area() string { return area(f.dir()) }

func (f file) fault(format string, args ...any) []string {
	return []string{f.path + " " + fmt.Sprintf(format, args...)}
}

// isTest tells tests and test kits from the program: a folder whose name ends in
// "test", and testenv, are there for tests alone.
func (f file) isTest() bool {
	return strings.HasSuffix(f.path, "_test.go") || isTestKit(f.dir())
}

func isTestKit(dir string) bool {
	base := path.Base(dir)
	return base == "testenv" || strings.HasSuffix(base, "test")
}

func (f file) isGenerated() bool {
	return f.syn != nil && ast.IsGenerated(f.syn)
}

func (t tree) isService(area string) bool { return slices.Contains(t.services, area) }

// area is "cmd", or the first folder under internal/, or "" for the rest.
func area(dir string) string {
	parts := strings.Split(dir, "/")
	switch {
	case parts[0] == "cmd":
		return "cmd"
	case parts[0] == "internal" && len(parts) > 1:
		return parts[1]
	}
	return ""
}

var checkedSuffixes = []string{".go", ".sql", ".js", ".css", ".html", ".md"}

func read(repo fs.FS) (tree, error) {
	var t tree
	err := fs.WalkDir(repo, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != "." && skipped(repo, p) {
				return fs.SkipDir
			}
			return nil
		}
		if !slices.Contains(checkedSuffixes, path.Ext(p)) {
			return nil
		}
		text, err := fs.ReadFile(repo, p)
		if err != nil {
			return err
		}
		f := file{path: p, text: string(text)}
		if path.Ext(p) == ".go" {
			f.gofs = token.NewFileSet()
			f.syn, err = parser.ParseFile(f.gofs, p, text, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
		}
		t.files = append(t.files, f)
		return nil
	})
	if err != nil {
		return tree{}, fmt.Errorf("read the repository: %w", err)
	}
	for _, f := range t.files {
		if a := f.area(); a != "" && a != "cmd" && f.syn != nil && !f.isTest() && !slices.Contains(notServices, a) {
			t.services = append(t.services, a)
		}
	}
	slices.Sort(t.services)
	t.services = slices.Compact(t.services)
	return t, nil
}

// skipped are hidden folders, test data, what others wrote, and other modules.
func skipped(repo fs.FS, dir string) bool {
	base := path.Base(dir)
	if strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules" || dir == "data" || dir == "dist" {
		return true
	}
	_, err := fs.Stat(repo, dir+"/go.mod")
	return err == nil
}
