package materialize

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sluice/feature"
)

// Reference is what stands beside a history that follows the windows that pass: what
// the judge knew of the first full one, over a layout. A drift that is slow enough to
// take history along shows against it. The gate pins it by itself, after every decision
// about the baseline that starts history anew.
type Reference struct {
	Layout    string    `json:"-"`
	Under     int       `json:"under"` // number of the decision that the history began with; 0: it is the view's first
	Windows   int       `json:"windows"`
	From      time.Time `json:"from"` // start of the first window
	To        time.Time `json:"to"`   // end of the last
	Reference []byte    `json:"reference"`
	Baseline  []byte    `json:"baseline"` // merge of the windows
	At        time.Time `json:"-"`
}

// BesideStatus is what stands beside history, or will.
type BesideStatus struct {
	Windows int       `json:"windows"` // that it was made of; 0: nothing is pinned yet
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`
	At      time.Time `json:"at,omitzero"`       // when it was pinned
	Missing int       `json:"missing,omitempty"` // windows until it is
}

const (
	referenceSpan  = 7 * 24 * time.Hour // what a reference should cover: a season of weeks
	referenceLeast = 28                 // windows, if baseline.windows does not ask for fewer
)

// referenceWindows is how many windows of history make it full: those of a week, at
// least 28, and never more than the view keeps. Until there are as many nothing leaves
// history that came in since it began, unless a view keeps less.
func referenceWindows(view *feature.View) int {
	n := referenceLeast
	if size := view.Window.Size; size > 0 {
		n = max(n, int(referenceSpan/size))
	}
	if keep := view.Baseline.Windows; keep > 0 {
		n = min(n, keep)
	}
	return n
}

// moves reports whether history follows the windows that pass.
func (b *Book) moves() bool {
	return b.view.Baseline.From != basePinned && b.view.Baseline.From != baseDataset && (b.anchor == nil || b.anchor.Kind == baseAccepted)
}

// refer returns the reference that is due now; nil if none is. The judge's opinion holds
// what it knows of the history of e.
func (c *candidate) refer(e Evidence, o Opinion) (*Reference, error) {
	b := c.book
	if b.reference != nil || !b.moves() || b.wants(0) || len(e.History) < referenceWindows(b.view) {
		return nil, nil
	}
	if sum := sha256.Sum256(o.Spread); o.Verdict.Digests["reference"] != hex.EncodeToString(sum[:]) {
		return nil, nil // that of the verdict is none, or has borrowed its spread
	}
	body, err := e.Baseline.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("encode the baseline of %s: %w", b.view.Name, err)
	}
	return &Reference{Layout: b.layout().Digest(), Under: b.under, Windows: len(e.History), From: e.History[0].Window.Start, To: e.History[len(e.History)-1].Window.End,
		Reference: o.Spread, Baseline: body, At: c.desk.now}, nil
}

// row is the record of r.
func (r *Reference) row(now time.Time) *feature.BaselineRow {
	return &feature.BaselineRow{Kind: baseReference, From: r.From, Layout: r.Layout, By: byGate, At: now, Body: mustJSON(r),
		Reason: fmt.Sprintf("the first full history, %d windows up to %s, stands beside what follows", r.Windows, r.To.UTC().Format(time.RFC3339))}
}

// under returns the number of the decision in force that began history; 0 if none did.
func (s *standing) under() int {
	for _, at := range slices.Backward(s.stack) {
		if s.rows[at].Kind == baseAccepted {
			return at + 1
		}
	}
	return 0
}

// referenceAt returns the position of the record of what stands beside a book; -1
// without one.
func (s *standing) referenceAt(b *Book) int {
	if !b.moves() {
		return -1
	}
	for i, row := range slices.Backward(s.rows) {
		if row.Kind != baseReference || row.Layout != b.layout().Digest() {
			continue
		}
		var r struct{ Under int }
		if json.Unmarshal(row.Body, &r) == nil && r.Under == s.under() {
			return i
		}
	}
	return -1
}

// reference returns what stands beside a book; nil if nothing does.
func (s *standing) reference(b *Book) (*Reference, error) {
	b.under = s.under()
	at := s.referenceAt(b)
	if at < 0 {
		return nil, nil
	}
	row := &s.rows[at]
	r := &Reference{Layout: row.Layout, At: row.At}
	if err := json.Unmarshal(row.Body, r); err != nil {
		return nil, fmt.Errorf("reference pinned at %s: %w: %w", row.At.Format(time.RFC3339), feature.ErrCorrupt, err)
	}
	return r, nil
}

// beside says what stands beside a book with so many windows of history.
func (b *Book) beside(windows int) *BesideStatus {
	switch r := b.reference; {
	case !b.moves():
		return nil
	case r != nil:
		return &BesideStatus{Windows: r.Windows, From: r.From, To: r.To, At: r.At}
	}
	return &BesideStatus{Missing: max(0, referenceWindows(b.view)-windows)}
}
