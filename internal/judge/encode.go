package judge

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"sluice/drift"
	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// head is the JSON form of a case; blobs are named by the hex SHA-256 of their
// bytes.
type head struct {
	Format    int                  `json:"format"`
	Kind      string               `json:"kind"`
	View      feature.View         `json:"view"`
	Window    feature.Window       `json:"window"`
	Occasion  string               `json:"occasion,omitempty"`
	Versions  []feature.Version    `json:"versions"`
	Layout    string               `json:"layout"` // blob; empty: unbinned
	Current   []headWindow         `json:"current"`
	Baseline  string               `json:"baseline"`  // blob; empty without, as the next two
	Reference string               `json:"reference"` //
	Forest    string               `json:"forest"`    //
	Rules     []rules.Rule         `json:"rules"`
	Memory    rules.Memory         `json:"memory"`
	Level     float64              `json:"level"`
	History   int                  `json:"history"`
	Since     map[string]time.Time `json:"since,omitempty"` // since format 2, as the next
	Slow      *headSlow            `json:"slow,omitempty"`
	Pinned    *headPinned          `json:"pinned,omitempty"` // since format 3
}

type headSlow struct {
	Recent    []headWindow `json:"recent"`
	Reference string       `json:"reference,omitempty"` // blob; empty: the case's own, and so is the baseline
	Baseline  string       `json:"baseline,omitempty"`  // blob
}

type headWindow struct {
	Window  feature.Window `json:"window"`
	Profile string         `json:"profile"` // blob
}

// headFormat is the form of a head. In the first nothing accumulated; its cases are
// judged as they were; in the second nothing was
// pinned beside history; up to the third, reasons came by severity alone; up to the fourth,
// rules had no tags, owner or type.
const headFormat = 5

const steadyFormat = 4

// blobs collects named bytes.
type blobs map[string][]byte

func (b blobs) put(body []byte) string {
	name := nameOf(body)
	b[name] = body
	return name
}

func nameOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Encode returns the case as a head, JSON, and the blobs that it names by the hex
// SHA-256 of their content. Numbers survive exactly.
func (c *Case) Encode() (head []byte, named map[string][]byte, err error) {
	if err := c.check(); err != nil {
		return nil, nil, fmt.Errorf("encode case of %s: %w", c.View.Name, err)
	}
	h, all, err := c.encode()
	if err != nil {
		return nil, nil, fmt.Errorf("encode case of %s: %w", c.View.Name, err)
	}
	if head, err = json.Marshal(h); err != nil {
		return nil, nil, fmt.Errorf("encode case of %s: %w", c.View.Name, err)
	}
	return head, all, nil
}

func (c *Case) encode() (head, blobs, error) {
	all := blobs{}
	h := head{Format: cmp.Or(c.format, headFormat), Kind: c.Kind, View: c.View, Window: c.Window, Occasion: c.Occasion, Versions: c.Versions,
		Rules: c.Rules, Memory: c.Memory, Since: c.Since, Level: c.Level, History: c.History}
	if c.Layout.Digest() != "" {
		body, err := c.Layout.MarshalBinary()
		if err != nil {
			return h, nil, err
		}
		h.Layout = all.put(body)
	}
	for _, w := range c.Current {
		body, err := w.Profile.MarshalBinary()
		if err != nil {
			return h, nil, err
		}
		h.Current = append(h.Current, headWindow{Window: w.Window, Profile: all.put(body)})
	}
	if c.Baseline != nil {
		body, err := c.Baseline.MarshalBinary()
		if err != nil {
			return h, nil, err
		}
		h.Baseline = all.put(body)
	}
	if c.Reference != nil {
		body, err := c.Reference.Bytes()
		if err != nil {
			return h, nil, err
		}
		h.Reference = all.put(body)
	}
	if c.Forest != nil {
		body, err := c.Forest.MarshalBinary()
		if err != nil {
			return h, nil, err
		}
		h.Forest = all.put(body)
	}
	if c.Slow != nil {
		var err error
		if h.Slow, err = c.Slow.encode(all); err != nil {
			return h, nil, err
		}
	}
	if c.Pinned != nil {
		var err error
		if h.Pinned, err = c.Pinned.encode(all); err != nil {
			return h, nil, err
		}
	}
	return h, all, nil
}

func (s *Slow) encode(all blobs) (*headSlow, error) {
	h := &headSlow{}
	for _, w := range s.Recent {
		body, err := w.Profile.MarshalBinary()
		if err != nil {
			return nil, err
		}
		h.Recent = append(h.Recent, headWindow{Window: w.Window, Profile: all.put(body)})
	}
	if s.Reference == nil {
		return h, nil
	}
	body, err := s.Reference.Bytes()
	if err != nil {
		return nil, err
	}
	h.Reference = all.put(body)
	if body, err = s.Baseline.MarshalBinary(); err != nil {
		return nil, err
	}
	h.Baseline = all.put(body)
	return h, nil
}

// digest names what several windows together were judged by.
func (s *Slow) digest() (string, error) {
	all := blobs{}
	h, err := s.encode(all)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(h)
	return nameOf(body), err
}

// digests names what the verdict was computed from.
func (c *Case) digests(merged *sketch.Profile) (map[string]string, error) {
	out := map[string]string{"current": merged.Digest()}
	if c.Baseline != nil {
		out["baseline"] = c.Baseline.Digest()
	}
	if c.Reference != nil {
		body, err := c.Reference.Bytes()
		if err != nil {
			return nil, err
		}
		out["reference"] = nameOf(body)
	}
	if c.Forest != nil {
		body, err := c.Forest.MarshalBinary()
		if err != nil {
			return nil, err
		}
		out["forest"] = nameOf(body)
	}
	if c.Slow != nil {
		name, err := c.Slow.digest()
		if err != nil {
			return nil, err
		}
		out["slow"] = name
	}
	if c.Pinned != nil {
		name, err := c.Pinned.digest()
		if err != nil {
			return nil, err
		}
		out["pinned"] = name
	}
	return out, nil
}

// DecodeCase reads what Encode wrote; blob returns the bytes of a name. The error
// is ErrCorrupt if the head is no case, or a blob is not what its name says; an
// error of blob is passed on.
func DecodeCase(text []byte, blob func(digest string) ([]byte, error)) (*Case, error) {
	var h head
	if err := json.Unmarshal(text, &h); err != nil || h.Format < 1 || h.Format > headFormat {
		return nil, fmt.Errorf("decode case: head: %w", ErrCorrupt)
	}
	c := &Case{format: h.Format, Kind: h.Kind, View: h.View, Window: h.Window, Occasion: h.Occasion, Versions: h.Versions, Rules: h.Rules, Memory: h.Memory, Since: h.Since, Level: h.Level, History: h.History}
	r := reader{blob: blob}
	c.Layout = r.layout(h.Layout, &c.View)
	for _, w := range h.Current {
		c.Current = append(c.Current, drift.WindowProfile{Window: w.Window, Profile: r.profile(w.Profile, c.Layout)})
	}
	if h.Baseline != "" {
		c.Baseline = r.profile(h.Baseline, c.Layout)
	}
	if h.Reference != "" {
		c.Reference = new(drift.Reference)
		r.read("reference", h.Reference, func(b []byte) error { return json.Unmarshal(b, c.Reference) })
	}
	if h.Forest != "" {
		c.Forest = new(drift.Joint)
		r.read("forest", h.Forest, c.Forest.UnmarshalBinary)
	}
	if h.Slow != nil {
		c.Slow = r.slow(h.Slow, c.Layout)
	}
	if h.Pinned != nil {
		c.Pinned = r.pinned(h.Pinned, c.Layout)
	}
	if r.err != nil {
		return nil, fmt.Errorf("decode case of %s: %w", h.View.Name, r.err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("decode case of %s: %w: %w", h.View.Name, ErrCorrupt, err)
	}
	return c, nil
}

// reader fetches blobs until the first error.
type reader struct {
	blob func(digest string) ([]byte, error)
	err  error
}

// read fetches a blob, checks its name and decodes it.
func (r *reader) read(what, name string, decode func([]byte) error) {
	if r.err != nil {
		return
	}
	body, err := r.blob(name)
	switch {
	case err != nil:
		r.err = fmt.Errorf("%s %s: %w", what, name, err)
	case nameOf(body) != name:
		r.err = fmt.Errorf("%s: content is not that of %s: %w", what, name, ErrCorrupt)
	default:
		if err := decode(body); err != nil {
			r.err = fmt.Errorf("%s %s: %w: %w", what, name, ErrCorrupt, err)
		}
	}
}

func (r *reader) slow(h *headSlow, layout *sketch.Layout) *Slow {
	s := &Slow{}
	for _, w := range h.Recent {
		s.Recent = append(s.Recent, drift.WindowProfile{Window: w.Window, Profile: r.profile(w.Profile, layout)})
	}
	if h.Reference != "" {
		s.Reference = new(drift.Reference)
		r.read("slow reference", h.Reference, func(b []byte) error { return json.Unmarshal(b, s.Reference) })
		s.Baseline = r.profile(h.Baseline, layout)
	}
	return s
}

func (r *reader) layout(name string, view *feature.View) *sketch.Layout {
	if name == "" {
		return sketch.Unbinned(view)
	}
	var layout *sketch.Layout
	r.read("layout", name, func(b []byte) (err error) {
		layout, err = sketch.UnmarshalLayout(b)
		return err
	})
	return layout
}

func (r *reader) profile(name string, layout *sketch.Layout) *sketch.Profile {
	var profile *sketch.Profile
	r.read("profile", name, func(b []byte) (err error) {
		profile, err = sketch.UnmarshalProfile(b, layout)
		return err
	})
	return profile
}
