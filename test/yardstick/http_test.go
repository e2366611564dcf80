//go:build services

package yardstick

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	feasttypes "sluice/api/feast/types"
)

// plainHTTP is the same over net/http and encoding/json.
type plainHTTP struct {
	redis  *goredis.Client
	fields map[string]string
}

type plainRequest struct {
	Features []string            `json:"features"`
	Entities map[string][]string `json:"entities"`
	Full     bool                `json:"full_feature_names"`
}

type plainReply struct {
	Results  []plainColumn `json:"results"`
	Metadata struct {
		FeatureNames []string `json:"feature_names"`
	} `json:"metadata"`
}

type plainColumn struct {
	Values          []any    `json:"values"`
	Statuses        []string `json:"statuses"`
	EventTimestamps []string `json:"event_timestamps"`
}

func newPlainHTTP(addr string) http.Handler {
	s := &plainHTTP{redis: goredis.NewClient(&goredis.Options{Addr: addr, Protocol: 2}), fields: map[string]string{}}
	for i := range features {
		s.fields[viewName+":"+featureName(i)] = hashField(i)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /get-online-features", s.getOnlineFeatures)
	return mux
}

func (s *plainHTTP) getOnlineFeatures(w http.ResponseWriter, r *http.Request) {
	var in plainRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out := plainReply{Results: make([]plainColumn, len(in.Features)+1)}
	out.Metadata.FeatureNames = []string{joinKey}
	fields := make([]string, 0, len(in.Features)+1)
	for _, ref := range in.Features {
		field, ok := s.fields[ref]
		if !ok {
			http.Error(w, "no feature "+ref, http.StatusNotFound)
			return
		}
		_, name, _ := strings.Cut(ref, ":")
		fields, out.Metadata.FeatureNames = append(fields, field), append(out.Metadata.FeatureNames, name)
	}
	fields = append(fields, timeField)
	users := in.Entities[joinKey]
	answers := make([]*goredis.SliceCmd, len(users))
	p := s.redis.Pipeline()
	for i, user := range users {
		answers[i] = p.HMGet(r.Context(), feastKey(user), fields...)
	}
	if _, err := p.Exec(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	add := func(column int, v any, status, at string) {
		c := &out.Results[column]
		c.Values, c.Statuses, c.EventTimestamps = append(c.Values, v), append(c.Statuses, status), append(c.EventTimestamps, at)
	}
	for i, answer := range answers {
		add(0, users[i], "PRESENT", "1970-01-01T00:00:00Z")
		cells := answer.Val()
		var at timestamppb.Timestamp
		if text, ok := cells[len(in.Features)].(string); ok {
			if err := proto.Unmarshal([]byte(text), &at); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		for j := range in.Features {
			text, ok := cells[j].(string)
			if !ok {
				add(j+1, nil, "NOT_FOUND", "1970-01-01T00:00:00Z")
				continue
			}
			var v feasttypes.Value
			if err := proto.Unmarshal([]byte(text), &v); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			add(j+1, v.GetDoubleVal(), "PRESENT", at.AsTime().Format(time.RFC3339))
		}
	}
	w.Header().Set("Content-Type", "application/json")
	// The client may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(out)
}
