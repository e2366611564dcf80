package feature

import (
	"slices"
	"strings"
)

// Computed is a value that is made when it is read: of the view's features and of
// values that come with the request. It is neither stored nor profiled.
type Computed struct {
	Name        string `json:"name"`
	Type        Type   `json:"type"` // any but json
	Expr        string `json:"expr"` // CEL; package expression says over what
	Unit        string `json:"unit,omitempty"`
	Description string `json:"description,omitempty"`
	// Reads names the view's features that it is made of, itself or by way of other
	// computed ones, in the view's order. It follows from Expr, and is filled in when
	// definitions are read.
	Reads []string `json:"reads,omitempty"`
}

// ComputedAt returns the position of the computed feature of that name; -1 if there is
// none.
func (v *View) ComputedAt(name string) int {
	return slices.IndexFunc(v.Computed, func(c Computed) bool { return c.Name == name })
}

// Readers returns the services as readers of what is stored: with the features that
// computed ones are made of in place of those.
func (d *Definitions) Readers() []Service {
	if !slices.ContainsFunc(d.Views, func(v View) bool { return len(v.Computed) > 0 }) {
		return d.Services
	}
	out := slices.Clone(d.Services)
	for i := range out {
		var refs []string
		for _, ref := range out[i].Features {
			refs = append(refs, d.stored(ref)...)
		}
		slices.Sort(refs)
		out[i].Features = slices.Compact(refs)
	}
	return out
}

// stored returns the features that view:feature is made of; itself if it is stored.
func (d *Definitions) stored(ref string) []string {
	name, of, _ := strings.Cut(ref, ":")
	v := d.View(name)
	if v == nil {
		return []string{ref}
	}
	at := v.ComputedAt(of)
	if at < 0 {
		return []string{ref}
	}
	refs := make([]string, len(v.Computed[at].Reads))
	for i, read := range v.Computed[at].Reads {
		refs[i] = name + ":" + read
	}
	return refs
}
