package quality

import (
	"fmt"
	"strings"

	"sluice/feature"
)

// Fault is one expectation of a view that makes no sense.
type Fault struct {
	View        string
	Feature     string // empty: one of the view's own
	Expectation string // name of the view's own
	Key         string // within the feature's expect or the view's expectation
	Err         error
}

// Error names view, feature and what is wrong.
func (f *Fault) Error() string {
	if f.Feature != "" {
		return fmt.Sprintf("view %s: feature %s: %v", f.View, f.Feature, f.Err)
	}
	return fmt.Sprintf("view %s: expectation %s: %v", f.View, f.Expectation, f.Err)
}

// Unwrap returns ErrExpect and the cause.
func (f *Fault) Unwrap() []error { return []error{ErrExpect, f.Err} }

// Text is what is wrong, without the place.
func (f *Fault) Text() string {
	return strings.TrimSuffix(strings.TrimPrefix(f.Err.Error(), f.Key+": "), ": "+ErrExpect.Error())
}

// Faults are all of a view, in the order of its features. It is never empty where it
// is returned as an error.
type Faults []*Fault

// Error returns one fault a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the faults.
func (f Faults) Unwrap() []error {
	errs := make([]error, len(f))
	for i := range f {
		errs[i] = f[i]
	}
	return errs
}

// keyed is a problem of one key.
type keyed struct {
	key string
	err error
}

func (k *keyed) Error() string { return k.err.Error() }
func (k *keyed) Unwrap() error { return k.err }

// fault names the key that err is about.
func fault(key string, err error) error { return &keyed{key, err} }

// add takes over problems of the feature at that place, or of an expectation.
func (f *Faults) add(view *feature.View, at int, expectation string, errs []error) {
	for _, err := range errs {
		one := &Fault{View: view.Name, Expectation: expectation, Err: err}
		if at >= 0 {
			one.Feature = view.Features[at].Name
		}
		if k, ok := err.(*keyed); ok {
			one.Key, one.Err = k.key, k.err
		}
		*f = append(*f, one)
	}
}
