package main

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"time"
)

// The gateway hands requests on to a process that runs elsewhere, and so do
// proxies that people use for that. All of them stand in front of the same bare
// handler, say who asks in X-Forwarded-*, and log a line for each request to a
// file, but for the ReverseProxy, which is what the gateway is built on.

// proxies are the peers, by the name of the server.
var proxies = []struct {
	server, title string
	target        float64
}{
	{"caddy", "Caddy", 1},
	{"nginx", "nginx", 1},
	{"reverseproxy", "a bare httputil.ReverseProxy", 0},
}

// proxyRows are the gateway's comparisons, without those whose program is not
// installed.
func proxyRows() (all []row) {
	for _, request := range []struct {
		name        string
		connections int
		request     request
	}{
		{"GET /api/movies/{id}", getConnections, getOf("/api/movies/", 1, 200)},
		{"POST /api/movies", postConnections, post("/api/movies", movieBody)},
	} {
		for _, p := range proxies {
			all = append(all, row{
				name: request.name + " handed on, " + p.title, against: "proxies", target: p.target, connections: request.connections,
				ours: side{server: "gateway", request: request.request, status: 200}, theirs: side{server: p.server, request: request.request, status: 200},
			})
		}
	}
	return all
}

// startProxy starts one of them in front of the bare handler.
func (b *bench) startProxy(name string) (*process, error) {
	backend, err := b.server("bare")
	if err != nil {
		return nil, err
	}
	switch name {
	case "gateway":
		// The mode is chosen, so that services are told who asks.
		return start(b.folder, name, "/readyz", b.program, append([]string{
			"serve", "gateway", "--access=open", "--listen=ADDRESS",
			"--data=" + filepath.Join(b.folder, "gateway"), "--inventory-url=http://" + backend.address,
		}, b.settings...)...)
	case "caddy":
		return start(b.folder, name, "/readyz", "/bin/sh", "-c", `cat >Caddyfile <<'END'
{
	admin off
	auto_https off
}
http://ADDRESS {
	bind 127.0.0.1
	log {
		output file caddy-access.log
	}
	reverse_proxy `+backend.address+`
}
END
XDG_DATA_HOME=$PWD/caddy XDG_CONFIG_HOME=$PWD/caddy exec caddy run --config Caddyfile --adapter caddyfile`)
	case "nginx":
		me, err := user.Current()
		if err != nil {
			return nil, err
		}
		return start(b.folder, name, "/readyz", "/bin/sh", "-c", `cat >nginx.conf <<'END'
daemon off;
user `+me.Username+`;
worker_processes auto;
pid nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
	access_log nginx-access.log combined buffer=64k flush=100ms; # as often as Emporium writes its own
	keepalive_requests 1000000000;
	client_body_temp_path nginx-body;
	proxy_temp_path nginx-proxy;
	fastcgi_temp_path nginx-fastcgi;
	uwsgi_temp_path nginx-uwsgi;
	scgi_temp_path nginx-scgi;
	upstream backend {
		server `+backend.address+`;
		keepalive 128;
		keepalive_requests 1000000000;
	}
	server {
		listen ADDRESS;
		location / {
			proxy_pass http://backend;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $host;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Host $host;
			proxy_set_header X-Forwarded-Proto $scheme;
			proxy_set_header X-Request-Id $request_id;
		}
	}
}
END
PATH=$PATH:/usr/sbin exec nginx -p "$PWD/" -c nginx.conf`)
	}
	return start(b.folder, name, "/readyz", b.self, "as", "reverseproxy", "ADDRESS", backend.address)
}

// installed says whether a server's program is on this machine.
func installed(server string) bool {
	if server != "caddy" && server != "nginx" {
		return true
	}
	if _, err := exec.LookPath(server); err == nil {
		return true
	}
	info, err := os.Stat("/usr/sbin/" + server) // which is not in everybody's path
	return err == nil && info.Mode()&0o111 != 0
}

// serveReverseProxy is the standard library's proxy, and nothing else.
func serveReverseProxy(address, backend string) error {
	to, err := url.Parse("http://" + backend)
	if err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 512, 512
	server := &http.Server{Addr: address, ReadHeaderTimeout: 10 * time.Second, Handler: &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.SetXForwarded()
			r.Out.Host = r.In.Host
		},
	}}
	return fmt.Errorf("serve: %w", server.ListenAndServe())
}
