//go:build services

package yardstick

import (
	"context"
	"strings"

	goredis "github.com/redis/go-redis/v9"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	feastserving "sluice/api/feast/serving"
	feasttypes "sluice/api/feast/types"
)

// plainGRPC is what a team would write: decoded messages, and a pipeline of go-redis
// with its own settings for each request.
type plainGRPC struct {
	feastserving.UnimplementedServingServiceServer
	redis  *goredis.Client
	fields map[string]string // of the hash, by view:feature
}

func newPlainGRPC(addr string) *grpc.Server {
	s := &plainGRPC{redis: goredis.NewClient(&goredis.Options{Addr: addr, Protocol: 2}), fields: map[string]string{}}
	for i := range features {
		s.fields[viewName+":"+featureName(i)] = hashField(i)
	}
	server := grpc.NewServer()
	feastserving.RegisterServingServiceServer(server, s)
	return server
}

func (s *plainGRPC) GetOnlineFeatures(ctx context.Context, in *feastserving.GetOnlineFeaturesRequest) (*feastserving.GetOnlineFeaturesResponse, error) {
	refs := in.GetFeatures().GetVal()
	fields := make([]string, 0, len(refs)+1)
	out := &feastserving.GetOnlineFeaturesResponse{Metadata: &feastserving.GetOnlineFeaturesResponseMetadata{
		FeatureNames: &feastserving.FeatureList{Val: []string{joinKey}}}}
	for _, ref := range refs {
		field, ok := s.fields[ref]
		if !ok {
			return nil, status.Errorf(codes.NotFound, "no feature %s", ref)
		}
		fields = append(fields, field)
		_, name, _ := strings.Cut(ref, ":")
		out.Metadata.FeatureNames.Val = append(out.Metadata.FeatureNames.Val, name)
	}
	fields = append(fields, timeField)
	users := in.GetEntities()[joinKey].GetVal()
	answers := make([]*goredis.SliceCmd, len(users))
	p := s.redis.Pipeline()
	for i, user := range users {
		answers[i] = p.HMGet(ctx, feastKey(user.GetStringVal()), fields...)
	}
	if _, err := p.Exec(ctx); err != nil {
		return nil, err
	}
	out.Results = make([]*feastserving.GetOnlineFeaturesResponse_FeatureVector, len(refs)+1)
	for i := range out.Results {
		out.Results[i] = &feastserving.GetOnlineFeaturesResponse_FeatureVector{}
	}
	add := func(column int, v *feasttypes.Value, found feastserving.FieldStatus, at *timestamppb.Timestamp) {
		c := out.Results[column]
		c.Values, c.Statuses, c.EventTimestamps = append(c.Values, v), append(c.Statuses, found), append(c.EventTimestamps, at)
	}
	for i, answer := range answers {
		add(0, users[i], feastserving.FieldStatus_PRESENT, &timestamppb.Timestamp{})
		cells := answer.Val()
		at := &timestamppb.Timestamp{}
		if text, ok := cells[len(refs)].(string); ok {
			if err := proto.Unmarshal([]byte(text), at); err != nil {
				return nil, err
			}
		}
		for j := range refs {
			v, found := &feasttypes.Value{}, feastserving.FieldStatus_NOT_FOUND
			if text, ok := cells[j].(string); ok {
				found = feastserving.FieldStatus_PRESENT
				if err := proto.Unmarshal([]byte(text), v); err != nil {
					return nil, err
				}
			}
			add(j+1, v, found, at)
		}
	}
	return out, nil
}
