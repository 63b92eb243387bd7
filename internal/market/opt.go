package market

// Opt is an input field that may be left out or be null: PUT changes only the
// fields that it carries, so the three cases differ.
type Opt[T any] struct {
	Set   bool // the field was there
	Null  bool // and it was null; Value is then zero
	Value T
}

// Some is a field that was given.
func Some[T any](v T) Opt[T] { return Opt[T]{Set: true, Value: v} }

// Ptr gives nil for what is absent or null.
func (o Opt[T]) Ptr() *T {
	if !o.Set || o.Null {
		return nil
	}
	return &o.Value
}

// Or gives the field as a pointer when it was there (nil for null), and
// otherwise what is stored.
func (o Opt[T]) Or(stored *T) *T {
	if !o.Set {
		return stored
	}
	return o.Ptr()
}
