// Package fuzztest_test asks the whole program, in both modes, for what its
// OpenAPI document describes: well, nearly well and badly, as everybody who may
// and may not. It reads the operations from the document, so a new one is asked
// for without an edit here.
package fuzztest_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"emporium/internal/app/programtest"
	"emporium/internal/platform/httpapi"
	"emporium/internal/platform/httpapi/apitest"
)

// operation is one of the document.
type operation struct {
	*openapi3.Operation
	method, path string
	methods      []string // all of the path
	need         need

	called, done int
}

// round is one program, new, and those who ask it.
type round struct {
	t        *testing.T
	mode     string
	seed     uint64
	program  *programtest.Program
	document *apitest.Document
	client   *http.Client

	*generator
	operations                                           []*operation
	callers                                              []*caller
	owner, stranger, staff, key, inside, nobody, garbage *caller
	tokens                                               []string // that do not hold
	born                                                 int
	requests                                             int
	faults                                               map[string]bool
	statuses                                             map[int]int
}

const (
	secret = "a secret of the tests, long enough"
	// passes over all operations make a round, and a few more where something was
	// not done yet: no time is looked at, so that a seed tells all.
	passes = 5
	// fewest times that a round has to ask for each operation.
	fewest = 2 * passes
	// mostFaults end a round: the rest is likely to be the same.
	mostFaults = 10
)

// rarely says why an operation need not be done in a round.
var rarely = map[string]string{
	"DELETE /api/signing-keys/{kid}": "a key can be taken away once another signs, ten seconds after it was made",
}

// TestEveryOperation fuzzes for one round in each mode, of a seed that is always
// the same; with EMPORIUM_TEST_FUZZ=60s for so long in each, of other seeds; with
// EMPORIUM_TEST_SEED=7 for the one round of that seed.
func TestEveryOperation(t *testing.T) {
	first, lasting := uint64(1), time.Duration(0)
	if s := os.Getenv("EMPORIUM_TEST_FUZZ"); s != "" {
		var err error
		if lasting, err = time.ParseDuration(s); err != nil {
			t.Fatalf("EMPORIUM_TEST_FUZZ: %v", err)
		}
		first = uint64(time.Now().Unix())
	}
	if s := os.Getenv("EMPORIUM_TEST_SEED"); s != "" {
		var err error
		if first, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("EMPORIUM_TEST_SEED: %v", err)
		}
		lasting = 0
	}
	for i, mode := range []string{"open", "protected"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			for seed := first; seed == first || time.Since(began) < lasting && !t.Failed(); seed++ {
				runRound(t, mode, i, seed)
			}
		})
	}
}

func runRound(t *testing.T, mode string, i int, seed uint64) {
	args := []string{"--data=" + t.TempDir(), "--access=" + mode, "--secret=" + secret, "--no-log-requests", "--password-reset-hook=true"}
	for _, limit := range []string{"address", "account", "key", "sign-in", "sign-in-mail", "sign-up"} { // the test asks more often than anybody may
		args = append(args, "--limit-"+limit+"=off")
	}
	r := &round{
		t: t, mode: mode, seed: seed, program: programtest.Start(t, args...), faults: map[string]bool{}, statuses: map[int]int{},
		generator: &generator{random: rand.New(rand.NewPCG(seed, 0)), mode: mode, seen: &seen{things: map[string][]string{}, owner: map[string]string{}, etags: map[string]string{}}},
		client: &http.Client{
			Transport: &http.Transport{DisableCompression: true}, Timeout: 30 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	defer r.client.CloseIdleConnections()
	_, doc, err := r.program.Get(t.Context(), "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	r.document = apitest.NewDocument(t, []byte(doc))
	r.read(i)
	r.join()
	for pass := 0; pass < passes || pass < 3*passes && r.undone() != ""; pass++ {
		r.pass(pass)
	}
	r.finish()
}

// read takes the operations from the document.
func (r *round) read(mode int) {
	for _, path := range slices.Sorted(maps.Keys(r.document.Spec.Paths.Map())) {
		all := r.document.Spec.Paths.Value(path).Operations()
		methods := slices.Sorted(maps.Keys(all))
		for _, method := range methods {
			_, words, _ := strings.Cut(all[method].Description, "\n\nWho may: ")
			needs, known := rules[words]
			if !known {
				r.t.Fatalf("%s %s: nobody said here what %q asks for", method, path, words)
			}
			r.operations = append(r.operations, &operation{Operation: all[method], method: method, path: path, methods: methods, need: needs[mode]})
		}
	}
}

// pass asks for every operation: what makes things first, what deletes them last.
func (r *round) pass(pass int) {
	r.random.Shuffle(len(r.operations), func(i, j int) {
		r.operations[i], r.operations[j] = r.operations[j], r.operations[i]
	})
	slices.SortStableFunc(r.operations, func(a, b *operation) int { return cmp.Compare(a.turn(), b.turn()) })
	for _, op := range r.operations {
		if pass%3 == 0 || !op.hashes() || op.done == 0 {
			r.try(r.valid(op, r.suited(op), true))
			r.try(r.valid(op, one(r.generator, r.callers), false))
		}
		for range 2 {
			r.try(r.spoiled(op, one(r.generator, r.able(op))))
		}
		r.try(r.spoiled(op, one(r.generator, r.callers)))
		if len(r.sent) > 0 && r.chance(30) {
			r.try(r.again(r.callers))
		}
	}
}

// turn says when in a pass an operation comes: what deletes other things along
// with its own is last.
func (op *operation) turn() int {
	if op.method == http.MethodDelete && slices.Contains([]string{"/api/property/{id}", "/api/user/{id}", "/api/v1/items/{id}", "/api/v1/users/{id}", "/api/movies"}, op.path) {
		return 4
	}
	return slices.Index([]string{http.MethodPost, http.MethodGet, http.MethodPut, http.MethodDelete}, op.method)
}

// hashes says whether an operation computes the hash of a password, or makes
// others do, which takes long by intent.
func (op *operation) hashes() bool {
	return slices.Contains([]string{
		"POST /api/user", "POST /api/user/auth", "PUT /api/user/{id}/password", "PUT /api/user/password-reset", "POST /api/staff", "DELETE /api/staff/{id}", "DELETE /api/user/{id}", "POST /api/user/sign-out",
	}, op.method+" "+op.path)
}

// try makes a call and judges the answer.
func (r *round) try(q *request) {
	if len(r.faults) >= mostFaults {
		return
	}
	a, err := r.send(q)
	if _, odd := url.ParseRequestURI(q.target); err != nil && odd != nil {
		return // what is no address may be answered by an end of the connection
	}
	if err != nil {
		r.fault(q, &answer{}, "no answer: "+err.Error())
		return
	}
	r.requests++
	r.statuses[a.status]++
	q.op.called++
	if a.status < 300 && q.documented() && q.method == q.op.method {
		q.op.done++
		if q.op.RequestBody != nil && slices.ContainsFunc(q.header, func(h [2]string) bool { return h[0] == "Idempotency-Key" }) {
			r.sent = append(r.sent[max(0, len(r.sent)-19):], q)
		}
	}
	for _, words := range r.judge(q, a) {
		r.fault(q, a, words)
	}
	if q.documented() {
		r.seen.take(q, a)
	}
	if q.ends() && a.status < 300 {
		r.revive()
	}
}

func (r *round) send(q *request) (*answer, error) {
	out, err := http.NewRequestWithContext(r.t.Context(), q.method, r.program.URL, bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	if out.URL.Opaque = q.target; strings.HasPrefix(q.target, "//") { // else the first word is taken for a host
		out.URL.Opaque = "//" + out.URL.Host + q.target
	}
	for _, h := range q.header {
		out.Header.Add(h[0], h[1])
	}
	switch c := q.caller; c.kind {
	case nobody:
	case garbage:
		out.Header.Set("Authorization", one(r.generator, r.tokens))
	case within:
		if parsed, err := url.ParseRequestURI(q.target); err == nil {
			out.Header.Set("Authorization", httpapi.Prove([]byte(secret), &http.Request{Method: q.method, URL: parsed}, time.Now()))
		}
	default:
		out.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := r.client.Do(out)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	a := &answer{status: resp.StatusCode, header: resp.Header, body: body}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		a.json = decode(body)
	}
	return a, nil
}

// fault tells once what is wrong with an operation.
func (r *round) fault(q *request, a *answer, words string) {
	kind := q.op.OperationID + " " + strconv.Itoa(a.status) + " " + words[:min(len(words), 40)]
	if r.faults[kind] || len(r.faults) >= mostFaults {
		return
	}
	r.faults[kind] = true
	header := &bytes.Buffer{}
	_ = a.header.Write(header)
	r.t.Errorf("%s %s: %s\nseed %d: EMPORIUM_TEST_SEED=%d go test ./internal/app/fuzztest -run 'TestEveryOperation/%s'\n%s\n--> %d\n%s%.2000s",
		q.op.method, q.op.path, words, r.seed, r.seed, r.mode, r.curl(q), a.status, header, a.body)
}

// curl writes a call as it could be typed.
func (r *round) curl(q *request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "curl -i --path-as-is -X %s %s", q.method, quoted(r.program.URL+q.target))
	if q.caller.kind != nobody {
		fmt.Fprintf(&b, ` -H "Authorization: $%s"`, q.caller.name)
	}
	for _, h := range q.header {
		fmt.Fprintf(&b, " -H %s", quoted(h[0]+": "+h[1]))
	}
	if len(q.body) > 0 {
		fmt.Fprintf(&b, " --data-binary %s", quoted(string(q.body)))
	}
	return b.String()
}

// quoted is for a shell: $'…' is text with Go's escapes.
func quoted(s string) string {
	more := ""
	if len(s) > 2000 {
		s, more = s[:2000], fmt.Sprintf(" (and %d bytes more)", len(s)-2000)
	}
	q := strconv.QuoteToASCII(s)
	return "$'" + strings.ReplaceAll(strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`), "'", `\'`) + "'" + more
}

// finish holds that the program lives, that its log has no fault of its own, and
// that the round has reached what there is.
func (r *round) finish() {
	r.t.Logf("seed %d: %d requests to %d operations: %v", r.seed, r.requests, len(r.operations), r.statuses)
	if status, _, err := r.program.Get(context.WithoutCancel(r.t.Context()), "/healthz"); err != nil || status != http.StatusOK {
		r.t.Errorf("seed %d: the program is not alive: %d %v", r.seed, status, err)
	}
	if err := r.program.Stop(); err != nil {
		r.t.Errorf("seed %d: the program ended: %v", r.seed, err)
	}
	for line := range strings.Lines(r.program.Output()) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "panic") || strings.Contains(line, "goroutine ") {
			r.t.Errorf("seed %d: the log says %s", r.seed, line)
		}
	}
	if name := r.undone(); name != "" && !r.t.Failed() {
		r.t.Errorf("seed %d: %s was never done", r.seed, name)
	}
}

// undone is an operation that nobody had done yet, or that was not called often
// enough.
func (r *round) undone() string {
	for _, op := range r.operations {
		if name := op.method + " " + op.path; op.called < fewest || op.done == 0 && rarely[name] == "" {
			return name
		}
	}
	return ""
}
