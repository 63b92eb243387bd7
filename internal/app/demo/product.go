package demo

import (
	"iter"
	"math/rand/v2"
)

// Product is a face of Unicode art. Price is in cents, size in points.
type Product struct {
	ID    int    `json:"id"`
	Face  string `json:"face"`
	Size  int    `json:"size"`
	Price int    `json:"price"`
}

const productCount = 200

// The parts of a face, from the outside in. Some signs combine with the one
// before them, so a face must not be normalized, or cut between code points.
var (
	arms   = [][2]string{{"", ""}, {"", ""}, {"", ""}, {"ヽ", "ﾉ"}, {"ᕙ", "ᕗ"}, {"╰", "╯"}, {"୧", "୨"}, {"¯\\_", "_/¯"}, {"ლ", "ლ"}, {"(づ", ""}, {"٩", "۶"}, {"", "⊃━☆ﾟ.*"}, {"", "︵ ┻━┻"}, {"~", "~"}}
	heads  = [][2]string{{"(", ")"}, {"(", ")"}, {"(", ")"}, {"ʕ", "ʔ"}, {"[", "]"}, {"|", "|"}, {"⎩", "⎭"}, {"〳", "〵"}, {"(=", "=)"}}
	cheeks = []string{"", "", "", "｡", "✿", "*", "๑", "♡", " "}
	eyes   = [][2]string{{"◕", "◕"}, {"•", "•"}, {"•̀", "•́"}, {"ಠ", "ಠ"}, {"ʘ", "ʘ"}, {"◉", "◉"}, {"≧", "≦"}, {"^", "^"}, {"⌐■", "■"}, {"ˇ", "ˇ"}, {"ಥ", "ಥ"}, {"°", "°"}, {"͡°", " ͡°"}, {"✧", "✧"}, {"¬", "¬"}, {"˘", "˘"}, {"⊙", "⊙"}, {"눈", "눈"}, {"╥", "╥"}, {"$", "$"}}
	mouths = []string{"‿", "ω", "_", "ᴥ", "▽", "д", "益", "ε", "‸", "︿", "͜ʖ", "ᗜ", "∀", "ヮ", "﹏", "o", "3", "-"}
)

// Products gives two hundred different ones.
func (d *Data) Products() iter.Seq[Product] {
	return func(yield func(Product) bool) {
		r := d.random("products")
		taken := map[string]bool{}
		for n := range productCount {
			f := face(r)
			for taken[f] {
				f = face(r)
			}
			taken[f] = true
			if !yield(Product{ID: n + 1, Face: f, Size: 12 + r.IntN(29), Price: 49 + 50*r.IntN(40)}) {
				return
			}
		}
	}
}

func face(r *rand.Rand) string {
	arm, head, cheek, eye := pick(r, arms), pick(r, heads), pick(r, cheeks), pick(r, eyes)
	return arm[0] + head[0] + cheek + eye[0] + pick(r, mouths) + eye[1] + cheek + head[1] + arm[1]
}
