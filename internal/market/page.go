package market

import "iter"

// Page asks for one page of a list, or, with Limit 0, for all of it.
type Page struct {
	Limit int   // 1 to 1000, or 0 for the whole collection
	After int64 // the id after which to go on; 0 from the start
}

// MaxLimit is the largest page that may be asked for.
const MaxLimit = 1000

// Chunk is how many rows a list is read at a time when it is streamed: each
// chunk is closed before it is written out, so a slow reader holds nothing.
const Chunk = 500

// Chunks walks a list in id order, a chunk at a time. With a limit it ends
// after that many; without one it goes on until fetch gives fewer than it was
// asked for. Fetch gives up to limit rows with ids above after, and has closed
// its rows when it returns. The first error ends the walk.
func Chunks[T any](page Page, id func(T) int64, fetch func(after int64, limit int) ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		after, left := page.After, page.Limit
		for {
			ask := Chunk
			if page.Limit > 0 {
				ask = min(ask, left)
			}
			rows, err := fetch(after, ask)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
				after = id(row)
			}
			left -= len(rows)
			if len(rows) < ask || (page.Limit > 0 && left == 0) {
				return
			}
		}
	}
}
