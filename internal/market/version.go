package market

import "slices"

// IfMatch is the precondition of a change: the versions that the caller takes
// for current. The zero value is no precondition.
type IfMatch struct {
	Given    bool    // the request carried If-Match
	Any      bool    // it was "*": whatever version, as long as there is one
	Versions []int64 // the versions named; none of ours when it was given and this is empty
}

// Check refuses as [Stale] when the stored version is not among those named.
func (m IfMatch) Check(version int64) error {
	if !m.Given || m.Any {
		return nil
	}
	if slices.Contains(m.Versions, version) {
		return nil
	}
	return Refuse(Stale, "changed_meanwhile", "it has changed since: read it again, and repeat the request with its new ETag")
}
