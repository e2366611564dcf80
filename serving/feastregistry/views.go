package feastregistry

import (
	"context"
	"slices"

	feastcore "sluice/api/feast/core"
	registrypb "sluice/api/feast/registry"
)

// ListAllFeatureViews returns the views that the request wants. When a view was
// changed is not known here: updated_since leaves none out.
func (s *Server) ListAllFeatureViews(_ context.Context, in *registrypb.ListAllFeatureViewsRequest) (*registrypb.ListAllFeatureViewsResponse, error) {
	r := s.of(in.GetProject())
	out := &registrypb.ListAllFeatureViewsResponse{}
	for _, v := range tagged(r.GetFeatureViews(), viewTags, in.GetTags()) {
		if wanted(r, v, in) {
			out.FeatureViews = append(out.FeatureViews, anyView(v))
		}
	}
	return out, nil
}

func wanted(r *feastcore.Registry, v *feastcore.FeatureView, in *registrypb.ListAllFeatureViewsRequest) bool {
	spec := v.GetSpec()
	switch {
	case in.GetEntity() != "" && !slices.Contains(spec.GetEntities(), in.GetEntity()):
		return false
	case in.GetFeature() != "" && !slices.ContainsFunc(spec.GetFeatures(), func(f *feastcore.FeatureSpecV2) bool { return f.GetName() == in.GetFeature() }):
		return false
	case in.GetDataSource() != "" && spec.GetStreamSource().GetName() != in.GetDataSource() && spec.GetBatchSource().GetName() != in.GetDataSource():
		return false
	case in.GetFeatureService() != "" && !reads(r, in.GetFeatureService(), spec.GetName()):
		return false
	}
	return true
}

// reads reports whether a service reads a view.
func reads(r *feastcore.Registry, service, view string) bool {
	for _, f := range r.GetFeatureServices() {
		if f.GetSpec().GetName() == service {
			return slices.ContainsFunc(f.GetSpec().GetFeatures(), func(p *feastcore.FeatureViewProjection) bool { return p.GetFeatureViewName() == view })
		}
	}
	return false
}
