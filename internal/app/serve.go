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

	"emporium/internal/accounts"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/edge"
)

// serve answers requests until ctx ends, and then lets those under way finish.
func serve(ctx context.Context, a *App, say func(addresses []string)) error {
	if a.mode == httpapi.Open && !a.config.loopback() {
		a.log.WarnContext(ctx, "open mode: everyone who can reach these addresses may read and change nearly everything", "listen", a.config.Listen)
	}
	listeners, err := a.listen(ctx, a.config.Listen, "--listen")
	if err != nil {
		return err
	}
	server, scheme, failed := a.newServer(a), "http://", make(chan error, len(listeners)+1)
	if a.certificate != nil {
		server.TLSConfig, scheme = a.certificate.Config(), "https://"
	}
	var addresses []string
	for _, l := range listeners {
		addresses = append(addresses, scheme+l.Addr().String())
		go func() { failed <- a.answerOn(server, l) }()
	}
	stopRedirect, err := a.redirect(ctx, listeners[0], failed)
	if err != nil {
		return errors.Join(err, server.Close())
	}
	defer stopRedirect()
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

// workTime is how long a call may take beside what its caller takes to send and
// to read: a gateway waits as long for the head of a service's answer.
const workTime = 30 * time.Second

// newServer makes a server with limits on everything that comes from outside.
// Bodies have limits of their own, by operation.
func (a *App) newServer(handler http.Handler) *http.Server {
	c := &a.config.Limit
	return &http.Server{
		Handler: handler, ConnState: a.connections.State, ConnContext: a.connections.Context,
		ReadHeaderTimeout: time.Duration(c.HeaderTime), ReadTimeout: time.Duration(c.RequestTime),
		// The bound of the whole, from the head of the request on; what is long has
		// bounds of its own, see httpapi.FrontOptions.
		WriteTimeout: time.Duration(c.RequestTime) + workTime + time.Duration(c.AnswerTime), IdleTimeout: time.Duration(c.IdleTime), MaxHeaderBytes: c.HeaderBytes,
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: c.Streams, WriteByteTimeout: time.Duration(c.AnswerTime)},
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}

// answerOn answers on one address.
func (a *App) answerOn(server *http.Server, l net.Listener) error {
	l = a.connections.Listen(l)
	if a.certificate != nil {
		return server.ServeTLS(l, "", "")
	}
	return server.Serve(l)
}

// redirect sends those who come without TLS to where it is spoken, until it is
// stopped.
func (a *App) redirect(ctx context.Context, to net.Listener, failed chan<- error) (stop func(), err error) {
	if a.config.TLS.Redirect == "" {
		return func() {}, nil
	}
	listeners, err := a.listen(ctx, []string{a.config.TLS.Redirect}, "--tls-redirect")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(to.Addr().String())
	server := a.newServer(a.connections.Handler(edge.Redirect(port)))
	go func() { failed <- server.Serve(a.connections.Listen(listeners[0])) }()
	a.log.InfoContext(ctx, "redirecting to TLS", "from", "http://"+listeners[0].Addr().String())
	return func() { _ = server.Close() }, nil
}

func (a *App) listen(ctx context.Context, addresses []string, flag string) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, address := range addresses {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			for _, open := range listeners {
				_ = open.Close()
			}
			return nil, fmt.Errorf("listen on %s: %w; choose another address with %s", address, err, flag)
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

// invitation says, in protected mode, how the first staff member is made, with a
// link that works once; "" where there is staff.
func (a *App) invitation(ctx context.Context, addresses []string) string {
	if a.accounts == nil || a.mode != httpapi.Protected {
		return ""
	}
	link, err := a.accounts.NewFirstLink(ctx)
	if err != nil {
		a.log.WarnContext(ctx, "cannot make a link for the first staff member: run 'emporium staff add MAIL'", "error", err)
		return ""
	}
	if link == "" || len(addresses) == 0 {
		return ""
	}
	return fmt.Sprintf("\nThere is no staff yet. Make the first staff member within 24 hours, once, at\n  %s%s?token=%s\n"+
		"or at the same path of your own host's name, or with: emporium staff add MAIL\n", toFollow(addresses[0]), accounts.FirstStaffPath, link)
}

// toFollow is where a browser on this machine finds an address that stands for
// all of the machine's.
func toFollow(address string) string {
	return strings.NewReplacer("//[::]:", "//127.0.0.1:", "//0.0.0.0:", "//127.0.0.1:").Replace(address)
}

// greeting says where things are.
func (a *App) greeting(addresses []string) string {
	data, err := filepath.Abs(a.config.Data)
	if err != nil {
		data = a.config.Data
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Emporium %s, in %s mode\n\n", Version, a.mode)
	for _, address := range addresses {
		base, others := toFollow(address), ""
		if base != address {
			others = ", and this machine's other addresses"
		}
		fmt.Fprintf(&b, "  API    %s%s\n  Docs   %s/docs\n", base, others, base)
	}
	fmt.Fprintf(&b, "  Data   %s\n", data)
	return b.String()
}
