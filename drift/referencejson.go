package drift

import "encoding/json"

// firstReference has the members of references of method 1 in the order in which they were
// written: verdicts name references by the digest of their bytes.
type firstReference struct {
	Layout     string             `json:"layout"`
	Windows    int                `json:"windows"`
	Words      int                `json:"words,omitempty"`
	MedianRows float64            `json:"median_rows"`
	Borrowed   bool               `json:"borrowed,omitempty"`
	Volume     *Spread            `json:"volume,omitempty"`
	Features   []FeatureReference `json:"features"`
	Facets     []firstFacet       `json:"facets,omitempty"`
}

type firstFacet struct {
	ID        uint32         `json:"id"`
	Reference firstReference `json:"reference"`
}

func (r *Reference) first() firstReference {
	out := firstReference{Layout: r.Layout, Windows: r.Windows, Words: r.Words, MedianRows: r.MedianRows, Borrowed: r.Borrowed, Volume: r.Volume, Features: r.Features}
	for i := range r.Facets {
		out.Facets = append(out.Facets, firstFacet{r.Facets[i].ID, r.Facets[i].Reference.first()})
	}
	return out
}

// Bytes returns r as JSON: the bytes that references of its method always had, by whose
// digest verdicts name it.
func (r *Reference) Bytes() ([]byte, error) {
	if r.Method < weighted {
		return json.Marshal(r.first())
	}
	return json.Marshal(r)
}
