package feastregistry

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/emptypb"

	feastcore "sluice/api/feast/core"
	registrypb "sluice/api/feast/registry"
)

// find returns the object of that name.
func find[T any](s *Server, list []T, nameOf func(T) string, in *registrypb.GetObjectRequest, class, what string) (T, error) {
	var known []string
	for _, object := range list {
		if nameOf(object) == in.GetName() {
			return object, nil
		}
		known = append(known, nameOf(object))
	}
	var none T
	return none, s.absent(class, what, in.GetName(), in.GetProject(), known)
}

// tagged returns the objects that have every one of the tags.
func tagged[T any](list []T, tagsOf func(T) map[string]string, tags map[string]string) []T {
	if len(tags) == 0 {
		return list
	}
	var out []T
next:
	for _, object := range list {
		have := tagsOf(object)
		for name, value := range tags {
			if got, ok := have[name]; !ok || got != value {
				continue next
			}
		}
		out = append(out, object)
	}
	return out
}

// GetEntity returns a join key as an entity.
func (s *Server) GetEntity(_ context.Context, in *registrypb.GetObjectRequest) (*feastcore.Entity, error) {
	return find(s, s.of(in.GetProject()).GetEntities(), func(e *feastcore.Entity) string { return e.GetSpec().GetName() }, in, noEntity, "entity")
}

// ListEntities returns the join keys.
func (s *Server) ListEntities(_ context.Context, in *registrypb.ListObjectsRequest) (*registrypb.ListEntitiesResponse, error) {
	list := tagged(s.of(in.GetProject()).GetEntities(), func(e *feastcore.Entity) map[string]string { return e.GetSpec().GetTags() }, in.GetTags())
	return &registrypb.ListEntitiesResponse{Entities: list}, nil
}

// GetDataSource returns a view's push source, or what stands for its rows.
func (s *Server) GetDataSource(_ context.Context, in *registrypb.GetObjectRequest) (*feastcore.DataSource, error) {
	return find(s, s.of(in.GetProject()).GetDataSources(), (*feastcore.DataSource).GetName, in, noSource, "data source")
}

// ListDataSources returns both of every view.
func (s *Server) ListDataSources(_ context.Context, in *registrypb.ListObjectsRequest) (*registrypb.ListDataSourcesResponse, error) {
	return &registrypb.ListDataSourcesResponse{DataSources: tagged(s.of(in.GetProject()).GetDataSources(), (*feastcore.DataSource).GetTags, in.GetTags())}, nil
}

func viewName(v *feastcore.FeatureView) string { return v.GetSpec().GetName() }

func viewTags(v *feastcore.FeatureView) map[string]string { return v.GetSpec().GetTags() }

// GetFeatureView returns a view.
func (s *Server) GetFeatureView(_ context.Context, in *registrypb.GetObjectRequest) (*feastcore.FeatureView, error) {
	return find(s, s.of(in.GetProject()).GetFeatureViews(), viewName, in, noView, "feature view")
}

// ListFeatureViews returns the views.
func (s *Server) ListFeatureViews(_ context.Context, in *registrypb.ListObjectsRequest) (*registrypb.ListFeatureViewsResponse, error) {
	return &registrypb.ListFeatureViewsResponse{FeatureViews: tagged(s.of(in.GetProject()).GetFeatureViews(), viewTags, in.GetTags())}, nil
}

// GetAnyFeatureView returns a view; all of them are of one kind.
func (s *Server) GetAnyFeatureView(ctx context.Context, in *registrypb.GetObjectRequest) (*registrypb.GetAnyFeatureViewResponse, error) {
	v, err := s.GetFeatureView(ctx, in)
	if err != nil {
		return nil, err
	}
	return &registrypb.GetAnyFeatureViewResponse{AnyFeatureView: anyView(v)}, nil
}

func anyView(v *feastcore.FeatureView) *registrypb.AnyFeatureView {
	return &registrypb.AnyFeatureView{AnyFeatureView: &registrypb.AnyFeatureView_FeatureView{FeatureView: v}}
}

// GetFeatureService returns a service.
func (s *Server) GetFeatureService(_ context.Context, in *registrypb.GetObjectRequest) (*feastcore.FeatureService, error) {
	return find(s, s.of(in.GetProject()).GetFeatureServices(), func(f *feastcore.FeatureService) string { return f.GetSpec().GetName() }, in, noService, "feature service")
}

// ListFeatureServices returns the services.
func (s *Server) ListFeatureServices(_ context.Context, in *registrypb.ListObjectsRequest) (*registrypb.ListFeatureServicesResponse, error) {
	list := tagged(s.of(in.GetProject()).GetFeatureServices(), func(f *feastcore.FeatureService) map[string]string { return f.GetSpec().GetTags() }, in.GetTags())
	return &registrypb.ListFeatureServicesResponse{FeatureServices: list}, nil
}

// GetProject returns the project.
func (s *Server) GetProject(_ context.Context, in *registrypb.GetProjectRequest) (*feastcore.Project, error) {
	p := s.current().GetProjects()[0]
	if p.GetSpec().GetName() != in.GetName() {
		return nil, exception(codes.NotFound, noProject, "project %.64q does not exist: the project is %s", in.GetName(), p.GetSpec().GetName())
	}
	return p, nil
}

// ListProjects returns the one project.
func (s *Server) ListProjects(_ context.Context, in *registrypb.ListProjectsRequest) (*registrypb.ListProjectsResponse, error) {
	list := tagged(s.current().GetProjects(), func(p *feastcore.Project) map[string]string { return p.GetSpec().GetTags() }, in.GetTags())
	return &registrypb.ListProjectsResponse{Projects: list}, nil
}

// ListProjectMetadata returns that of the project.
func (s *Server) ListProjectMetadata(_ context.Context, in *registrypb.ListProjectMetadataRequest) (*registrypb.ListProjectMetadataResponse, error) {
	return &registrypb.ListProjectMetadataResponse{ProjectMetadata: s.of(in.GetProject()).GetProjectMetadata()}, nil
}

// Proto returns everything.
func (s *Server) Proto(context.Context, *emptypb.Empty) (*feastcore.Registry, error) {
	return s.current(), nil
}

// Refresh has nothing to do: what is in force is answered at once.
func (s *Server) Refresh(context.Context, *registrypb.RefreshRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}
