package feast

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	feastcore "sluice/api/feast/core"
	"sluice/feature"
)

// schemaVersion is the version of registries that Feast's clients write and read.
const schemaVersion = "1"

// Export returns the definitions as a registry of one project. Entities are named by
// their join keys, which is what Sluice knows them by. Every view is pushed to by its
// own name, and its batch source names the column of event times that a DataFrame
// needs; there is nothing in it to be read.
func Export(defs *feature.Definitions, generation uint64) *feastcore.Registry {
	r := &feastcore.Registry{
		RegistrySchemaVersion: schemaVersion, VersionId: strconv.FormatUint(generation, 10),
		Projects:        []*feastcore.Project{{Spec: &feastcore.ProjectSpec{Name: defs.Project}, Meta: &feastcore.ProjectMeta{}}},
		ProjectMetadata: []*feastcore.ProjectMetadata{{Project: defs.Project, ProjectUuid: defs.Project}},
	}
	seen := map[string]bool{}
	for i := range defs.Views {
		v := &defs.Views[i]
		for _, e := range v.Entities {
			if !seen[e.Name] {
				seen[e.Name] = true
				r.Entities = append(r.Entities, exportEntity(defs.Project, e))
			}
		}
		batch, push := exportSources(defs.Project, v)
		r.DataSources = append(r.DataSources, batch, push)
		r.FeatureViews = append(r.FeatureViews, exportView(defs.Project, v, batch, push))
	}
	for _, e := range defs.Entities {
		if !seen[e.Name] {
			r.Entities = append(r.Entities, exportEntity(defs.Project, e))
		}
	}
	for i := range defs.Services {
		r.FeatureServices = append(r.FeatureServices, exportService(defs, &defs.Services[i]))
	}
	return r
}

func exportEntity(project string, e feature.Entity) *feastcore.Entity {
	return &feastcore.Entity{
		Spec: &feastcore.EntitySpecV2{Name: e.Name, JoinKey: e.Name, ValueType: valueTypes[e.Type], Project: project},
		Meta: &feastcore.EntityMeta{},
	}
}

// exportSources returns what stands for a view's rows, and what they are pushed to.
func exportSources(project string, v *feature.View) (batch, push *feastcore.DataSource) {
	when := v.Source.EventTime
	if when == "" {
		when = "event_time"
	}
	batch = &feastcore.DataSource{
		Name: v.Name + "_rows", Project: project, Type: feastcore.DataSource_BATCH_FILE, TimestampField: when,
		Description: "The rows of a view of Sluice, which are not to be read as a file",
		Options:     &feastcore.DataSource_FileOptions_{FileOptions: &feastcore.DataSource_FileOptions{Uri: "sluice://" + project + "/" + v.Name}},
	}
	push = &feastcore.DataSource{
		Name: v.Name, Project: project, Type: feastcore.DataSource_PUSH_SOURCE, TimestampField: when, BatchSource: batch,
		Options: &feastcore.DataSource_PushOptions_{PushOptions: &feastcore.DataSource_PushOptions{}},
	}
	return batch, push
}

func exportView(project string, v *feature.View, batch, push *feastcore.DataSource) *feastcore.FeatureView {
	spec := &feastcore.FeatureViewSpec{
		Name: v.Name, Project: project, Description: v.Description, Owner: v.Owner, Tags: v.Tags,
		Ttl: durationpb.New(v.TTL), Online: true, BatchSource: batch, StreamSource: push,
	}
	for _, e := range v.Entities {
		spec.Entities = append(spec.Entities, e.Name)
		spec.EntityColumns = append(spec.EntityColumns, &feastcore.FeatureSpecV2{Name: e.Name, ValueType: valueTypes[e.Type]})
	}
	for i := range v.Features {
		spec.Features = append(spec.Features, exportFeature(v, i))
	}
	return &feastcore.FeatureView{Spec: spec, Meta: &feastcore.FeatureViewMeta{State: feastcore.FeatureViewState_AVAILABLE_ONLINE}}
}

func exportFeature(v *feature.View, i int) *feastcore.FeatureSpecV2 {
	f := &v.Features[i]
	out := &feastcore.FeatureSpecV2{Name: f.Name, ValueType: valueTypes[f.Type], Description: f.Description}
	tags := map[string]string{}
	if f.Unit != "" {
		tags["unit"] = f.Unit
	}
	if f.TTL > 0 {
		tags["ttl"] = f.TTL.Round(time.Millisecond).String()
	}
	if f.NotFinite != "" {
		tags["not_finite"] = f.NotFinite
	}
	if len(tags) > 0 {
		out.Tags = tags
	}
	return out
}

// exportService groups a service's features by view, in the order in which the views
// are first named.
func exportService(defs *feature.Definitions, s *feature.Service) *feastcore.FeatureService {
	spec := &feastcore.FeatureServiceSpec{Name: s.Name, Project: defs.Project}
	of := map[string]*feastcore.FeatureViewProjection{}
	for _, ref := range s.Features {
		name, column, _ := strings.Cut(ref, ":")
		v := defs.View(name)
		if v == nil || v.FeatureAt(column) < 0 {
			continue // validation keeps it out of what is in force
		}
		p := of[name]
		if p == nil {
			p = &feastcore.FeatureViewProjection{FeatureViewName: name, ViewType: "featureView"}
			of[name] = p
			spec.Features = append(spec.Features, p)
		}
		p.FeatureColumns = append(p.FeatureColumns, exportFeature(v, v.FeatureAt(column)))
	}
	return &feastcore.FeatureService{Spec: spec, Meta: &feastcore.FeatureServiceMeta{}}
}
