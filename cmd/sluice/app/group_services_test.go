//go:build services

package app

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
	"sluice/serving"
	"sluice/store/placement"
	"sluice/store/redis"
	"sluice/test/processor"
	"sluice/test/services"
)

// fixed is a source of definitions that stay.
type fixed struct {
	defs    feature.Definitions
	vectors map[feature.ViewID]feature.Vector
}

func (f fixed) Definitions(context.Context) (feature.Definitions, uint64, error) {
	return f.defs, 1, nil
}
func (f fixed) Vectors(context.Context) (map[feature.ViewID]feature.Vector, error) {
	return f.vectors, nil
}
func (f fixed) Changed() <-chan struct{} { return nil }

const groupViews, groupEntities, groupVersions = 5, 10_000, 3

// BenchmarkGroup is a request for two features of each of five views, or of one of them,
// through the whole
// server, but for the connection to its client: views that are in a group, and the same
// ones that are not. Entities have three records in each view, one of them listed and one
// not. cpu-µs is of the process, redis-µs of the server, both for each request.
func BenchmarkGroup(b *testing.B) {
	addr, name := services.Start(b, "redis").Redis()[0], services.Name(b)
	config := redis.DefaultConfig()
	config.Addrs, config.Prefix = []string{addr}, name[len(name)-8:]+":"
	admin := goredis.NewClient(&goredis.Options{Addr: addr})
	b.Cleanup(func() {
		for iter := admin.Scan(context.Background(), 0, config.Prefix+"*", 1000).Iterator(); iter.Next(context.Background()); {
			admin.Unlink(context.Background(), iter.Val())
		}
		admin.Close()
	})
	if err := admin.ConfigSet(b.Context(), "hash-max-listpack-value", "512").Err(); err != nil { // as the store asks for
		b.Fatal(err)
	}
	stores, err := placement.Open(b.Context(), placement.Options{Default: func(ctx context.Context) (placement.Store, error) {
		return redis.Open(ctx, redis.Options{Config: config})
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stores.Close() })
	source := fixed{vectors: map[feature.ViewID]feature.Vector{}}
	for n := range 2 * groupViews {
		v := feature.View{ID: feature.ViewID(n + 1), Name: fmt.Sprint("v", n), Entities: []feature.Entity{{Name: "user", Type: feature.Int64}}}
		for f := range 5 {
			v.Features = append(v.Features, feature.Feature{ID: uint32(f + 1), Name: fmt.Sprint("f", f), Type: feature.Float64})
		}
		if n >= groupViews {
			v.Group = "users"
		}
		source.defs.Views = append(source.defs.Views, v)
		source.vectors[v.ID] = feature.Vector{Generation: 1, Floor: 1, Visible: []feature.Version{2}}
		stores.Group(map[feature.ViewID]string{v.ID: v.Group})
		stores.Place(map[feature.ViewID]string{v.ID: ""})
		stageGroup(b, stores, &v)
	}
	server, err := serving.New(serving.DefaultConfig(), serving.Deps{Rows: stores, Source: source})
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Refresh(b.Context()); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	b.Cleanup(func() { stop(); <-done })
	handler := server.HTTP()
	for _, of := range []struct{ asked, entities int }{{groupViews, 1}, {groupViews, 100}, {1, 1}, {1, 100}} {
		for kind, first := range map[string]int{"views": 0, "group": groupViews} {
			b.Run(fmt.Sprintf("asked=%d/entities=%d/by=%s", of.asked, of.entities, kind), func(b *testing.B) {
				bodies := groupRequests(first, of.asked, of.entities)
				begun, at, n := processor.Time().Seconds(), cpuOf(b, admin), 0
				b.ReportAllocs()
				for b.Loop() {
					w := httptest.NewRecorder()
					handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/get-online-features", strings.NewReader(bodies[n%len(bodies)])))
					if n++; w.Code != http.StatusOK || strings.Contains(w.Body.String(), "NOT_FOUND") {
						b.Fatalf("%d %s", w.Code, w.Body)
					}
				}
				b.ReportMetric((processor.Time().Seconds()-begun)*1e6/float64(b.N), "cpu-µs/op")
				b.ReportMetric((cpuOf(b, admin)-at)*1e6/float64(b.N), "redis-µs/op")
			})
		}
	}
}

// stageGroup writes three versions of every entity of a view.
func stageGroup(b *testing.B, stores *placement.Stores, v *feature.View) {
	b.Helper()
	for version := feature.Version(1); version <= groupVersions; version++ {
		var rows []feature.Row
		for i := range groupEntities {
			key, err := feature.NewKey(v, []feature.Value{feature.Int64Value(int64(i))})
			if err != nil {
				b.Fatal(err)
			}
			var values []feature.Value
			for f := range v.Features {
				values = append(values, feature.Float64Value(float64(i)/float64(f+3)))
			}
			rows = append(rows, feature.Row{Key: key, Record: feature.Record{EventTime: int64(version), Seq: uint64(i), Row: feature.AppendRow(nil, v, values)}})
		}
		if _, err := stores.Stage(b.Context(), v.ID, version, rows); err != nil {
			b.Fatal(err)
		}
	}
}

// groupRequests makes requests for two features of some views, the first of which is
// given, of random entities.
func groupRequests(first, asked, entities int) (bodies []string) {
	var refs []string
	for n := first; n < first+asked; n++ {
		refs = append(refs, fmt.Sprintf(`"v%d:f0","v%d:f3"`, n, n))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 256 {
		keys := make([]string, entities)
		for i := range keys {
			keys[i] = strconv.Itoa(rng.IntN(groupEntities))
		}
		bodies = append(bodies, fmt.Sprintf(`{"features":[%s],"full_feature_names":true,"entities":{"user":[%s]}}`, strings.Join(refs, ","), strings.Join(keys, ",")))
	}
	return bodies
}

// cpuOf is the time in seconds that a Redis server has spent on processors.
func cpuOf(b *testing.B, c *goredis.Client) (seconds float64) {
	b.Helper()
	info, err := c.Info(b.Context(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_user" || name == "used_cpu_sys" {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				b.Fatal(err)
			}
			seconds += n
		}
	}
	return seconds
}
