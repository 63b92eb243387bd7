package archtest

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// places says which files of the program may import a package or one below it.
// "*" stands for one folder or a part of a name, a trailing "/..." for everything below.
type places struct {
	imports []string
	files   []string
	tests   bool // tests may too
}

var onlyIn = []places{
	{
		imports: []string{"database/sql"},
		files:   []string{"internal/*/store*.go", "internal/*/migrations/...", "internal/platform/database/..."},
		tests:   true,
	},
	{
		imports: []string{"net/http", "github.com/danielgtaylor/huma/v2"},
		files: []string{
			"internal/*/http*.go", "internal/*/client*.go", "internal/app/...", "internal/gateway/...",
			"internal/accounts/signin/http*.go", "internal/accounts/signin/client*.go",
			"internal/platform/httpapi/...", "internal/platform/telemetry/...",
		},
		tests: true,
	},
	{
		imports: []string{
			"modernc.org/sqlite", "github.com/jackc/pgx/v5", "github.com/rabbitmq/amqp091-go", "github.com/redis/rueidis",
		},
		files: []string{"internal/platform/..."},
	},
	{
		imports: []string{"testing"},
		tests:   true,
	},
}

// harmless are packages below a restricted one that anybody may import.
var harmless = []string{"database/sql/driver"}

func checkImports(t tree, f file) []string {
	if f.syn == nil {
		return nil
	}
	var faults []string
	for _, spec := range f.syn.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser refuses such a file
		}
		var why string
		if to, own := strings.CutPrefix(imp, module+"/"); own {
			why = wrongOwn(t, f, to)
		} else {
			why = wrongForeign(f, imp)
		}
		if why != "" {
			faults = append(faults, f.fault("imports %s: %s", imp, why)...)
		}
	}
	return faults
}

// wrongOwn says why f must not import a package of this module, or "".
func wrongOwn(t tree, f file, imp string) string {
	from, to := f.area(), area(imp)
	switch {
	case from == to:
		// a package and what lies below it
	case isTestKit(imp) && !f.isTest():
		return "a test kit is for tests"
	case from == "market":
		return "market is the bottom and imports nothing of ours"
	case from == "cmd" && to == "platform" && f.isTest():
		// the program's own tests use the kits
	case from == "cmd" && to != "app":
		return "cmd may use internal/app and nothing else of ours"
	case to == "app" && from != "cmd" && !standsAlone(t, f):
		return "only cmd starts the application"
	case from == "platform" && to != "market":
		return "platform knows market and no service"
	case t.isService(to) && t.isService(from):
		return "services do not import services: ask through an interface in market"
	case (t.isService(to) || to == "gateway") && from != "app" && !standsAlone(t, f):
		return "only app knows the services and the gateway"
	}
	return ""
}

// standsAlone tells a test of the whole program, in a folder that holds no
// program: nothing can come to depend on it.
func standsAlone(t tree, f file) bool {
	return !slices.ContainsFunc(t.files, func(o file) bool {
		return o.syn != nil && o.dir() == f.dir() && !strings.HasSuffix(o.path, "_test.go")
	})
}

// wrongForeign says why f must not import a package from elsewhere, or "".
func wrongForeign(f file, imp string) string {
	if f.area() == "market" && !f.isTest() && strings.Contains(strings.Split(imp, "/")[0], ".") {
		return "market uses the standard library alone"
	}
	if slices.Contains(harmless, imp) {
		return ""
	}
	for _, rule := range onlyIn {
		under := slices.ContainsFunc(rule.imports, func(p string) bool { return imp == p || strings.HasPrefix(imp, p+"/") })
		if !under || rule.tests && f.isTest() || slices.ContainsFunc(rule.files, func(p string) bool { return stands(f.path, p) }) {
			continue
		}
		if len(rule.files) == 0 {
			return "allowed only in tests and their kits"
		}
		return "allowed only in " + strings.Join(rule.files, ", ")
	}
	return ""
}

// stands tells whether a file is one that the pattern names.
func stands(file, pattern string) bool {
	if below, ok := strings.CutSuffix(pattern, "..."); ok {
		n := strings.Count(below, "/")
		parts := strings.SplitAfterN(file, "/", n+1)
		if len(parts) <= n {
			return false
		}
		ok, _ := path.Match(below, strings.Join(parts[:n], ""))
		return ok
	}
	ok, _ := path.Match(pattern, file)
	return ok
}
