package feast

import (
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	feastcore "sluice/api/feast/core"
	"sluice/feature"
)

func definitions() *feature.Definitions {
	driver, city := feature.Entity{Name: "driver_id", Type: feature.Int64}, feature.Entity{Name: "city_id", Type: feature.String}
	return &feature.Definitions{
		Project:  "shop",
		Entities: []feature.Entity{city, driver, {Name: "unused", Type: feature.Bool}},
		Views: []feature.View{
			{
				Name: "drivers", Entities: []feature.Entity{driver}, TTL: time.Hour, Owner: "o", Description: "d", Tags: map[string]string{"team": "fleet"},
				Source:   feature.Source{EventTime: "at"},
				Features: []feature.Feature{{Name: "trips", Type: feature.Int64, Unit: "trips", TTL: time.Minute}, {Name: "tags", Type: feature.ListOf(feature.String), Description: "t"}},
			},
			{Name: "visits", Entities: []feature.Entity{driver, city}, Features: []feature.Feature{{Name: "rating", Type: feature.Float32, NotFinite: feature.NotFiniteNull}}},
		},
		Services: []feature.Service{{Name: "model", Features: []string{"visits:rating", "drivers:tags"}}},
	}
}

func TestExport(t *testing.T) {
	got := Export(definitions(), 7)
	var want feastcore.Registry
	const driversRows = `name: "drivers_rows" project: "shop" type: BATCH_FILE timestamp_field: "at" description: "The rows of a view of Sluice, which are not to be read as a file" file_options { uri: "sluice://shop/drivers" }`
	const visitsRows = `name: "visits_rows" project: "shop" type: BATCH_FILE timestamp_field: "event_time" description: "The rows of a view of Sluice, which are not to be read as a file" file_options { uri: "sluice://shop/visits" }`
	const drivers = `name: "drivers" project: "shop" type: PUSH_SOURCE timestamp_field: "at" batch_source { ` + driversRows + ` } push_options {}`
	const visits = `name: "visits" project: "shop" type: PUSH_SOURCE timestamp_field: "event_time" batch_source { ` + visitsRows + ` } push_options {}`
	if err := prototext.Unmarshal([]byte(`
		registry_schema_version: "1" version_id: "7"
		projects { spec { name: "shop" } meta {} }
		project_metadata { project: "shop" project_uuid: "shop" }
		entities { spec { name: "driver_id" join_key: "driver_id" value_type: INT64 project: "shop" } meta {} }
		entities { spec { name: "city_id" join_key: "city_id" value_type: STRING project: "shop" } meta {} }
		entities { spec { name: "unused" join_key: "unused" value_type: BOOL project: "shop" } meta {} }
		data_sources { `+driversRows+` } data_sources { `+drivers+` } data_sources { `+visitsRows+` } data_sources { `+visits+` }
		feature_views {
			spec {
				name: "drivers" project: "shop" description: "d" owner: "o" tags { key: "team" value: "fleet" } ttl { seconds: 3600 } online: true
				entities: "driver_id" entity_columns { name: "driver_id" value_type: INT64 }
				features { name: "trips" value_type: INT64 tags { key: "unit" value: "trips" } tags { key: "ttl" value: "1m0s" } }
				features { name: "tags" value_type: STRING_LIST description: "t" }
				batch_source { `+driversRows+` } stream_source { `+drivers+` }
			}
			meta { state: AVAILABLE_ONLINE }
		}
		feature_views {
			spec {
				name: "visits" project: "shop" ttl {} online: true entities: "driver_id" entities: "city_id"
				entity_columns { name: "driver_id" value_type: INT64 } entity_columns { name: "city_id" value_type: STRING }
				features { name: "rating" value_type: FLOAT tags { key: "not_finite" value: "null" } } batch_source { `+visitsRows+` } stream_source { `+visits+` }
			}
			meta { state: AVAILABLE_ONLINE }
		}
		feature_services {
			spec {
				name: "model" project: "shop"
				features { feature_view_name: "visits" view_type: "featureView" feature_columns { name: "rating" value_type: FLOAT tags { key: "not_finite" value: "null" } } }
				features { feature_view_name: "drivers" view_type: "featureView" feature_columns { name: "tags" value_type: STRING_LIST description: "t" } }
			}
			meta {}
		}`), &want); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, &want) {
		t.Errorf("Export =\n%s\nwant\n%s", prototext.Format(got), prototext.Format(&want))
	}
}

// TestTypes wants every type of a definition to come back.
func TestTypes(t *testing.T) {
	for _, elem := range []feature.Type{feature.Int32, feature.Int64, feature.Float32, feature.Float64, feature.String, feature.Bytes, feature.Bool, feature.Timestamp, feature.JSON} {
		for _, typ := range []feature.Type{elem, feature.ListOf(elem)} {
			if got := types[valueTypes[typ]]; typ.Valid() && got != typ {
				t.Errorf("%s becomes %v and then %s", typ, valueTypes[typ], got)
			}
		}
	}
}
