package app

import (
	"fmt"
	"reflect"
	"strings"
)

// ConfigurationPage is docs/configuration.md: every setting, from the struct
// that reads them.
func ConfigurationPage() string {
	var b strings.Builder
	b.WriteString("# Configuration\n\n" +
		"Every setting is a flag of `emporium serve`, an environment variable, or a line of a file `.env` in the folder where the\n" +
		"program starts. A flag wins over the environment, and the environment over `.env`. A secret may be in a file of its own,\n" +
		"named by the variable with `_FILE` behind it. `emporium config check` reports every fault at once.\n\n" +
		"This page is made from the program; `make golden` renews it.\n\n" +
		"| flag | variable | default | what it is |\n| --- | --- | --- | --- |\n")
	writeSettings(&b, reflect.TypeFor[serveCommand](), "", "")
	return b.String()
}

func writeSettings(b *strings.Builder, t reflect.Type, envPrefix, flagPrefix string) {
	for f := range t.Fields() {
		if _, embedded := f.Tag.Lookup("embed"); embedded {
			writeSettings(b, f.Type, envPrefix+f.Tag.Get("envprefix"), flagPrefix+f.Tag.Get("prefix"))
			continue
		}
		env := f.Tag.Get("env")
		if env == "" {
			continue
		}
		value := f.Tag.Get("default")
		if value != "" {
			value = "`" + value + "`"
		}
		variable := "`" + envPrefix + env + "`"
		if f.Type == reflect.TypeFor[Secret]() {
			variable += ", `" + envPrefix + env + "_FILE`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", flagOf(f, flagPrefix), variable, value, f.Tag.Get("help"))
	}
}

// flagOf is how a field is spelled on the command line.
func flagOf(f reflect.StructField, prefix string) string {
	name := f.Tag.Get("name")
	if name == "" {
		name = kebab(f.Name)
	}
	return "--" + prefix + name
}

// kebab is how a field's name is spelled as a flag.
func kebab(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}
