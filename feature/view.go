package feature

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ViewID and feature ids come from the registry when a definition is first
// applied; they are never used again for another name or type.
type ViewID uint32

// Entity is a join key of a view.
type Entity struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
}

// Feature is one column of a view.
type Feature struct {
	ID          uint32 `json:"id"`
	Name        string `json:"name"`
	Type        Type   `json:"type"`
	Unit        string `json:"unit,omitempty"`
	Description string `json:"description,omitempty"`
	Expect      Expect `json:"expect"`
	// TTL is how long after its event time a value counts; 0: as long as the view's.
	TTL time.Duration `json:"ttl,omitempty"`
	// Importance is its weight in the score of its view and of services; 0 is 1. It moves
	// no verdict.
	Importance float64 `json:"importance,omitempty"`
	// Default is a value of Type as JSON, which a read of policy default gives in place of
	// one that is too old; empty is none, and then null.
	Default json.RawMessage `json:"default,omitempty"`
	// NotFinite is one of NotFinitePolicies: what becomes of a float that is not-a-number or
	// infinite; empty is NotFinitePass.
	NotFinite string `json:"not_finite,omitempty"`
}

// MaxImportance is the greatest importance of a feature.
const MaxImportance = 1000

// Weight returns the feature's importance.
func (f *Feature) Weight() float64 {
	if f.Importance == 0 {
		return 1
	}
	return f.Importance
}

// Source says where a view's writes come from.
type Source struct {
	Topic     string            `json:"topic"`         // empty: the default topic, whose records name their view
	Format    string            `json:"format"`        // json
	EventTime string            `json:"event_time"`    // column of the event time in flat records
	Map       map[string]string `json:"map,omitempty"` // join key or feature name to column
}

// Mode says when a version becomes visible.
type Mode string

const (
	Gated      Mode = "gated"      // once it has passed
	Optimistic Mode = "optimistic" // from its first row; taken off if it fails
)

// Publish is a view's publishing policy.
type Publish struct {
	Mode                Mode   `json:"mode"`
	ProbationWindows    int    `json:"probation_windows"`      // windows judged after it before a version is certified
	ProbationFail       int    `json:"probation_fail"`         // failures among them that roll it back
	Hold                int    `json:"hold"`                   // windows judged after it before a held version expires
	MaxRollbacksPerHour int    `json:"max_rollbacks_per_hour"` // more freeze the view
	OnStaleRollback     string `json:"on_stale_rollback"`      // serve | freeze | refuse
}

// Freshness holds the ages of the newest event time at which a view is late; 0
// is never.
type Freshness struct {
	Warn     time.Duration `json:"warn"`
	Page     time.Duration `json:"page"`
	Critical time.Duration `json:"critical"`
}

// Baseline says what a window is compared with.
type Baseline struct {
	From    string   `json:"from"`              // trailing | pinned | dataset
	Windows int      `json:"windows"`           // trailing: how many passed windows
	Season  []string `json:"season,omitempty"`  // hour_of_day, day_of_week
	Version Version  `json:"version,omitempty"` // pinned
	Dataset string   `json:"dataset,omitempty"` // dataset: a file
}

// View is a feature view: rows of features, one per entity key.
type View struct {
	ID       ViewID    `json:"id"`
	Project  string    `json:"project"`
	Name     string    `json:"name"`
	Entities []Entity  `json:"entities"`
	Features []Feature `json:"features"`
	// Context names the values that a request may bring for Computed, by name.
	Context  map[string]Type `json:"context,omitempty"`
	Computed []Computed      `json:"computed,omitempty"`
	// Expect is of rows and windows as a whole.
	Expect []Expectation `json:"expect,omitempty"`
	// Slices names up to MaxSlices features or join keys of type string, bool, int32 or
	// int64 by whose values shifts are attributed.
	Slices      []string          `json:"slices,omitempty"`
	Owner       string            `json:"owner,omitempty"`
	Description string            `json:"description,omitempty"`
	Compliance  string            `json:"compliance,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	// Online names the online store of the view's rows; empty is DefaultOnline. It stays
	// what it was when the view was first applied.
	Online string `json:"online,omitempty"`
	// Group names the group of views whose rows lie together with the view's, by entity;
	// empty is none. It stays what it was when the view was first applied.
	Group     string        `json:"group,omitempty"`
	Source    Source        `json:"source"`
	TTL       time.Duration `json:"ttl"` // 0: rows never expire
	Window    WindowSpec    `json:"window"`
	Publish   Publish       `json:"publish"`
	Freshness Freshness     `json:"freshness"`
	Baseline  Baseline      `json:"baseline"`
	// Calendar lists times that are judged, and are neither blocked on drift nor history.
	Calendar []Occasion `json:"calendar,omitempty"`
}

// MaxSlices is the most slices of a view.
const MaxSlices = 4

// TTLOf returns how long after its event time a value of the feature at position i
// counts; 0 is for ever.
func (v *View) TTLOf(i int) time.Duration {
	if ttl := v.Features[i].TTL; ttl > 0 {
		return ttl
	}
	return v.TTL
}

// LongestTTL returns how long any value of the view counts; 0 is for ever.
func (v *View) LongestTTL() time.Duration {
	longest := v.TTL
	for i := range v.Features {
		ttl := v.TTLOf(i)
		if ttl == 0 {
			return 0
		}
		longest = max(longest, ttl)
	}
	return longest
}

// FeatureAt returns the position of the feature of that name; -1 if there is none.
func (v *View) FeatureAt(name string) int {
	return slices.IndexFunc(v.Features, func(f Feature) bool { return f.Name == name })
}

// Service is a named list of features, as view:feature, that a model reads.
type Service struct {
	Name     string   `json:"name"`
	Features []string `json:"features"`
	Priority string   `json:"priority,omitempty"` // under overload: one of ServicePriorities; empty is default
	// Precompute asks for one record for each entity with the rows of all views of the service.
	Precompute bool `json:"precompute,omitempty"`
}

// ServicePriorities are the words that Service.Priority may have beside none, highest first.
var ServicePriorities = []string{"critical", "default", "sheddable"}

// Definitions is everything that one apply puts in force. Rules is the text of
// the rules file, which package rules reads.
type Definitions struct {
	Project string `json:"project"`
	// AlertsPerWeek is the alert budget of the project: how many incidents a week may be
	// false alarms. 0 is the default, rules.DefaultAlertsPerWeek.
	AlertsPerWeek float64    `json:"alerts_per_week,omitempty"`
	Entities      []Entity   `json:"entities"`
	Views         []View     `json:"views"`
	Services      []Service  `json:"services"`
	Calendar      []Occasion `json:"calendar,omitempty"` // that every view has in its own as well
	Rules         string     `json:"rules"`
}

// Digest stands for all that is defined, ids included: 16 hexadecimal digits, or nothing
// for definitions that nothing can be defined by, which no registry has.
func (d *Definitions) Digest() string {
	body, err := json.Marshal(d)
	if err != nil {
		return "" // a bound that is no number, a type that is none
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:8])
}

// View returns the view of that name; nil if there is none.
func (d *Definitions) View(name string) *View {
	for i := range d.Views {
		if d.Views[i].Name == name {
			return &d.Views[i]
		}
	}
	return nil
}

// Reads reports whether s names a feature of a view, or a path into it; any feature of the
// view if name is empty.
func (s *Service) Reads(view, name string) bool {
	return slices.ContainsFunc(s.Features, func(ref string) bool {
		of, rest, _ := strings.Cut(ref, ":")
		base, _, _ := strings.Cut(rest, ".") // a name has no dot
		return of == view && (name == "" || base == name)
	})
}

// Service returns the service of that name; nil if there is none.
func (d *Definitions) Service(name string) *Service {
	for i := range d.Services {
		if d.Services[i].Name == name {
			return &d.Services[i]
		}
	}
	return nil
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// ValidName reports whether name may name a project, view, feature, entity,
// service or rule.
func ValidName(name string) bool { return namePattern.MatchString(name) }
