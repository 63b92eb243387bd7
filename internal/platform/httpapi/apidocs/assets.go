package apidocs

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed assets
var embedded embed.FS

var mediaTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// assets are the files that the pages load. Their addresses change with their
// content, so that browsers may keep them for good.
type assets struct {
	version string
	files   map[string]asset // by the name they are asked for
}

type asset struct {
	body    []byte
	media   string
	gzipped bool
}

func openAssets() (*assets, error) {
	a := &assets{files: map[string]asset{}}
	sum := sha256.New()
	entries, err := fs.ReadDir(embedded, "assets")
	if err != nil {
		return nil, fmt.Errorf("read the embedded pages: %w", err)
	}
	for _, e := range entries {
		body, err := fs.ReadFile(embedded, "assets/"+e.Name())
		if err != nil {
			return nil, fmt.Errorf("read the embedded pages: %w", err)
		}
		name, gzipped := strings.CutSuffix(e.Name(), ".gz")
		media, ok := mediaTypes[path.Ext(name)]
		if !ok {
			continue
		}
		_, _ = sum.Write(body)
		a.files[name] = asset{body: body, media: media, gzipped: gzipped}
	}
	a.version = hex.EncodeToString(sum.Sum(nil)[:6])
	return a, nil
}

func (a *assets) prefix() string { return "/docs/assets/" + a.version + "/" }

// ServeHTTP answers with a file. What is stored compressed is sent so, and
// unpacked on the way for the rare client that does not take it.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.media)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	if !f.gzipped {
		h.Set("Content-Length", strconv.Itoa(len(f.body)))
		_, _ = w.Write(f.body)
		return
	}
	h.Set("Vary", "Accept-Encoding")
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(f.body)))
		_, _ = w.Write(f.body)
		return
	}
	plain, err := gzip.NewReader(bytes.NewReader(f.body))
	if err != nil {
		http.Error(w, "the embedded file is damaged", http.StatusInternalServerError)
		return
	}
	_, _ = io.Copy(w, plain)
}

// acceptsGzip reads Accept-Encoding: gzip is welcome when it or "*" is named
// with a weight above 0.
func acceptsGzip(headers []string) bool {
	welcome := false
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		coding, weight, _ := strings.Cut(strings.ReplaceAll(part, " ", ""), ";")
		positive := strings.Trim(strings.TrimPrefix(strings.ToLower(weight), "q="), "0.") != "" || weight == ""
		switch strings.ToLower(coding) {
		case "gzip":
			return positive
		case "*":
			welcome = positive
		}
	}
	return welcome
}
