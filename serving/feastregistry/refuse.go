package feastregistry

import (
	"context"

	"google.golang.org/protobuf/types/known/emptypb"

	registrypb "sluice/api/feast/registry"
)

// Everything that would change the registry is refused.

// ApplyEntity is refused.
func (*Server) ApplyEntity(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// DeleteEntity is refused.
func (*Server) DeleteEntity(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// ApplyDataSource is refused.
func (*Server) ApplyDataSource(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// DeleteDataSource is refused.
func (*Server) DeleteDataSource(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// ApplyFeatureView is refused.
func (*Server) ApplyFeatureView(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// DeleteFeatureView is refused.
func (*Server) DeleteFeatureView(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// ApplyFeatureService is refused.
func (*Server) ApplyFeatureService(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// DeleteFeatureService is refused.
func (*Server) DeleteFeatureService(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// ApplySavedDataset is refused.
func (*Server) ApplySavedDataset(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// DeleteSavedDataset is refused.
func (*Server) DeleteSavedDataset(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// ApplyValidationReference is refused.
func (*Server) ApplyValidationReference(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// DeleteValidationReference is refused.
func (*Server) DeleteValidationReference(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// ApplyPermission is refused.
func (*Server) ApplyPermission(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// DeletePermission is refused.
func (*Server) DeletePermission(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// ApplyProject is refused.
func (*Server) ApplyProject(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// DeleteProject is refused.
func (*Server) DeleteProject(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// ApplyMaterialization is refused.
func (*Server) ApplyMaterialization(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// UpdateInfra is refused.
func (*Server) UpdateInfra(context.Context, *registrypb.WriteRequest) (*emptypb.Empty, error) {
	return nil, readOnly()
}

// Commit is refused: nothing was changed that it could keep.
func (*Server) Commit(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return nil, readOnly()
}
