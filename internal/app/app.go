// Package app puts Emporium together: it reads the settings, opens the chosen
// services and serves them. It is the only package that knows every service.
package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"emporium/internal/accounts"
	"emporium/internal/auctions"
	"emporium/internal/billing"
	"emporium/internal/coupons"
	"emporium/internal/gateway"
	"emporium/internal/inventory"
	"emporium/internal/market"
	"emporium/internal/platform/cache"
	"emporium/internal/platform/database"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/apidocs"
	"emporium/internal/platform/httpapi/edge"
	"emporium/internal/platform/httpapi/stafflog"
	"emporium/internal/platform/queue"
	"emporium/internal/popular"
	"emporium/internal/property"
	"emporium/internal/purchases"
)

// App is the chosen services, open and ready to answer.
type App struct {
	config *Config
	mode   httpapi.Mode
	chosen bool // somebody chose the mode
	log    *slog.Logger
	now    func() time.Time
	secret []byte
	here   map[string]bool
	parts  []part
	work   sync.WaitGroup
	stop   context.CancelFunc

	draining atomic.Bool // told to stop: not ready any more

	databases map[string]*database.DB // of the services that run here

	edge        *edge.Edge
	limits      *httpapi.Limits
	origins     edge.Origins
	connections *edge.Connections
	certificate *edge.Certificate // nil: no TLS

	upstreams map[string]*gateway.Upstream // the ways to services that run elsewhere

	queue     queue.Queue
	cache     cache.Cache
	tokens    market.Tokens
	accounts  *accounts.Service
	coupons   *coupons.Service
	auctions  *auctions.Service
	property  *property.Service
	inventory *inventory.Service
	billing   *billing.Service
	intake    *billing.Intake
	purchases *purchases.Service
	popular   *popular.Service

	handler http.Handler
}

// part is something that was opened: it may be asked whether it is ready, and is
// closed in reverse order.
type part struct {
	name      string
	ready     func(context.Context) error
	close     func() error
	elsewhere bool // it is named, but this process is ready without it
}

// Open opens the named services, or all of them when none is named.
func Open(ctx context.Context, c *Config, log *slog.Logger, names ...string) (_ *App, err error) {
	a := &App{config: c, log: log, now: time.Now, here: map[string]bool{}, databases: map[string]*database.DB{}, upstreams: map[string]*gateway.Upstream{}}
	a.mode, a.chosen = c.mode()
	if err := a.choose(names); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	if a.secret, err = a.readSecret(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	var work context.Context
	work, a.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := a.openEdge(work); err != nil {
		return nil, err
	}
	if !a.here["accounts"] {
		if err := a.askForTokens(work); err != nil {
			return nil, err
		}
	}
	for _, s := range services {
		if a.here[s.name] {
			if err := s.open(a, work); err != nil {
				return nil, err
			}
		}
	}
	if a.here[gatewayName] {
		q, err := a.openQueue(work)
		if err != nil {
			return nil, err
		}
		a.intake = billing.NewIntake(q)
		a.openUpstreams(work)
	}
	return a, a.mount()
}

// choose notes which services run here.
func (a *App) choose(names []string) error {
	for _, name := range names {
		if name != gatewayName && !slices.ContainsFunc(services, func(s service) bool { return s.name == name }) {
			return fmt.Errorf("there is no service %q; there are %s", name, strings.Join(serviceNames(), ", "))
		}
		a.here[name] = true
	}
	if len(names) == 0 {
		for _, name := range serviceNames() {
			a.here[name] = true
		}
	}
	return nil
}

func serviceNames() []string {
	names := []string{gatewayName}
	for _, s := range services {
		names = append(names, s.name)
	}
	return names
}

// system says of a system whether it runs here.
func (a *App) system(s httpapi.System) httpapi.System {
	s.Absent = !a.here[s.Name]
	return s
}

// declare declares the operations of every service, here or not.
func (a *App) declare(api *httpapi.API) {
	for _, s := range services {
		s.routes(api, a)
	}
	for _, s := range services {
		if s.keepsData() {
			log := httpapi.System{Name: s.name, Tag: "Staff", Description: "Who is staff, and what they changed."}
			stafflog.Routes(api.System(a.system(log)), s.name, a.databases[s.name])
		}
	}
	intake := billing.System()
	intake.Absent = !a.here[gatewayName]
	billing.IntakeRoutes(api.System(intake), a.intake)
	personal := gateway.PersonalSystem()
	personal.Absent = !a.here[gatewayName]
	gateway.PersonalRoutes(api.System(personal), a.personalData())
}

// mount builds the handler of everything that runs here.
func (a *App) mount() error {
	api := httpapi.New(httpapi.Options{
		Mode: a.mode, Tokens: a.tokens, Log: a.log, Secret: a.secret, Now: a.now,
		From:   a.from,
		Limits: a.limits, AtOnce: a.config.Limit.Work, Title: "Emporium", Version: Version,
	})
	a.declare(api)
	api.MountDocument()
	if err := a.mountPages(api); err != nil {
		return err
	}
	if a.accounts != nil {
		accounts.Pages(a.accounts, accounts.PageOptions{Handle: api.Handle, From: a.from, Fail: api.Fail})
	}
	if err := a.mountSignIn(api); err != nil {
		return err
	}
	a.mountHealth(api)
	api.Handle("/", http.HandlerFunc(httpapi.NotFound))
	if a.here[gatewayName] {
		a.mountElsewhere(api, a.chosen || a.mode == httpapi.Protected)
	}
	var handler http.Handler = api
	if a.mode == httpapi.Open && !a.chosen {
		handler = gateway.GuardOpen(handler)
	}
	handler = gateway.SameMode(handler, a.mode, a.log)
	handler = a.around(handler)
	front := httpapi.FrontOptions{Now: a.now, Log: a.log, AnswerTime: time.Duration(a.config.Limit.AnswerTime), Alias: api.Alias}
	if a.config.LogRequest {
		front.Requests = a.log
	}
	a.handler = a.closeWhenDraining(httpapi.Front(handler, front))
	return nil
}

// mountPages puts up the page that says what runs here, and the one to try every
// call.
func (a *App) mountPages(api *httpapi.API) error {
	o := apidocs.Options{
		Title: "Emporium", Version: Version,
		Summary: "A self-hosted marketplace: coupons, auctions, property, movies with billing, and recent purchases.",
	}
	for _, s := range services {
		page := apidocs.Service{Name: s.name, Summary: s.about, Down: !a.here[s.name] && a.upstreams[s.name] == nil}
		for _, e := range s.examples {
			page.Examples = append(page.Examples, apidocs.Example{Label: e, Path: e})
		}
		o.Services = append(o.Services, page)
	}
	return apidocs.Mount(api.Handle, o)
}

// ServeHTTP answers a request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// run starts work that goes on until the app is closed.
func (a *App) run(ctx context.Context, name string, work func(context.Context) error) {
	a.work.Go(func() {
		if err := work(ctx); err != nil && ctx.Err() == nil {
			a.log.ErrorContext(ctx, "stopped", "part", name, "error", err)
		}
	})
}

// Close stops the work and closes what was opened, in reverse order.
func (a *App) Close() error {
	if a.stop != nil {
		a.stop()
	}
	a.work.Wait()
	var faults []error
	for _, p := range slices.Backward(a.parts) {
		if err := p.close(); err != nil {
			faults = append(faults, fmt.Errorf("close %s: %w", p.name, err))
		}
	}
	a.parts = nil
	return errors.Join(faults...)
}

const secretFile = "secret.key"

// readSecret gives the key of stored hashes: the setting, or the file that the
// first start made.
func (a *App) readSecret() ([]byte, error) {
	if a.config.Secret != "" {
		return []byte(a.config.Secret), nil
	}
	path := a.config.file(secretFile)
	key, err := os.ReadFile(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	key = []byte(hex.EncodeToString(raw))
	// Two processes may start at once: the first file wins, and is read back.
	temp, err := os.CreateTemp(a.config.Data, secretFile+".*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(key)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}
