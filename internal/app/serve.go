package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"emporium/internal/platform/httpapi"
)

// Limits of the server on everything that comes from outside. Bodies have limits
// of their own, by operation.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 60 * time.Second // a whole request; enough for 1 MiB on a poor line
	writeTimeout  = 60 * time.Second // an answer; streams extend it as they go
	idleTimeout   = 120 * time.Second
	headerBytes   = 32 << 10
)

// serve answers requests until ctx ends, and then lets those under way finish.
func serve(ctx context.Context, a *App, say func(addresses []string)) error {
	if mode, _ := a.config.mode(); mode == httpapi.Open && !a.config.loopback() {
		a.log.WarnContext(ctx, "open mode: everyone who can reach these addresses may read and change nearly everything", "listen", a.config.Listen)
	}
	listeners, err := a.listen(ctx)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: a, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytes,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, len(listeners))
	var addresses []string
	for _, l := range listeners {
		addresses = append(addresses, "http://"+l.Addr().String())
		go func() { failed <- server.Serve(l) }()
	}
	if forget, err := a.remember(addresses); err != nil {
		a.log.WarnContext(ctx, "cannot note the address in the data folder", "error", err)
	} else {
		defer forget()
	}
	say(addresses)
	select {
	case err := <-failed:
		return errors.Join(err, server.Close())
	case <-ctx.Done():
	}
	return a.drain(server)
}

// drain says no at /readyz first, so that whoever balances load goes elsewhere,
// listens on for a moment, and then waits for what is under way.
func (a *App) drain(server *http.Server) error {
	a.draining.Store(true)
	a.log.Info("stopping")
	time.Sleep(time.Duration(a.config.Drain))
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(a.config.Stop))
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests were still under way after %s", time.Duration(a.config.Stop)), server.Close())
	}
	return nil
}

func (a *App) listen(ctx context.Context) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, address := range a.config.Listen {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			for _, open := range listeners {
				_ = open.Close()
			}
			return nil, fmt.Errorf("listen on %s: %w; choose another address with --listen", address, err)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// addressFile tells other commands where the server of a data folder listens.
const addressFile = "server.address"

// remember notes the addresses in the data folder. Only a process with the
// gateway is of use to other commands.
func (a *App) remember(addresses []string) (forget func(), err error) {
	if !a.here[gatewayName] {
		return func() {}, nil
	}
	path := a.config.file(addressFile)
	if err := os.WriteFile(path, []byte(strings.Join(addresses, "\n")+"\n"), 0o600); err != nil {
		return nil, err
	}
	return func() { _ = os.Remove(path) }, nil
}

// greeting says where things are.
func (a *App) greeting(addresses []string) string {
	data, err := filepath.Abs(a.config.Data)
	if err != nil {
		data = a.config.Data
	}
	mode, _ := a.config.mode()
	var b strings.Builder
	fmt.Fprintf(&b, "Emporium %s, in %s mode\n\n", Version, mode)
	for _, address := range addresses {
		fmt.Fprintf(&b, "  API    %s\n  Docs   %s/docs\n", address, address)
	}
	fmt.Fprintf(&b, "  Data   %s\n", data)
	return b.String()
}
