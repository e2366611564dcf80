package feastregistry

import (
	"context"
	"encoding/json"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	registrypb "sluice/api/feast/registry"
	"sluice/feature"
)

func connect(t *testing.T, s *Server) registrypb.RegistryServerClient {
	t.Helper()
	l, server := bufconn.Listen(1<<16), grpc.NewServer()
	s.Register(server)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:registry", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return registrypb.NewRegistryServerClient(conn)
}

func shop(views ...string) *feature.Definitions {
	driver := feature.Entity{Name: "driver_id", Type: feature.Int64}
	defs := &feature.Definitions{Project: "shop", Entities: []feature.Entity{driver}}
	for _, name := range views {
		defs.Views = append(defs.Views, feature.View{
			Name: name, Entities: []feature.Entity{driver}, Tags: map[string]string{"of": name},
			Features: []feature.Feature{{Name: "trips", Type: feature.Int64}, {Name: name + "_only", Type: feature.Int64}},
		})
		defs.Services = append(defs.Services, feature.Service{Name: name + "_model", Features: []string{name + ":trips"}})
	}
	return defs
}

func TestListAllFeatureViews(t *testing.T) {
	client := connect(t, New(func() (*feature.Definitions, uint64) { return shop("drivers", "riders"), 1 }))
	for name, tc := range map[string]struct {
		in   *registrypb.ListAllFeatureViewsRequest
		want []string
	}{
		"all":             {&registrypb.ListAllFeatureViewsRequest{}, []string{"drivers", "riders"}},
		"by tag":          {&registrypb.ListAllFeatureViewsRequest{Tags: map[string]string{"of": "riders"}}, []string{"riders"}},
		"by two tags":     {&registrypb.ListAllFeatureViewsRequest{Tags: map[string]string{"of": "riders", "x": ""}}, nil},
		"by entity":       {&registrypb.ListAllFeatureViewsRequest{Entity: "driver_id"}, []string{"drivers", "riders"}},
		"no such entity":  {&registrypb.ListAllFeatureViewsRequest{Entity: "driver"}, nil},
		"by feature":      {&registrypb.ListAllFeatureViewsRequest{Feature: "riders_only"}, []string{"riders"}},
		"by service":      {&registrypb.ListAllFeatureViewsRequest{FeatureService: "drivers_model"}, []string{"drivers"}},
		"no such service": {&registrypb.ListAllFeatureViewsRequest{FeatureService: "model"}, nil},
		"by push source":  {&registrypb.ListAllFeatureViewsRequest{DataSource: "drivers"}, []string{"drivers"}},
		"by batch source": {&registrypb.ListAllFeatureViewsRequest{DataSource: "riders_rows"}, []string{"riders"}},
		"another project": {&registrypb.ListAllFeatureViewsRequest{Project: "other"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.in.Project == "" {
				tc.in.Project = "shop"
			}
			out, err := client.ListAllFeatureViews(t.Context(), tc.in)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range out.GetFeatureViews() {
				got = append(got, v.GetFeatureView().GetSpec().GetName())
			}
			if len(got) != len(tc.want) || len(got) > 0 && got[0] != tc.want[0] {
				t.Errorf("ListAllFeatureViews(%v) = %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

// TestGeneration wants new definitions to be answered at once.
func TestGeneration(t *testing.T) {
	defs, generation := shop("drivers"), uint64(1)
	client := connect(t, New(func() (*feature.Definitions, uint64) { return defs, generation }))
	count := func() int {
		out, err := client.ListFeatureViews(t.Context(), &registrypb.ListObjectsRequest{Project: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.GetFeatureViews())
	}
	if n := count(); n != 1 {
		t.Fatalf("%d views, want 1", n)
	}
	defs, generation = shop("drivers", "riders"), 2
	if n := count(); n != 2 {
		t.Errorf("%d views of generation 2, want 2", n)
	}
}

func TestErrors(t *testing.T) {
	client := connect(t, New(func() (*feature.Definitions, uint64) { return shop("drivers"), 1 }))
	get := &registrypb.GetObjectRequest{Name: "driver", Project: "shop"}
	for name, tc := range map[string]struct {
		call  func() error
		code  codes.Code
		class string
	}{
		"view":        {func() error { _, err := client.GetFeatureView(t.Context(), get); return err }, codes.NotFound, noView},
		"any view":    {func() error { _, err := client.GetAnyFeatureView(t.Context(), get); return err }, codes.NotFound, noView},
		"on demand":   {func() error { _, err := client.GetOnDemandFeatureView(t.Context(), get); return err }, codes.NotFound, noOnDemand},
		"entity":      {func() error { _, err := client.GetEntity(t.Context(), get); return err }, codes.NotFound, noEntity},
		"service":     {func() error { _, err := client.GetFeatureService(t.Context(), get); return err }, codes.NotFound, noService},
		"data source": {func() error { _, err := client.GetDataSource(t.Context(), get); return err }, codes.NotFound, noSource},
		"dataset":     {func() error { _, err := client.GetSavedDataset(t.Context(), get); return err }, codes.NotFound, noDataset},
		"permission":  {func() error { _, err := client.GetPermission(t.Context(), get); return err }, codes.NotFound, noRight},
		"project": {func() error {
			_, err := client.GetProject(t.Context(), &registrypb.GetProjectRequest{Name: "x"})
			return err
		}, codes.NotFound, noProject},
		"apply":  {func() error { _, err := client.ApplyEntity(t.Context(), &registrypb.WriteRequest{}); return err }, codes.FailedPrecondition, "ReadOnlyRegistryException"},
		"delete": {func() error { _, err := client.DeleteProject(t.Context(), &registrypb.WriteRequest{}); return err }, codes.FailedPrecondition, "ReadOnlyRegistryException"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.call()
			var detail struct{ Module, Class, Message string }
			if json.Unmarshal([]byte(status.Convert(err).Message()), &detail) != nil || status.Code(err) != tc.code || detail.Module != "feast.errors" || detail.Class != tc.class || detail.Message == "" {
				t.Errorf("= %v, want %v of class %s", err, tc.code, tc.class)
			}
		})
	}
}
