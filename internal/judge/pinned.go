package judge

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/drift"
	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// Pinned is a reference that stands beside a history that follows the windows that pass.
// The last windows are held against it together, so that a drift that takes history along
// shows. Its bytes are kept as they came, so that every verdict names the same ones.
type Pinned struct {
	Reference *drift.Reference
	Baseline  *sketch.Profile
	Windows   int            // that it was made of
	Span      feature.Window // from the start of the first to the end of the last of them
	Recent    []drift.WindowProfile

	reference, baseline []byte
}

// NewPinned returns what was made of so many windows of span: a reference's JSON, with
// the merge of its windows over layout. The error is ErrCorrupt if it is none.
func NewPinned(reference, baseline []byte, layout *sketch.Layout, windows int, span feature.Window) (*Pinned, error) {
	p := &Pinned{Reference: new(drift.Reference), Windows: windows, Span: span, reference: reference, baseline: baseline}
	if err := json.Unmarshal(reference, p.Reference); err != nil {
		return nil, fmt.Errorf("pinned reference: %w: %w", ErrCorrupt, err)
	}
	var err error
	if p.Baseline, err = sketch.UnmarshalProfile(baseline, layout); err != nil {
		return nil, fmt.Errorf("pinned baseline: %w: %w", ErrCorrupt, err)
	}
	return p, nil
}

// complete reports whether p can be judged with.
func (p *Pinned) complete() bool {
	return p.Reference != nil && p.Baseline != nil && len(p.Recent) > 0 &&
		!slices.ContainsFunc(p.Recent, func(w drift.WindowProfile) bool { return w.Profile == nil })
}

// pinned returns what e pins, with the windows before the one judged; nil if nothing is
// pinned over its layout, or too few windows passed.
func pinned(e Evidence) *Pinned {
	if e.Pinned == nil || e.Kind != KindWindow || len(e.Current) != 1 || len(e.Recent) < drift.PinnedWindows-1 || e.Pinned.Reference.Layout != e.Layout.Digest() {
		return nil
	}
	p := *e.Pinned
	p.Recent = nil
	for _, w := range e.Recent[len(e.Recent)-drift.PinnedWindows+1:] {
		p.Recent = append(p.Recent, bare(w))
	}
	return &p
}

// away returns the scores of features whose last windows together are away from what is
// pinned, none of which alarmed before, and that v does not alarm on by itself.
func (c *Case) away(v *rules.Verdict) ([]feature.Score, error) {
	if c.Pinned == nil || v.TooFew || c.Current[0].Profile.Profiled() == 0 || c.Current[0].Profile.Backfill() {
		return nil, nil
	}
	since := map[string]time.Time{}
	for key, at := range c.Since { // what alarmed in any way was told of
		if name := strings.TrimPrefix(key, pinnedKey); at.After(since[name]) {
			since[name] = at
		}
	}
	recent := append(slices.Clone(c.Pinned.Recent), bare(c.Current[0]))
	scores, err := c.Pinned.Reference.Pinned(&c.View, c.Layout, recent, c.Pinned.Baseline, c.Level, since)
	if err != nil {
		return nil, err
	}
	scores = slices.DeleteFunc(scores, func(s feature.Score) bool { return alarmed(v, s.Feature) })
	for i := range scores {
		s := &scores[i]
		s.Onset = recent[0].Window.Start
		s.Text = fmt.Sprintf("%s, in the mean of %d windows against the %d pinned ones of %s to %s", s.Text, len(recent), c.Pinned.Windows,
			c.Pinned.Span.Start.UTC().Format(time.RFC3339), c.Pinned.Span.End.UTC().Format(time.RFC3339))
	}
	return scores, nil
}

// headPinned is the JSON form of what is pinned.
type headPinned struct {
	Reference string         `json:"reference"` // blob, as the next
	Baseline  string         `json:"baseline"`  //
	Windows   int            `json:"windows"`
	Span      feature.Window `json:"span"`
	Recent    []headWindow   `json:"recent"`
}

func (p *Pinned) encode(all blobs) (*headPinned, error) {
	h := &headPinned{Reference: all.put(p.reference), Baseline: all.put(p.baseline), Windows: p.Windows, Span: p.Span}
	for _, w := range p.Recent {
		body, err := w.Profile.MarshalBinary()
		if err != nil {
			return nil, err
		}
		h.Recent = append(h.Recent, headWindow{Window: w.Window, Profile: all.put(body)})
	}
	return h, nil
}

// digest names what the windows were held against, and which.
func (p *Pinned) digest() (string, error) {
	h, err := p.encode(blobs{})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(h)
	return nameOf(body), err
}

func (r *reader) pinned(h *headPinned, layout *sketch.Layout) *Pinned {
	p := &Pinned{Windows: h.Windows, Span: h.Span}
	r.read("pinned reference", h.Reference, func(b []byte) error {
		p.reference, p.Reference = b, new(drift.Reference)
		return json.Unmarshal(b, p.Reference)
	})
	r.read("pinned baseline", h.Baseline, func(b []byte) (err error) {
		p.baseline = b
		p.Baseline, err = sketch.UnmarshalProfile(b, layout)
		return err
	})
	for _, w := range h.Recent {
		p.Recent = append(p.Recent, drift.WindowProfile{Window: w.Window, Profile: r.profile(w.Profile, layout)})
	}
	return p
}
