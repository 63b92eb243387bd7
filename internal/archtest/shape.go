package archtest

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

// maxLines is the length at which a file holds more than one thing.
const maxLines = 500

// layers are names that say which layer a package is of and not what it is about.
var layers = []string{
	"base", "common", "controllers", "domain", "dto", "entities", "handlers", "helper", "helpers", "impl",
	"interfaces", "lib", "misc", "model", "models", "repositories", "repository", "services", "shared",
	"types", "util", "utils",
}

func checkShape(t tree, f file) []string {
	var faults []string
	lines := strings.Count(f.text, "\n")
	if lines > maxLines && !f.isTest() && !f.isGenerated() && path.Ext(f.path) != ".md" {
		faults = append(faults, f.fault("has %d lines: more than %d hold more than one thing", lines, maxLines)...)
	}
	if f.syn != nil {
		name := strings.TrimSuffix(f.syn.Name.Name, "_test")
		if slices.Contains(layers, name) || slices.Contains(layers, path.Base(f.dir())) {
			faults = append(faults, f.fault("is in a package named after a layer: name what it is about")...)
		}
	}
	if t.isService(f.area()) && f.syn != nil && !f.isTest() && !strings.HasPrefix(f.name(), "store") {
		for _, text := range literals(f.syn) {
			if statement.MatchString(text) {
				faults = append(faults, f.fault("holds SQL (%.40q): a service's SQL stands in store*.go", text)...)
			}
		}
	}
	return faults
}

// methodSet is the names of a type's methods.
type methodSet map[string]bool

// checkInterfaces finds interfaces that a service offers to others, and those it
// declares for its own single type. What is declared for a type elsewhere, or
// for functions, is the caller's right; how many implementations platform's
// have, later engines decide.
func checkInterfaces(t tree) []string {
	var faults []string
	concrete := map[string]map[string]methodSet{} // by package and type
	for _, f := range t.files {
		if f.syn == nil || f.isTest() || !t.isService(f.area()) {
			continue
		}
		for _, d := range f.syn.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil {
				continue
			}
			of := receiver(fn.Recv.List[0].Type)
			if concrete[f.dir()] == nil {
				concrete[f.dir()] = map[string]methodSet{}
			}
			if concrete[f.dir()][of] == nil {
				concrete[f.dir()][of] = methodSet{}
			}
			concrete[f.dir()][of][fn.Name.Name] = true
		}
	}
	for _, f := range t.files {
		if f.syn == nil || f.isTest() || !t.isService(f.area()) {
			continue
		}
		for name, methods := range interfaces(f.syn) {
			if ast.IsExported(name) {
				faults = append(faults, f.fault("declares the interface %s: those between services stand in market, others are unexported and their caller's", name)...)
			}
			var by []string
			for of, has := range concrete[f.dir()] {
				if !slices.ContainsFunc(methods, func(m string) bool { return !has[m] }) {
					by = append(by, of)
				}
			}
			if len(by) == 1 {
				faults = append(faults, f.fault("declares the interface %s for its own %s alone: use the type", name, by[0])...)
			}
		}
	}
	return faults
}

// interfaces gives the named interfaces of a file that have methods, and their
// methods; those that only constrain a type parameter have none.
func interfaces(syn *ast.File) map[string][]string {
	found := map[string][]string{}
	ast.Inspect(syn, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		in, ok := spec.Type.(*ast.InterfaceType)
		if !ok {
			return true
		}
		var methods []string
		for _, m := range in.Methods.List {
			if len(m.Names) == 1 {
				methods = append(methods, m.Names[0].Name)
			}
		}
		if len(methods) > 0 {
			found[spec.Name.Name] = methods
		}
		return true
	})
	return found
}

// receiver is the name of a method's type: "Service" of *Service and Service[T].
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
