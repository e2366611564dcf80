package serving

import (
	"context"
	"time"

	feastserving "sluice/api/feast/serving"
	feasttypes "sluice/api/feast/types"
	"sluice/serving/push"
	"sluice/serving/refusal"
)

func (s *Server) pushGRPC(ctx context.Context, in *feastserving.PushRequest) (*feastserving.PushResponse, error) {
	err := push.CheckTo(in.GetTo())
	if err == nil {
		err = noPushSourceGRPC(s.pushRow(ctx, in.GetStreamFeatureView(), in.GetFeatures(), in.GetTypedFeatures()))
	}
	if err != nil {
		return nil, err
	}
	return &feastserving.PushResponse{Status: true}, nil
}

func (s *Server) writeGRPC(ctx context.Context, in *feastserving.WriteToOnlineStoreRequest) (*feastserving.WriteToOnlineStoreResponse, error) {
	if err := s.pushRow(ctx, in.GetFeatureViewName(), in.GetFeatures(), in.GetTypedFeatures()); err != nil {
		return nil, err
	}
	return &feastserving.WriteToOnlineStoreResponse{Status: true}, nil
}

// pushRow pushes one row, given as text or typed.
func (s *Server) pushRow(ctx context.Context, name string, text map[string]string, typed map[string]*feasttypes.Value) (err error) {
	defer func(begun time.Time) { s.observe(methodPushGRPC, begun, err) }(time.Now())
	backfill, err := declaredGRPC(ctx)
	switch {
	case err != nil:
		return err
	case len(text) > 0 && len(typed) > 0:
		return refusal.Invalid("give one of the two", "features and typed_features are both given")
	case len(typed) > 0:
		return s.pushTable(ctx, name, push.TypedTable(typed), backfill)
	}
	return s.pushTable(ctx, name, push.TextTable(text), backfill)
}
