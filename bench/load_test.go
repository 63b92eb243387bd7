package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
)

func TestAnsweredKnowsWholeAnswers(t *testing.T) {
	for _, whole := range []struct {
		answer string
		status int
	}{
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200},
		{"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 201},
		{"HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n", 204},
	} {
		for cut := range len(whole.answer) {
			if _, complete, err := answered([]byte(whole.answer[:cut])); complete || err != nil {
				t.Errorf("%q is taken for a whole answer (%v)", whole.answer[:cut], err)
			}
		}
		status, complete, err := answered([]byte(whole.answer))
		if status != whole.status || !complete || err != nil {
			t.Errorf("%q: %d, %v, %v", whole.answer, status, complete, err)
		}
	}
	if _, _, err := answered([]byte("SMTP ready, what do you want?\r\n\r\n")); err == nil {
		t.Error("what is not HTTP must be an error")
	}
}

func TestRunSendsEachRequestOnce(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		seen[string(body)]++
		mu.Unlock()
		_, _ = w.Write(body)
	}))
	defer server.Close()
	const most = 501
	l := load{
		address: strings.TrimPrefix(server.URL, "http://"), connections: 7, status: 200, most: most,
		request: post("/movies", movieBody),
	}
	done, err := l.run()
	if err != nil {
		t.Fatal(err)
	}
	for body, times := range seen {
		if times != 1 {
			t.Errorf("%s was sent %d times", body, times)
		}
	}
	if done.requests != most || int(done.requests) != len(seen) || seen[string(movieBody(nil, done.next))] != 0 {
		t.Errorf("%d requests, %d of them different; wanted %d; next is %d", done.requests, len(seen), most, done.next)
	}

	l.status = 201
	if _, err := l.run(); err == nil || !strings.Contains(err.Error(), "wanted a 201") {
		t.Errorf("an answer of the wrong status: %v", err)
	}
}

func TestRenewKeepsThePage(t *testing.T) {
	file := t.TempDir() + "/page.md"
	if err := os.WriteFile(file, []byte("above\n"+markBegin+"\nold\n"+markEnd+"\nbelow\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := renew(file, "new\n"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if want := "above\n" + markBegin + "\nnew\n" + markEnd + "\nbelow\n"; string(got) != want || err != nil {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}
