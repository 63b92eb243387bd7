package demo

import (
	"bytes"
	"compress/gzip"
	_ "embed" // films.csv.gz
	"encoding/csv"
	"fmt"
	"iter"
	"strings"
	"time"
)

//go:generate go run ./gen package/data/movies.json films.csv.gz

// films has a row for each film, oldest first, with the columns of filmRow;
// what is not known is empty. NOTICE.md says where it comes from.
//
//go:embed films.csv.gz
var films []byte

// Film is a real film.
type Film struct {
	Title       string `json:"title"`
	Description string `json:"description"` // two sentences of what is known
}

// filmRow is a row of the embedded table.
type filmRow struct {
	title, released, rating, minutes, distributor, after, genre, kind, director, tomatoes, imdb string
}

// Films gives some 3,200 films by the date of their release. They are unpacked
// as they are asked for.
func (d *Data) Films() iter.Seq[Film] {
	return func(yield func(Film) bool) {
		packed, err := gzip.NewReader(bytes.NewReader(films))
		if err != nil {
			panic(err) // part of the binary, and read whole by a test
		}
		rows := csv.NewReader(packed)
		rows.ReuseRecord = true
		for {
			row, err := rows.Read()
			if err != nil {
				return // the end; a test counts the films
			}
			f := filmRow{row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9], row[10]}
			// a copy, because the row's text holds all columns
			if !yield(Film{Title: strings.Clone(f.title), Description: f.describe()}) {
				return
			}
		}
	}
}

var genres = map[string]string{
	"Drama": "drama", "Comedy": "comedy", "Action": "action film", "Adventure": "adventure film",
	"Thriller/Suspense": "thriller", "Horror": "horror film", "Romantic Comedy": "romantic comedy",
	"Musical": "musical", "Documentary": "documentary", "Western": "western", "Black Comedy": "black comedy",
	"Concert/Performance": "concert film",
}

var kinds = map[string]string{
	"Historical Fiction": "historical ", "Fantasy": "fantasy ", "Science Fiction": "science fiction ",
	"Kids Fiction": "children's ", "Super Hero": "superhero ",
}

var origins = map[string]string{
	"Based on Book/Short Story": "after a book or short story", "Based on Real Life Events": "drawn from real events",
	"Remake": "a remake", "Based on TV": "grown out of a television series", "Based on Play": "after a stage play",
	"Based on Comic/Graphic Novel": "after a comic or graphic novel", "Based on Game": "after a game",
	"Traditional/Legend/Fairytale": "after an old tale", "Based on Magazine Article": "after a magazine article",
	"Based on Musical/Opera": "after a musical or an opera", "Based on Short Film": "grown out of a short film",
	"Spin-Off": "a spin-off", "Based on Factual Book/Article": "after a true account",
	"Disney Ride": "after a ride in a theme park", "Based on Toy": "after a toy", "Compilation": "a compilation",
}

// describe says what is known in two sentences, the second of which may be missing.
func (f filmRow) describe() string {
	genre := genres[f.genre]
	if genre == "" {
		genre = "film"
	}
	genre = kinds[f.kind] + genre
	article := "A "
	if strings.IndexByte("aeio", genre[0]) >= 0 {
		article = "An "
	}
	var s strings.Builder
	s.WriteString(article + genre)
	if f.director != "" {
		s.WriteString(" by " + f.director + ",")
	}
	if o := origins[f.after]; o != "" {
		if f.director == "" {
			s.WriteByte(',')
		}
		s.WriteString(" " + o + ",")
	}
	day, err := time.Parse(time.DateOnly, f.released)
	if err != nil {
		panic(fmt.Sprintf("release of %q: %v", f.title, err)) // see Films
	}
	s.WriteString(" released on " + day.Format("2 January 2006"))
	if f.distributor != "" && f.distributor != "Distributor Unknown" {
		s.WriteString(" by " + f.distributor)
	}
	if !strings.HasSuffix(f.distributor, ".") {
		s.WriteByte('.')
	}
	var facts []string
	if f.rating == "Not Rated" {
		facts = append(facts, "not rated")
	} else if f.rating != "" && f.rating != "Open" {
		facts = append(facts, "rated "+f.rating)
	}
	if f.minutes != "" {
		facts = append(facts, f.minutes+" minutes long")
	}
	if f.imdb != "" {
		facts = append(facts, f.imdb+" of 10 on IMDb")
	}
	if f.tomatoes != "" {
		facts = append(facts, f.tomatoes+"% on Rotten Tomatoes")
	}
	if len(facts) > 0 {
		second := strings.Join(facts, ", ")
		s.WriteString(" " + strings.ToUpper(second[:1]) + second[1:] + ".")
	}
	return s.String()
}
