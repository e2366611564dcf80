package sketch

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"sluice/feature"
)

// Dimension is something that a view's rows are told apart by, so that a shift can be
// attributed: a header of their records, or a column that the view declares as a slice.
type Dimension struct {
	Kind DimensionKind
	Name string
}

// DimensionKind says where a dimension's values come from.
type DimensionKind uint8

// The kinds. Headers are dimensions by themselves, where records carry them.
const (
	HeaderDimension DimensionKind = 1 + iota // name producer or schema
	SliceDimension                           // a feature or join key
)

// The headers that are dimensions.
var (
	ProducerDimension = Dimension{HeaderDimension, "producer"}
	SchemaDimension   = Dimension{HeaderDimension, "schema"}
)

// maxDimensions is the most dimensions of a profile: the two headers, and the slices of
// the definitions that its parts were made under.
const maxDimensions = 64

func compareDimensions(a, b Dimension) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}

// maxTagText is how long a cut text can be once bytes that are no UTF-8 are replaced.
const maxTagText = 3 * MaxText

// Tag is what a sampled row says in one dimension. A row without a value there has no
// tag. Text is cut to MaxText bytes.
type Tag struct {
	Dimension
	Text string

	mark uint64 // keyed hash of the whole text
}

// place is where a view's writes have the value of a slice.
type place struct {
	of     Dimension
	key    bool // a join key, else a feature
	at     int
	column feature.Type
}

// placesOf returns where view's slices are, in the order of dimensions. Names that it
// does not know are left out.
func placesOf(view *feature.View) (places []place) {
	for _, name := range view.Slices {
		at := place{of: Dimension{SliceDimension, name}}
		if at.at = view.FeatureAt(name); at.at >= 0 {
			at.column = view.Features[at.at].Type
		} else if at.at = slices.IndexFunc(view.Entities, func(e feature.Entity) bool { return e.Name == name }); at.at >= 0 {
			at.key, at.column = true, view.Entities[at.at].Type
		} else {
			continue
		}
		places = append(places, at)
	}
	slices.SortFunc(places, func(a, b place) int { return compareDimensions(a.of, b.of) })
	return slices.CompactFunc(places, func(a, b place) bool { return a.of == b.of })
}

// spoken is the text that a write has in a dimension.
type spoken struct {
	of   Dimension
	text string
}

// speak appends what w says in the headers' dimensions and at places, in the order of
// dimensions.
func speak(to []spoken, w *feature.Write, places []place) []spoken {
	if w.Producer != "" {
		to = append(to, spoken{ProducerDimension, w.Producer})
	}
	if w.Schema != "" {
		to = append(to, spoken{SchemaDimension, w.Schema})
	}
	var keys []feature.Value
	for i := range places {
		p := &places[i]
		var v feature.Value
		switch {
		case !p.key && p.at < len(w.Values):
			v = w.Values[p.at]
		case p.key:
			if keys == nil {
				keys, _ = w.Key.Values() // a key that cannot be read names no slice
			}
			if p.at < len(keys) {
				v = keys[p.at]
			}
		}
		if text, ok := sliceText(&v); ok {
			to = append(to, spoken{p.of, text})
		}
	}
	return to
}

// sliceText returns the text of a slice's value; false if it is null or of a type that
// no slice has.
func sliceText(v *feature.Value) (string, bool) {
	switch t, raw := feature.Peek(v); t {
	case feature.String:
		return feature.PeekText(v), true
	case feature.Bool:
		return strconv.FormatBool(raw&1 == 1), true
	case feature.Int32, feature.Int64:
		return strconv.FormatInt(int64(raw), 10), true
	}
	return "", false
}

// tags returns what a sample keeps of what a write says.
func (h *hasher) tags(said []spoken) []Tag {
	if len(said) == 0 {
		return nil
	}
	tags := make([]Tag, len(said))
	for i, s := range said {
		tags[i] = Tag{Dimension: s.of, Text: strings.Clone(shown(s.text)), mark: h.text(s.text)}
	}
	return tags
}

// Tag returns what the row says in a dimension; "" and false if nothing.
func (r *SampleRow) Tag(of Dimension) (text string, ok bool) {
	t := r.tag(of)
	if t == nil {
		return "", false
	}
	return t.Text, true
}

func (r *SampleRow) tag(of Dimension) *Tag {
	for i := range r.Tags {
		if r.Tags[i].Dimension == of {
			return &r.Tags[i]
		}
	}
	return nil
}

// Says returns what a write says in a dimension, as a sample's tags and a layout's values
// show it; false if nothing.
func Says(w *feature.Write, of Dimension) (text string, ok bool) {
	for _, s := range speak(nil, w, placesOf(w.View)) {
		if s.of == of {
			return shown(s.text), true
		}
	}
	return "", false
}

// shown is a value of a dimension as people see it.
func shown(text string) string { return strings.ToValidUTF8(Cut(text), "�") }
