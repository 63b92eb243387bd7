package app

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type configCommand struct {
	Check configCheckCommand `cmd:"" help:"Read the settings as serve would, and report every fault at once."`
}

type configCheckCommand struct {
	Settings []string `arg:"" optional:"" passthrough:"" help:"Flags, as they would be given to serve."`
}

// Run reports every fault of the settings.
func (c configCheckCommand) Run(t Terminal) error {
	faults := checkSettings(c.Settings)
	for _, fault := range faults {
		fmt.Fprintln(t.Err, fault)
	}
	if len(faults) > 0 {
		fmt.Fprintf(t.Err, "%d faults\n", len(faults))
		return exitError(1)
	}
	_, err := fmt.Fprintln(t.Out, "the settings are fine")
	return err
}

// checkSettings tries each variable of the environment and each flag by itself,
// since the parser stops at the first that is wrong, and then all that are right
// together.
func checkSettings(flags []string) (faults []string) {
	known := settingNames(reflect.TypeFor[serveCommand](), "", "")
	given := map[string]string{}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "EMPORIUM_") || strings.HasPrefix(name, "EMPORIUM_TEST_") {
			continue
		}
		if _, ok := known[strings.TrimSuffix(name, "_FILE")]; !ok {
			faults = append(faults, fmt.Sprintf("%s: there is no such setting", name))
			continue
		}
		given[name] = value
	}
	for name := range given { // seen one at a time
		_ = os.Unsetenv(name)
	}
	defer func() {
		for name, value := range given {
			_ = os.Setenv(name, value)
		}
	}()
	args := []string{}
	for _, flag := range joinValues(flags) {
		if err := parseSettings(flag); err != nil {
			faults = append(faults, err.Error())
			continue
		}
		args = append(args, flag)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		flag := known[name]
		if flag == "" {
			continue // a _FILE, read before
		}
		flag += "=" + given[name]
		if err := parseSettings(flag); err != nil {
			faults = append(faults, name+": "+err.Error())
			continue
		}
		args = append([]string{flag}, args...)
	}
	if err := parseSettings(args...); err != nil {
		faults = append(faults, err.Error())
	}
	return faults
}

// joinValues puts each flag and its value together again: the parser hands on
// --flag=value as two words.
func joinValues(words []string) (flags []string) {
	for _, word := range words {
		if n := len(flags); n > 0 && !strings.HasPrefix(word, "-") && !strings.Contains(flags[n-1], "=") {
			flags[n-1] += "=" + word
			continue
		}
		flags = append(flags, word)
	}
	return flags
}

func parseSettings(args ...string) error {
	var c struct {
		Serve serveCommand `cmd:""`
	}
	parser, err := kong.New(&c, kong.Exit(func(int) {}))
	if err != nil {
		return err
	}
	_, err = parser.Parse(append([]string{"serve"}, args...))
	return err
}

// settingNames maps the variables of the settings to their flags.
func settingNames(t reflect.Type, envPrefix, flagPrefix string) map[string]string {
	names := map[string]string{}
	for f := range t.Fields() {
		if _, embedded := f.Tag.Lookup("embed"); embedded {
			maps.Copy(names, settingNames(f.Type, envPrefix+f.Tag.Get("envprefix"), flagPrefix+f.Tag.Get("prefix")))
		} else if env := f.Tag.Get("env"); env != "" {
			names[envPrefix+env] = flagOf(f, flagPrefix)
		}
	}
	return names
}
