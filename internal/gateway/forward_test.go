package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"emporium/internal/gateway"
)

func TestForwarded(t *testing.T) {
	var got http.Header
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	proxies, err := gateway.ParseTrusted([]string{"10.0.0.0/8", "127.0.0.1", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	strangers, err := gateway.ParseTrusted([]string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		trusted gateway.Trusted
		in      []string
		want    []string // For, Host, Proto, Forwarded, Port
	}{
		{"nobody before", proxies, nil, []string{"127.0.0.1", "shop.example", "http", "for=127.0.0.1;host=shop.example;proto=http", ""}},
		{
			"a stranger's word", strangers,
			[]string{"X-Forwarded-For", "1.1.1.1", "X-Forwarded-Host", "evil", "X-Forwarded-Proto", "https", "Forwarded", "for=1.1.1.1", "X-Forwarded-Port", "1"},
			[]string{"127.0.0.1", "shop.example", "http", "for=127.0.0.1;host=shop.example;proto=http", ""},
		},
		{
			"X-Forwarded of a proxy", proxies,
			[]string{"X-Forwarded-For", "1.1.1.1, 2001:db8::1", "X-Forwarded-For", "10.1.1.1", "X-Forwarded-Host", "shop:443", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "443"},
			[]string{"1.1.1.1, 2001:db8::1, 10.1.1.1, 127.0.0.1", "shop:443", "https", `for=1.1.1.1, for="[2001:db8::1]", for=10.1.1.1, for=127.0.0.1;host=shop.example;proto=http`, "443"},
		},
		{
			"Forwarded of a proxy", proxies,
			[]string{"Forwarded", `For="[2001:db8::1]:4711";Proto=https;host="shop:443"`, "Forwarded", `for=_hidden;by=10.1.1.1 , for="10.2.2.2:80"`},
			[]string{"2001:db8::1, _hidden, 10.2.2.2, 127.0.0.1", "shop:443", "https", `For="[2001:db8::1]:4711";Proto=https;host="shop:443", for=_hidden;by=10.1.1.1 , for="10.2.2.2:80", for=127.0.0.1;host=shop.example;proto=http`, ""},
		},
	} {
		f := newFront(t, gateway.UpstreamOptions{}, gateway.ProxyOptions{Forward: true, Trusted: c.trusted}, s.URL)
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL, http.NoBody)
		r.Host = "shop.example"
		for i := 0; i < len(c.in); i += 2 {
			r.Header.Add(c.in[i], c.in[i+1])
		}
		resp, err := f.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		for i, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Forwarded-Port"} {
			if v := strings.Join(got[name], "|"); v != c.want[i] {
				t.Errorf("%s: %s is %q, want %q", c.name, name, v, c.want[i])
			}
		}
	}
}

func TestParseTrusted(t *testing.T) {
	for _, text := range []string{"10.0.0.0/33", "here", "10.0.0", "fe80::1%eth0", ""} {
		if _, err := gateway.ParseTrusted([]string{text}); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
