package definition

import (
	"encoding/json"

	"sluice/feature"
)

// Form is a set of definitions as a file writes them, with every default shown.
// Its JSON is a definitions file: Parse reads it back.
type Form struct {
	Project  string             `json:"project"`
	Entities []feature.Entity   `json:"entities"`
	Views    []ViewForm         `json:"views"`
	Calendar []feature.Occasion `json:"calendar,omitempty"`
	Services []feature.Service  `json:"services"`
	Rules    string             `json:"rules,omitempty"` // name of the rules file
}

// ViewForm is a view as a file writes it. Durations are texts such as 5m.
type ViewForm struct {
	Name     string           `json:"name"`
	Entities []feature.Entity `json:"entities"`
	Features []FeatureForm    `json:"features"`

	Context  map[string]feature.Type `json:"context,omitempty"`
	Computed []feature.Computed      `json:"computed,omitempty"`

	Expect      []feature.Expectation `json:"expect,omitempty"`
	Slices      []string              `json:"slices,omitempty"`
	Owner       string                `json:"owner,omitempty"`
	Description string                `json:"description,omitempty"`
	Compliance  string                `json:"compliance,omitempty"`
	Tags        map[string]string     `json:"tags,omitempty"`
	Online      string                `json:"online,omitempty"` // empty: the default online store
	Group       string                `json:"group,omitempty"`  // empty: in none
	Source      SourceForm            `json:"source"`
	TTL         string                `json:"ttl"`
	Window      WindowForm            `json:"window"`
	Publish     PublishForm           `json:"publish"`
	Freshness   FreshnessForm         `json:"freshness"`
	Baseline    BaselineForm          `json:"baseline"`
	Calendar    []feature.Occasion    `json:"calendar,omitempty"`
}

// FeatureForm is a feature as a file writes it.
type FeatureForm struct {
	Name        string          `json:"name"`
	Type        feature.Type    `json:"type"`
	Unit        string          `json:"unit,omitempty"`
	Description string          `json:"description,omitempty"`
	Expect      *feature.Expect `json:"expect,omitempty"`
	TTL         string          `json:"ttl,omitempty"` // empty: the view's
	Importance  float64         `json:"importance,omitempty"`
	Default     json.RawMessage `json:"default,omitempty"`    // empty: null
	NotFinite   string          `json:"not_finite,omitempty"` // empty: pass
}

// SourceForm, WindowForm, PublishForm, FreshnessForm and BaselineForm are the
// parts of a ViewForm.
type (
	SourceForm struct {
		Topic     string            `json:"topic,omitempty"`
		Format    string            `json:"format"`
		EventTime string            `json:"event_time"`
		Map       map[string]string `json:"map,omitempty"`
	}
	WindowForm struct {
		Size     string `json:"size"`
		Lateness string `json:"lateness"`
		Idle     string `json:"idle"`
	}
	ProbationForm struct {
		Windows int `json:"windows"`
		Fail    int `json:"fail"`
	}
	PublishForm struct {
		Mode                feature.Mode  `json:"mode"`
		Probation           ProbationForm `json:"probation"`
		Hold                int           `json:"hold"`
		MaxRollbacksPerHour int           `json:"max_rollbacks_per_hour"`
		OnStaleRollback     string        `json:"on_stale_rollback"`
	}
	FreshnessForm struct {
		Warn     string `json:"warn"`
		Page     string `json:"page"`
		Critical string `json:"critical"`
	}
	BaselineForm struct {
		From    string          `json:"from"`
		Windows int             `json:"windows"`
		Season  []string        `json:"season,omitempty"`
		Version feature.Version `json:"version,omitempty"`
		Dataset string          `json:"dataset,omitempty"`
	}
)

// FormOf returns the form of definitions. Rules are a file of their own: name it
// in the form's Rules if there are any.
func FormOf(defs *feature.Definitions) Form {
	f := Form{Project: defs.Project, Entities: defs.Entities, Services: defs.Services, Calendar: defs.Calendar, Views: []ViewForm{}}
	for i := range defs.Views {
		f.Views = append(f.Views, ViewFormOf(&defs.Views[i]))
	}
	return f
}

// ViewFormOf returns the form of a view.
func ViewFormOf(v *feature.View) ViewForm {
	form := ViewForm{
		Name: v.Name, Entities: v.Entities, Context: v.Context, Computed: v.Computed, Slices: v.Slices, Expect: v.Expect, Owner: v.Owner, Description: v.Description,
		Compliance: v.Compliance, Tags: v.Tags, Online: v.Online, Group: v.Group, TTL: FormatDuration(v.TTL),
		Source: SourceForm(v.Source),
		Window: WindowForm{Size: FormatDuration(v.Window.Size), Lateness: FormatDuration(v.Window.Lateness), Idle: FormatDuration(v.Window.Idle)},
		Publish: PublishForm{
			Mode: v.Publish.Mode, Hold: v.Publish.Hold, MaxRollbacksPerHour: v.Publish.MaxRollbacksPerHour,
			Probation:       ProbationForm{Windows: v.Publish.ProbationWindows, Fail: v.Publish.ProbationFail},
			OnStaleRollback: v.Publish.OnStaleRollback,
		},
		Freshness: FreshnessForm{Warn: FormatDuration(v.Freshness.Warn), Page: FormatDuration(v.Freshness.Page), Critical: FormatDuration(v.Freshness.Critical)},
		Baseline:  BaselineForm(v.Baseline),
		Calendar:  ownOccasions(v.Calendar),
	}
	for i := range v.Features {
		form.Features = append(form.Features, featureFormOf(&v.Features[i]))
	}
	return form
}

func featureFormOf(f *feature.Feature) FeatureForm {
	form := FeatureForm{Name: f.Name, Type: f.Type, Unit: f.Unit, Description: f.Description, Importance: f.Importance, Default: f.Default, NotFinite: f.NotFinite}
	if e := f.Expect; !equal(e, feature.Expect{}) {
		form.Expect = &e
	}
	if f.TTL > 0 {
		form.TTL = FormatDuration(f.TTL)
	}
	return form
}
