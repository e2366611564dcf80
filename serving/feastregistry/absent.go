package feastregistry

import (
	"context"

	"google.golang.org/protobuf/types/known/emptypb"

	feastcore "sluice/api/feast/core"
	registrypb "sluice/api/feast/registry"
)

// Sluice has nothing of the following kinds: their lists are empty.

// GetStreamFeatureView returns an error.
func (s *Server) GetStreamFeatureView(_ context.Context, in *registrypb.GetObjectRequest) (*feastcore.StreamFeatureView, error) {
	return nil, s.absent(noView, "stream feature view", in.GetName(), in.GetProject(), nil)
}

// ListStreamFeatureViews returns nothing.
func (s *Server) ListStreamFeatureViews(context.Context, *registrypb.ListObjectsRequest) (*registrypb.ListStreamFeatureViewsResponse, error) {
	return &registrypb.ListStreamFeatureViewsResponse{}, nil
}

// GetOnDemandFeatureView returns an error.
func (s *Server) GetOnDemandFeatureView(_ context.Context, in *registrypb.GetObjectRequest) (*feastcore.OnDemandFeatureView, error) {
	return nil, s.absent(noOnDemand, "on demand feature view", in.GetName(), in.GetProject(), nil)
}

// ListOnDemandFeatureViews returns nothing.
func (s *Server) ListOnDemandFeatureViews(context.Context, *registrypb.ListObjectsRequest) (*registrypb.ListOnDemandFeatureViewsResponse, error) {
	return &registrypb.ListOnDemandFeatureViewsResponse{}, nil
}

// GetLabelView returns an error.
func (s *Server) GetLabelView(_ context.Context, in *registrypb.GetObjectRequest) (*feastcore.LabelView, error) {
	return nil, s.absent(noView, "label view", in.GetName(), in.GetProject(), nil)
}

// ListLabelViews returns nothing.
func (s *Server) ListLabelViews(context.Context, *registrypb.ListObjectsRequest) (*registrypb.ListLabelViewsResponse, error) {
	return &registrypb.ListLabelViewsResponse{}, nil
}

// GetSavedDataset returns an error.
func (s *Server) GetSavedDataset(_ context.Context, in *registrypb.GetObjectRequest) (*emptypb.Empty, error) {
	return nil, s.absent(noDataset, "saved dataset", in.GetName(), in.GetProject(), nil)
}

// ListSavedDatasets returns nothing.
func (s *Server) ListSavedDatasets(context.Context, *registrypb.ListObjectsRequest) (*registrypb.NothingResponse, error) {
	return &registrypb.NothingResponse{}, nil
}

// GetValidationReference returns an error.
func (s *Server) GetValidationReference(_ context.Context, in *registrypb.GetObjectRequest) (*emptypb.Empty, error) {
	return nil, s.absent(noCheck, "validation reference", in.GetName(), in.GetProject(), nil)
}

// ListValidationReferences returns nothing.
func (s *Server) ListValidationReferences(context.Context, *registrypb.ListObjectsRequest) (*registrypb.NothingResponse, error) {
	return &registrypb.NothingResponse{}, nil
}

// GetPermission returns an error.
func (s *Server) GetPermission(_ context.Context, in *registrypb.GetObjectRequest) (*emptypb.Empty, error) {
	return nil, s.absent(noRight, "permission", in.GetName(), in.GetProject(), nil)
}

// ListPermissions returns nothing.
func (s *Server) ListPermissions(context.Context, *registrypb.ListObjectsRequest) (*registrypb.NothingResponse, error) {
	return &registrypb.NothingResponse{}, nil
}

// GetInfra returns an empty one: Sluice's stores are not Feast's to manage.
func (s *Server) GetInfra(context.Context, *registrypb.InfraRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}
