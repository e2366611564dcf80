package client_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	feasttypes "sluice/api/feast/types"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/client"
)

// partSize is the rows of a part of a scripted stream.
const partSize = 3

// partOf answers some keys of a request with their own names.
func partOf(request *sluicev1.GetFeaturesRequest, from int) *sluicev1.FeaturesPart {
	keys := request.GetKeys()["user"].GetVal()
	view := &sluicev1.ViewRows{View: "v", Provenance: &sluicev1.Provenance{Version: 1}, Columns: []*sluicev1.Column{{Feature: "f"}}}
	for _, key := range keys[from:min(from+partSize, len(keys))] {
		view.EventTimes = append(view.EventTimes, begin.UnixNano())
		view.Columns[0].Values = append(view.Columns[0].Values, &feasttypes.Value{Val: &feasttypes.Value_StringVal{StringVal: key.GetStringVal()}})
		view.Columns[0].Statuses = append(view.Columns[0].Statuses, sluicev1.Status_PRESENT)
	}
	return &sluicev1.FeaturesPart{First: uint64(from), Rows: &sluicev1.GetFeaturesResponse{Views: []*sluicev1.ViewRows{view}}}
}

// broken answers parts of a stream and then ends it with err.
func broken(after int, err error) func(*sluicev1.GetFeaturesRequest, grpc.ServerStreamingServer[sluicev1.FeaturesPart]) error {
	return func(request *sluicev1.GetFeaturesRequest, out grpc.ServerStreamingServer[sluicev1.FeaturesPart]) error {
		for from := 0; from < len(request.GetKeys()["user"].GetVal()); from += partSize {
			if after >= 0 && from == after*partSize {
				return err
			}
			if err := out.Send(partOf(request, from)); err != nil {
				return err
			}
		}
		return nil
	}
}

// TestStreamFaults ends two streams early and lets the third work: what another try can
// help goes on behind the last part, and everything else ends the read after good parts.
func TestStreamFaults(t *testing.T) {
	const rows = 20
	pause := &errdetails.RetryInfo{RetryDelay: durationpb.New(20 * time.Millisecond)}
	for name, tc := range map[string]struct {
		after int
		err   error
		tries int64
		code  string
	}{
		"at once":            {0, failure(codes.Unavailable, info("unavailable")), 3, ""},
		"behind a part":      {1, failure(codes.Unavailable), 3, ""},
		"shed behind two":    {2, failure(codes.ResourceExhausted, info("limit"), pause), 3, ""},
		"changed meanwhile":  {2, failure(codes.Aborted, info("conflict")), 1, "conflict"},
		"a client's mistake": {0, failure(codes.InvalidArgument, info("type")), 1, "type"},
		"a limit":            {0, failure(codes.ResourceExhausted, info("limit")), 1, "limit"},
		"too few rows":       {2, nil, 1, "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			s, address := script(t, nil)
			asked := 0
			s.stream = func(n int64, request *sluicev1.GetFeaturesRequest, out grpc.ServerStreamingServer[sluicev1.FeaturesPart]) error {
				asked = len(request.GetKeys()["user"].GetVal())
				if n < 3 {
					return broken(tc.after, tc.err)(request, out)
				}
				return broken(-1, nil)(request, out)
			}
			c := dial(t, client.Config{GRPC: address, Timeout: time.Minute, Retry: client.Retry{Base: time.Millisecond}})
			got, err := 0, error(nil)
			for part, bad := range c.Stream(t.Context(), client.Request{View: "v", Keys: keysOf(rows)}) {
				if err = bad; err != nil {
					break
				}
				for _, row := range part.Rows {
					if row.Value("f") != fmt.Sprintf("u%d", got) || row.Key["user"] != row.Value("f") {
						t.Fatalf("row %d is %v of %v", got, row.Value("f"), row.Key)
					}
					got++
				}
			}
			want := rows
			if tc.code != "" {
				want = tc.after * partSize
			}
			if code(err) != tc.code || got != want || s.calls.Load() != tc.tries {
				t.Errorf("%d rows in %d streams, %v; want %d in %d, %q", got, s.calls.Load(), err, want, tc.tries, tc.code)
			}
			if tc.code == "" && asked != rows-2*tc.after*partSize {
				t.Errorf("the last stream asked for %d keys, want only the %d that had not come", asked, rows-2*tc.after*partSize)
			}
		})
	}
}

// TestStreamHangs waits for a part no longer than Timeout, and not for a caller that is slow.
func TestStreamHangs(t *testing.T) {
	s, address := script(t, nil)
	s.stream = func(_ int64, request *sluicev1.GetFeaturesRequest, out grpc.ServerStreamingServer[sluicev1.FeaturesPart]) error {
		if err := out.Send(partOf(request, 0)); err != nil {
			return err
		}
		<-out.Context().Done()
		return out.Context().Err()
	}
	c := dial(t, client.Config{GRPC: address, Timeout: 200 * time.Millisecond, Retry: client.Retry{Base: time.Millisecond}})
	begun, rows, err := time.Now(), 0, error(nil)
	for part, bad := range c.Stream(t.Context(), client.Request{View: "v", Keys: keysOf(20)}) {
		if err = bad; err == nil {
			rows += len(part.Rows)
		}
	}
	if code(err) != "unavailable" || !errors.Is(err, context.DeadlineExceeded) || rows != partSize || time.Since(begun) > 10*time.Second {
		t.Errorf("%d rows and %v after %s", rows, err, time.Since(begun))
	}
}

// TestStreamBudget asks a server that is down: a stream has the tries of a call.
func TestStreamBudget(t *testing.T) {
	s, address := script(t, nil)
	s.stream = func(_ int64, _ *sluicev1.GetFeaturesRequest, _ grpc.ServerStreamingServer[sluicev1.FeaturesPart]) error {
		return failure(codes.Unavailable)
	}
	c := dial(t, client.Config{GRPC: address, Timeout: time.Minute, Retry: client.Retry{Attempts: 50, Base: time.Millisecond, Ratio: .01, Burst: 2}})
	for range c.Stream(t.Context(), client.Request{View: "v", Keys: keysOf(1)}) {
	}
	if got := s.calls.Load(); got != 3 {
		t.Errorf("%d streams, want the first and the 2 that are saved up", got)
	}
}
