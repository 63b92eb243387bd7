package main

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

func mb(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// demo starts Emporium with its demo data, which the first start makes.
func (b *bench) demo() (*process, time.Duration, error) {
	p, err := launch(b.folder, "demo", b.program, "serve", "--demo", "--listen=ADDRESS", "--data="+filepath.Join(b.folder, "demo-data"))
	if err != nil {
		return nil, 0, err
	}
	took, err := p.wait("/api/movies/1", 60*time.Second)
	if err != nil {
		p.stop()
	}
	return p, took, err
}

// startFigure is how long the program takes from its start to its first answer.
func (b *bench) startFigure() figure {
	return figure{"Start to first answer, with an existing demo database", "under 150 ms", func() (string, error) {
		var all []time.Duration
		for n := range b.runs*2 + 1 {
			p, took, err := b.demo()
			if err != nil {
				return "", err
			}
			if n > 0 { // the first made the data
				all = append(all, took)
			} else {
				p.settle()
			}
			p.stop()
		}
		slices.Sort(all)
		return fmt.Sprintf("**%d ms** (%d to %d)", all[len(all)/2].Milliseconds(), all[0].Milliseconds(), all[len(all)-1].Milliseconds()), nil
	}}
}

const idleFor = 25 * time.Second

// idleFigure is how much memory the program has when nobody asks for anything.
func (b *bench) idleFigure() figure {
	return figure{"Resident when idle for 25 s, with demo data: after its start, and after 10 s of load", "under 60 MB", func() (string, error) {
		p, _, err := b.demo()
		if err != nil {
			return "", err
		}
		defer p.stop()
		time.Sleep(idleFor)
		fresh, err := p.resident()
		if err != nil {
			return "", err
		}
		for _, path := range []string{"/api/movies/1", "/coupons/1", "/api/v1/items/item1", "/coupons", "/api/movies?limit=100"} {
			if _, err := (load{address: p.address, connections: getConnections, request: get(path), status: 200, duration: 2 * time.Second}).run(); err != nil {
				return "", err
			}
		}
		time.Sleep(idleFor)
		used, err := p.resident()
		return fmt.Sprintf("**%s**, %s", mb(fresh), mb(used)), err
	}}
}

// readers are how fast the long list is read, in bytes per second.
var readers = []struct {
	name string
	rate int
}{
	{"at full speed", 0},
	{"at 10 MB/s", 10 << 20},
}

// streamFigure is how much memory the long list takes, and what others notice.
func (b *bench) streamFigure() figure {
	return figure{fmt.Sprintf("GET /api/movies over %d rows: resident memory grows, while others ask for one movie", b.rows), "by less than 20 MB", func() (string, error) {
		data := filepath.Join(b.folder, "long-data")
		begin := func() (*process, error) {
			return start(b.folder, "long", "/healthz", b.program, "serve", "--listen=ADDRESS", "--data="+data)
		}
		p, err := begin()
		if err != nil {
			return "", err
		}
		_, err = load{address: p.address, connections: postConnections, request: post("/api/movies", movieBody), status: 200, most: uint64(b.rows)}.run()
		p.stop() // what filling it took is not what is measured
		if err != nil {
			return "", err
		}
		if p, err = begin(); err != nil {
			return "", err
		}
		defer p.stop()
		result := ""
		for _, reader := range readers {
			s, err := b.stream(p, reader.rate)
			if err != nil {
				return "", err
			}
			result += fmt.Sprintf("%s: **%s** (from %s; %s in %.1f s; one movie meanwhile: median %s, 99 %% %s, alone %s, %s). ", reader.name,
				mb(s.most-s.before), mb(s.before), mb(s.bytes), s.took.Seconds(), s.with.at(50), s.with.at(99), s.without.at(50), s.without.at(99))
		}
		return result, nil
	}}
}

// streamed is one reading of the long list.
type streamed struct {
	before, most, bytes int64
	took                time.Duration
	without, with       waits
}

// waits are how long answers took.
type waits []time.Duration

// at gives a percentile to read.
func (w waits) at(percent int) string {
	if len(w) == 0 {
		return "none"
	}
	return w.of(percent).Round(10 * time.Microsecond).String()
}

// of gives a percentile.
func (w waits) of(percent int) time.Duration {
	slices.Sort(w)
	return w[len(w)*percent/100]
}

// stream reads the long list while another client asks for single movies, as it
// did before.
func (b *bench) stream(p *process, rate int) (s streamed, err error) {
	if s.without, err = b.ask(p, b.rows, after(2*time.Second)); err != nil {
		return s, err
	}
	if s.before, err = p.resident(); err != nil {
		return s, err
	}
	s.most = s.before
	done := make(chan struct{})
	var wait sync.WaitGroup
	var asking, watching error
	wait.Go(func() { s.with, asking = b.ask(p, b.rows, done) })
	wait.Go(func() {
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
				var now int64
				if now, watching = p.resident(); watching != nil {
					return
				}
				s.most = max(s.most, now)
			}
		}
	})
	from := time.Now()
	s.bytes, err = readSlowly("http://"+p.address+"/api/movies", rate)
	s.took = time.Since(from)
	close(done)
	wait.Wait()
	for _, e := range []error{asking, watching} {
		if err == nil {
			err = e
		}
	}
	return s, err
}

func after(d time.Duration) chan struct{} {
	done := make(chan struct{})
	time.AfterFunc(d, func() { close(done) })
	return done
}

// ask asks for one of so many movies after the other, a hundred times a second.
func (b *bench) ask(p *process, movies int, done chan struct{}) (waits, error) {
	var all waits
	for n := 1; ; n++ {
		select {
		case <-done:
			return all, nil
		default:
		}
		from := time.Now()
		if _, _, err := p.fetch(fmt.Sprintf("/api/movies/%d", n*37%movies+1)); err != nil {
			return nil, err
		}
		all = append(all, time.Since(from))
		time.Sleep(10 * time.Millisecond)
	}
}

// readSlowly reads an answer no faster than rate.
func readSlowly(url string, rate int) (bytes int64, err error) {
	r, err := http.Get(url)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	buf := make([]byte, 64<<10)
	from := time.Now()
	for {
		n, err := r.Body.Read(buf)
		bytes += int64(n)
		if err == io.EOF {
			return bytes, nil
		}
		if err != nil {
			return bytes, err
		}
		if rate > 0 {
			time.Sleep(time.Duration(bytes)*time.Second/time.Duration(rate) - time.Since(from))
		}
	}
}
