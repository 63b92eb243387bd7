package gateway

import "io"

// Element is one element of a Forwarded header.
type Element = hop

// ParseForwarded reads a Forwarded header.
var ParseForwarded = parseForwarded

// Views makes views of one body.
func Views(src io.Reader) (view func() (io.ReadCloser, error)) { return newBody(src, -1).view }
