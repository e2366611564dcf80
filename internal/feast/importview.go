package feast

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/types/known/durationpb"

	feastcore "sluice/api/feast/core"
	"sluice/feature"
)

// dummyEntity is the entity of views that have none.
const dummyEntity = "__dummy"

// Limits of definitions (internal/definition).
const (
	maxViews    = 1000
	maxFeatures = 2000
	maxText     = 4096
)

// reserved are columns of records that are no features.
var reserved = []string{"op", "event_id"}

// viewSpec is what the kinds of views that hold rows have in common.
type viewSpec struct {
	name, owner, description string
	entities                 []string
	columns, features        []*feastcore.FeatureSpecV2
	tags                     map[string]string
	ttl                      *durationpb.Duration
	batch, stream            *feastcore.DataSource
	eventTime                string // where the view says it
	online, disabled         bool
	computed                 string // what computes it; empty: nothing
}

func (in *importer) views(r *feastcore.Registry) {
	for _, v := range r.GetFeatureViews() {
		if s := v.GetSpec(); s.GetProject() == in.Project {
			in.addView(&viewSpec{
				name: s.GetName(), owner: s.GetOwner(), description: s.GetDescription(), entities: s.GetEntities(), columns: s.GetEntityColumns(), features: s.GetFeatures(),
				tags: s.GetTags(), ttl: s.GetTtl(), batch: s.GetBatchSource(), stream: s.GetStreamSource(), online: s.GetOnline(), disabled: s.GetDisabled(), computed: transformation(s.GetFeatureTransformation()),
			})
		}
	}
	for _, v := range r.GetStreamFeatureViews() {
		if s := v.GetSpec(); s.GetProject() == in.Project {
			computed := transformation(s.GetFeatureTransformation())
			switch {
			case s.GetUserDefinedFunction().GetName() != "":
				computed = "a function, " + shown(s.GetUserDefinedFunction().GetName())
			case computed == "" && len(s.GetAggregations()) > 0:
				computed = "aggregations"
			}
			in.addView(&viewSpec{
				name: s.GetName(), owner: s.GetOwner(), description: s.GetDescription(), entities: s.GetEntities(), columns: s.GetEntityColumns(), features: s.GetFeatures(),
				tags: s.GetTags(), ttl: s.GetTtl(), batch: s.GetBatchSource(), stream: s.GetStreamSource(), eventTime: s.GetTimestampField(), online: s.GetOnline(), disabled: s.GetDisabled(), computed: computed,
			})
		}
	}
	for _, v := range r.GetOnDemandFeatureViews() {
		if v.GetSpec().GetProject() == in.Project {
			in.leftOut("on demand view", v.GetSpec().GetName(), "it is computed by pickled Python when it is read: write it as an expression under `computed` of the view that it reads (docs/transformations.md), or write what it gives to a view")
		}
	}
	for _, v := range r.GetLabelViews() {
		if v.GetSpec().GetProject() == in.Project {
			in.leftOut("label view", v.GetSpec().GetName(), "there are no labels here")
		}
	}
}

func transformation(t *feastcore.FeatureTransformationV2) string {
	switch {
	case t.GetUserDefinedFunction() != nil:
		return "a function, " + shown(t.GetUserDefinedFunction().GetName())
	case t.GetSubstraitTransformation() != nil:
		return "a Substrait plan"
	}
	return ""
}

// addView imports a view, or says why not.
func (in *importer) addView(s *viewSpec) {
	out := feature.View{Name: s.name, Project: in.Defs.Project}
	if why := in.refuseView(s); why != "" {
		in.leftOut("view", s.name, "%s", why)
		return
	}
	keys, why := in.keys(s)
	if why != "" {
		in.leftOut("view", s.name, "%s", why)
		return
	}
	out.Entities = keys
	if out.Features = in.features(s, keys); len(out.Features) == 0 {
		in.leftOut("view", s.name, "it has no features left")
		return
	}
	for _, e := range keys {
		if in.types[e.Name] == 0 {
			in.types[e.Name] = e.Type
			in.Defs.Entities = append(in.Defs.Entities, e)
		}
	}
	in.describe(s, &out)
	out.Source = in.source(s, &out)
	in.taken[s.name] = true
	in.Defs.Views = append(in.Defs.Views, out)
	if s.computed != "" {
		in.changed("view", s.name, "is written as it is read: "+s.computed+", which computes it, stays outside")
	}
}

// refuseView says why a view cannot be imported; empty if it can so far.
func (in *importer) refuseView(s *viewSpec) string {
	switch {
	case !feature.ValidName(s.name):
		return badName
	case in.taken[s.name]:
		return "the registry has two of the name"
	case len(in.Defs.Views) >= maxViews:
		return "an installation takes 1000 views"
	case s.disabled:
		return "it is disabled"
	case !s.online:
		return "it is not online"
	case len(s.entities) == 0 || slices.Contains(s.entities, dummyEntity):
		return "it has no entity: give its rows a join key that is the same in all of them"
	}
	return ""
}

// keys returns a view's join keys. A column of the view says the type better than the
// entity, which may leave it open.
func (in *importer) keys(s *viewSpec) (keys []feature.Entity, why string) {
	for _, name := range s.entities {
		j, ok := in.joins[name]
		if !ok {
			return nil, "its entity " + shown(name) + " is not in the registry"
		}
		value := j.typ
		for _, c := range s.columns {
			if c.GetName() == j.key {
				value = c.GetValueType()
			}
		}
		e := feature.Entity{Name: j.key, Type: types[value]}
		switch {
		case !feature.ValidName(j.key) || slices.Contains(reserved, j.key):
			return nil, "its join key " + shown(j.key) + " cannot be named so: " + badName
		case !keyType(e.Type):
			return nil, "its join key " + j.key + " is " + value.String() + ": a join key is a string, an integer, a bool, bytes or a timestamp"
		case in.types[j.key] != 0 && in.types[j.key] != e.Type:
			return nil, "its join key " + j.key + " is " + e.Type.String() + ", and " + in.types[j.key].String() + " in another view"
		case slices.Contains(keys, e):
			return nil, "two of its entities have the join key " + j.key
		}
		keys = append(keys, e)
	}
	return keys, ""
}

func keyType(t feature.Type) bool {
	switch t {
	case feature.String, feature.Int32, feature.Int64, feature.Bool, feature.Bytes, feature.Timestamp:
		return true
	}
	return false
}

// features returns the features that can be.
func (in *importer) features(s *viewSpec, keys []feature.Entity) (out []feature.Feature) {
	seen := map[string]bool{}
	for _, f := range s.features {
		name, ref := f.GetName(), s.name+":"+f.GetName()
		t, near := types[f.GetValueType()], nearTypes[f.GetValueType()]
		if t == 0 {
			t = near.typ
		}
		switch {
		case !feature.ValidName(name):
			in.leftOut("feature", ref, badName)
		case slices.Contains(reserved, name):
			in.leftOut("feature", ref, "%s has a meaning of its own in records", name)
		case slices.ContainsFunc(keys, func(e feature.Entity) bool { return e.Name == name }):
			in.leftOut("feature", ref, "it is a join key")
		case seen[name]:
			in.leftOut("feature", ref, "the view has two of the name")
		case t == 0:
			in.leftOut("feature", ref, "type %s is none of ours", f.GetValueType())
		case len(out) >= maxFeatures:
			in.leftOut("feature", ref, "a view takes %d features", maxFeatures)
		default:
			seen[name] = true
			out = append(out, feature.Feature{Name: name, Type: t, Description: in.text("feature", ref, "description", f.GetDescription()), NotFinite: in.notFinite(ref, t, f)})
			if near.how != "" {
				in.changed("feature", ref, f.GetValueType().String()+" "+near.how)
			}
			if f.GetVectorIndex() {
				in.changed("feature", ref, "is read by key: there is no search by vector")
			}
		}
	}
	return out
}

// notFinite reads the tag in which Export keeps the policy of a float.
func (in *importer) notFinite(ref string, t feature.Type, f *feastcore.FeatureSpecV2) string {
	policy := f.GetTags()["not_finite"]
	if policy != "" && !(t.Elem().Float() && slices.Contains(feature.NotFinitePolicies, policy)) {
		in.leftOut("tag", ref+" not_finite", "%s: want %s, of a float", shown(policy), strings.Join(feature.NotFinitePolicies, ", "))
		return ""
	}
	return policy
}

// text returns a text as definitions take it: without control characters, and not too
// long.
func (in *importer) text(kind, name, what, text string) string {
	if len(text) > maxText {
		in.leftOut(what, name, "the %s of a %s has %d bytes at most", what, kind, maxText)
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
}

// columnName reports whether text may name a column.
func columnName(text string) bool {
	return text != "" && len(text) <= maxText && !strings.ContainsFunc(text, unicode.IsControl)
}

// describe fills what is said about a view.
func (in *importer) describe(s *viewSpec, out *feature.View) {
	out.Owner = in.text("view", s.name, "owner", s.owner)
	out.Description = in.text("view", s.name, "description", s.description)
	for _, tag := range slices.Sorted(maps.Keys(s.tags)) {
		if !feature.ValidName(tag) || len(s.tags[tag]) > maxText {
			in.leftOut("tag", s.name+" "+tag, badName)
			continue
		}
		if out.Tags == nil {
			out.Tags = map[string]string{}
		}
		out.Tags[tag] = in.text("view", s.name, "tag", s.tags[tag])
	}
	if s.ttl.IsValid() && s.ttl.AsDuration() > 0 {
		out.TTL = s.ttl.AsDuration().Truncate(time.Millisecond)
	}
}

var topicPattern = regexp.MustCompile(`^[a-zA-Z0-9._-]{3,249}$`)

// ownTopics are not read as sources.
var ownTopics = []string{"sluice.writes", "sluice.profiles", "sluice.dead"}

// source says where rows come from: the columns as they are called, and the topic of
// a Kafka source of JSON.
func (in *importer) source(s *viewSpec, v *feature.View) feature.Source {
	from := s.stream
	if from.GetBatchSource() != nil && from.GetTimestampField() == "" {
		from = from.GetBatchSource()
	}
	if from == nil {
		from = s.batch
	}
	out := feature.Source{EventTime: from.GetTimestampField()}
	if out.EventTime == "" {
		out.EventTime = s.batch.GetTimestampField()
	}
	if s.eventTime != "" {
		out.EventTime = s.eventTime
	}
	if out.EventTime != "" && !columnName(out.EventTime) {
		in.leftOut("event time", s.name, "the column cannot be called %s", shown(out.EventTime))
		out.EventTime = ""
	}
	for _, column := range slices.Sorted(maps.Keys(from.GetFieldMapping())) {
		name := from.GetFieldMapping()[column]
		known := v.FeatureAt(name) >= 0 || slices.ContainsFunc(v.Entities, func(e feature.Entity) bool { return e.Name == name })
		if known && column != name && columnName(column) {
			if out.Map == nil {
				out.Map = map[string]string{}
			}
			out.Map[name] = column
		}
	}
	if kafka := s.stream.GetKafkaOptions(); kafka != nil {
		switch {
		case kafka.GetMessageFormat().GetJsonFormat() == nil:
			in.leftOut("topic", s.name, "records of %s are no JSON: send JSON to another topic, or write the rows", shown(kafka.GetTopic()))
		case !topicPattern.MatchString(kafka.GetTopic()) || slices.Contains(ownTopics, kafka.GetTopic()):
			in.leftOut("topic", s.name, "%s cannot be read", shown(kafka.GetTopic()))
		default:
			out.Topic = kafka.GetTopic()
		}
	}
	return out
}
