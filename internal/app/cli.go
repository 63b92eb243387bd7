package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"

	"github.com/alecthomas/kong"
	"golang.org/x/sys/unix"
)

// Version is what this binary is.
const Version = "0.1.0"

// Terminal is where a command reads and writes.
type Terminal struct {
	Args     []string // without the program's name
	In       io.Reader
	Out, Err io.Writer
}

// commands is the command line.
type commands struct {
	Serve    serveCommand    `cmd:"" help:"Run the named services, or all of them."`
	Services servicesCommand `cmd:"" help:"List the services, with what each needs."`
	Import   importCommand   `cmd:"" help:"Read movies, coupons, products, users or purchases from a JSON file."`
	Export   exportCommand   `cmd:"" help:"Write movies, coupons, products, users or purchases as a JSON file."`
	Copy     copyCommand     `cmd:"" help:"Copy the rows of the data folder to PostgreSQL."`
	Queue    queueCommand    `cmd:"" help:"Look at what waits in the message queue, and put dead letters back or drop them."`
	Staff    staffCommand    `cmd:"" help:"Say who is staff: who may change what belongs to the shop in protected mode."`
	Keys     keysCommand     `cmd:"" help:"Look at the keys that sign tokens, and change them without signing anybody out."`
	Password passwordCommand `cmd:"" name:"password-reset" help:"Make a token by which somebody gets a new password."`
	Openapi  openapiCommand  `cmd:"" help:"Print the OpenAPI document."`
	Config   configCommand   `cmd:"" help:"Look at the settings."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// examples stand at the end of --help.
const examples = `
Examples:
  emporium serve --demo                     everything, with a shop's worth of data
  emporium serve --listen 127.0.0.1:9000    everything, elsewhere
  emporium serve gateway inventory          these two; another process may run the rest
  emporium import movies films.json         into the running server, or into ./data
  emporium export coupons coupons.json      and out again
  emporium copy --database-url URL          from the data folder to PostgreSQL
  emporium queue status                     what waits, how long, and what was given up
  emporium queue requeue --all              give dead letters another try
  emporium staff add ada@example.org        who may change everything in protected mode
  emporium keys rotate                      sign with a new key; nobody is signed out
  emporium password-reset ada@example.org   for somebody who forgot a password
  emporium config check                     every fault of the settings at once

Settings are flags, environment variables (EMPORIUM_...) or lines of a file .env.`

// Run runs one command and gives the exit status of the program.
func Run(ctx context.Context, t Terminal) int {
	err := run(ctx, t)
	var exit exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	}
	fmt.Fprintf(t.Err, "emporium: %s\n", err)
	return 1
}

// exitError ends a command with a status of its own, when all has been said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// stopped is how kong's --help ends a command early.
type stopped struct{ status int }

func run(ctx context.Context, t Terminal) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s, ok := p.(stopped)
			if !ok {
				panic(p)
			}
			err = nil
			if s.status != 0 {
				err = exitError(s.status)
			}
		}
	}()
	unix.Umask(0o077) // what is stored is for nobody else on the machine
	if err := loadEnvironment(); err != nil {
		return err
	}
	var c commands
	parser, err := kong.New(&c, kong.Name("emporium"),
		kong.Description("A self-hosted marketplace: coupons, auctions, property, movies with billing, and recent purchases.\n"+examples),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Writers(t.Out, t.Err), kong.Exit(func(status int) { panic(stopped{status}) }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(t),
	)
	if err != nil {
		return err
	}
	if len(t.Args) == 0 {
		t.Args = []string{"--help"}
	}
	parsed, err := parser.Parse(t.Args)
	if err != nil {
		return fmt.Errorf("%w\nrun 'emporium --help' or 'emporium config check'", err)
	}
	return parsed.Run()
}

type versionCommand struct{}

// Run prints the version and what the binary was built from.
func (versionCommand) Run(t Terminal) error {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " (" + s.Value + ")"
			}
		}
		revision += ", built with " + info.GoVersion
	}
	_, err := fmt.Fprintf(t.Out, "emporium %s%s\n", Version, revision)
	return err
}

type servicesCommand struct{}

// Run lists the services.
func (servicesCommand) Run(t Terminal) error {
	fmt.Fprintf(t.Out, "%-10s  %-52s needs\n%-10s  %-52s %s\n", "service", "what it is", gatewayName, "the front door: one address for all, billing's orders", "the queue")
	for _, s := range services {
		fmt.Fprintf(t.Out, "%-10s  %-52s %s\n", s.name, s.about, s.needs)
	}
	return nil
}

type openapiCommand struct {
	Format string `enum:"yaml,json,json-3.0" default:"yaml" help:"The form: yaml or json (OpenAPI 3.1), or json-3.0 (a 3.0.3 copy)."`
}

// Run prints the document of all operations.
func (c openapiCommand) Run(t Terminal) error {
	doc, err := Document()
	if err != nil {
		return err
	}
	_, err = t.Out.Write(map[string][]byte{"yaml": doc.YAML, "json": doc.JSON, "json-3.0": doc.JSON30}[c.Format])
	return err
}

// newLog makes the log of a server.
func newLog(c *Config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // the settings were checked
	o := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
