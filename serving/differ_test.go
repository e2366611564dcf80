package serving

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	feastserving "sluice/api/feast/serving"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
	"sluice/serving/jsonform"
	"sluice/serving/refusal"
	"sluice/serving/wireform"
)

// The targets of this file hold readers and writers that are written by hand against
// the protobuf runtime and encoding/json: the same inputs are taken, with the same
// values, and what is written reads back there as what it was.

// FuzzWireSame reads any bytes as they are, and as the runtime writes what it understands
// of them: both are answered alike.
func FuzzWireSame(f *testing.F) {
	asOf := ownRequest(columnsOf{"user_id": texts("a")}, 0, "users:f00")
	asOf.AsOfVersions = map[string]uint64{"users": 1}
	for _, m := range []proto.Message{
		feastRequest(columnsOf{"user_id": texts("a", "")}, "users:f00", "users:f01"),
		feastRequest(columnsOf{"driver_id": longs(1, -1), "user_id": texts("a", "b")}, "pairs:f00", "drivers:tags"),
		ownRequest(columnsOf{"user_id": texts("a")}, sluicev1.Policy_POLICY_NULL, "users:*"),
		ownRequest(columnsOf{"driver_id": longs(1)}, sluicev1.Policy_POLICY_FLAG, "drivers:*"),
		&sluicev1.GetFeaturesRequest{What: &sluicev1.GetFeaturesRequest_Service{Service: "model"}, Keys: columnsOf{"user_id": texts("a"), "driver_id": longs(1)}},
		asOf,
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		for _, own := range []bool{false, true} {
			f.Add(b, own)
			f.Add(append(slices.Clone(b), b...), own)
			f.Add(append(slices.Clone(b), 0x2a, 0, 0xa2, 1, 1, 'x'), own)
			// A join key with a field that nobody knows.
			f.Add(append(slices.Clone(b), "\x1a\x13\x0a\x07user_id\x12\x08\x0a\x06\x12\x01a\xf8\x07\x01"...), own)
		}
	}
	s := fuzzFixture(f)
	read := func(b []byte, own bool) ([]byte, error) {
		buffer, err := s.readWire(context.Background(), b, own)
		if err != nil {
			return nil, err
		}
		defer buffer.Free()
		return bytes.Clone(buffer.ReadOnlyData()), nil
	}
	f.Fuzz(func(t *testing.T, b []byte, own bool) {
		s.renew(t)
		got, err := read(bytes.Clone(b), own)
		plain, refused := wireform.Usual(b, own)
		if refused != nil {
			if err == nil {
				t.Fatalf("%x (own %v) is answered, the runtime says %v", b, own, refused)
			}
			return
		}
		want, wantErr := read(plain, own)
		if err != nil && strings.Contains(err.Error(), "cannot be decoded") {
			t.Fatalf("%x (own %v), which the runtime reads: %v", b, own, err)
		}
		if (err == nil) != (wantErr == nil) || err != nil && refusal.GRPCCode(err) != refusal.GRPCCode(wantErr) || !bytes.Equal(got, want) {
			t.Fatalf("%x (own %v) = %x, %v; as the runtime writes it, %x: %x, %v", b, own, got, err, plain, want, wantErr)
		}
		if err == nil {
			checkCanonical(t, got, own)
		}
	})
}

// checkCanonical wants the runtime to write a reply as it was written by hand.
func checkCanonical(t *testing.T, b []byte, own bool) {
	t.Helper()
	var m proto.Message = &feastserving.GetOnlineFeaturesResponse{}
	if own {
		m = &sluicev1.GetFeaturesResponse{}
	}
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatalf("reply %x: %v", b, err)
	}
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil || !bytes.Equal(again, b) {
		t.Fatalf("reply %x is written by the runtime as %x, %v", b, again, err)
	}
}

// FuzzFeastRequest reads any body as Feast's request by hand and with encoding/json.
func FuzzFeastRequest(f *testing.F) {
	for _, seed := range []string{
		`{"features":["users:f01","a"],"entities":{"user_id":["a",1]},"full_feature_names":true}`,
		`{"feature_service":"model","features":null,"entities":{"a":[],"\u0061":[1],"b" : {}}, "full_feature_names" : null }`,
		`{"feature_service":"","features":["\u0061\ud800"],"entities":{}}`, `{"features":[],"features":["b"],"entities":{"x":[[1],[2,3]]},"more":[{}]}`,
		`[1]`, `{"features":[1],"entities":{}}`, `{"entities":null}`, `{"Features":["a"],"entities":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var r jsonRequest
		err := r.parse(body)
		var refs []string
		if err == nil && r.features != nil {
			refs, err = r.refs()
		}
		want, wrong := decodedFeast(body)
		if (err == nil) != (wrong == nil) {
			t.Fatalf("%q: %v by hand, %v with encoding/json", body, err, wrong)
		}
		if err != nil {
			return
		}
		entities := map[string]json.RawMessage{}
		for key, value := range jsonform.Members(r.entities) {
			entities[jsonform.Text(key)] = value
		}
		if r.service != want.service || !slices.Equal(refs, want.refs) || r.full != want.full || !sameJSON(entities, want.entities) {
			t.Fatalf("%q is %q %q %v %s by hand, %+v with encoding/json", body, r.service, refs, r.full, entities, want)
		}
	})
}

type feastDocument struct {
	service  string
	refs     []string
	entities map[string]json.RawMessage
	full     bool
}

// decodedFeast is the oracle of FuzzFeastRequest: of members given twice the last holds,
// null is as if left out, but for entities.
func decodedFeast(body []byte) (out feastDocument, err error) {
	if !json.Valid(body) || !jsonform.WellFormed(body) {
		return out, io.ErrUnexpectedEOF
	}
	for _, m := range objectMembers(body) {
		switch m.key {
		case "features":
			var list []json.RawMessage
			if err = json.Unmarshal(m.value, &list); err != nil {
				return out, err
			}
			out.refs = nil
			if list != nil {
				out.refs = []string{}
			}
			err = nil
			for _, item := range list {
				var ref *string
				if json.Unmarshal(item, &ref) != nil || ref == nil {
					ref = new(string)
					*ref = notText
				}
				out.refs = append(out.refs, *ref)
			}
		case "feature_service":
			out.service = ""
			err = json.Unmarshal(m.value, &out.service)
		case "full_feature_names":
			out.full = false
			err = json.Unmarshal(m.value, &out.full)
		case "entities":
			out.entities = nil
			if err = json.Unmarshal(m.value, &out.entities); err == nil && out.entities == nil {
				err = io.ErrUnexpectedEOF
			}
		}
		if err != nil {
			return out, err
		}
	}
	if trimmedText := bytes.TrimLeft(body, " \t\r\n"); trimmedText[0] != '{' {
		return out, io.ErrUnexpectedEOF
	}
	switch {
	case out.refs == nil && out.service == "", out.refs != nil && out.service != "", out.entities == nil, slices.Contains(out.refs, notText):
		return out, io.ErrUnexpectedEOF
	}
	return out, nil
}

// notText stands for an element that is no string.
const notText = "\xff"

type member struct {
	key   string
	value json.RawMessage
}

// objectMembers returns the members of an object in order, with encoding/json.
func objectMembers(body []byte) (out []member) {
	d := json.NewDecoder(bytes.NewReader(body))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return out
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return out
		}
		out = append(out, member{key.(string), value})
	}
	return out
}

func sameJSON(a, b map[string]json.RawMessage) bool {
	if len(a) != len(b) {
		return false
	}
	for key, value := range a {
		var x, y bytes.Buffer
		if json.Compact(&x, value) != nil || json.Compact(&y, b[key]) != nil || !bytes.Equal(x.Bytes(), y.Bytes()) {
			return false
		}
	}
	return true
}

// FuzzReplies stores a row of any values and reads it over every door: all of them give
// the same values, read with the runtime, and over HTTP as package jsonform writes them,
// which its own tests hold against encoding/json.
func FuzzReplies(f *testing.F) {
	f.Add(uint64(1), "a<\"ü", 0.1, int64(-1))
	f.Add(uint64(2), "\u2028\x00", math.NaN(), int64(math.MaxInt64))
	s := fuzzFixture(f)
	version := uint64(0)
	f.Fuzz(func(t *testing.T, seed uint64, text string, x float64, n int64) {
		text = strings.ToValidUTF8(text, "?")
		s.renew(t)
		rng := rand.New(rand.NewPCG(seed, 1))
		row := slices.Clone(values)
		row[0], row[1], row[2], row[3] = feature.Float64Value(x), feature.Float32Value(float32(x)), feature.Int64Value(n), feature.Int32Value(int32(n))
		row[4], row[5], row[6], row[7] = feature.StringValue(text), feature.BytesValue([]byte(text)), feature.BoolValue(n&1 == 0), feature.UnixSecondsValue(n%jsonform.MaxSecond)
		row[9] = feature.ListValue(feature.String, []feature.Value{feature.StringValue(text), feature.StringValue("")})
		row[10] = feature.ListValue(feature.Float64, []feature.Value{feature.Float64Value(x), feature.Float64Value(-x)})
		for range rng.IntN(4) {
			row[rng.IntN(len(row))] = feature.Null
		}
		version++
		v := s.registry.defs.View("drivers")
		key, err := feature.NewKey(v, driver(1))
		if err != nil {
			t.Fatal(err)
		}
		record := feature.Record{EventTime: start.UnixNano(), Seq: version, Row: feature.AppendRow(nil, v, row)}
		if _, err := s.rows.Stage(t.Context(), v.ID, 1, []feature.Row{{Key: key, Record: record}}); err != nil {
			t.Fatal(err)
		}
		var own struct {
			Rows []struct{ Values map[string]json.RawMessage }
		}
		var feast struct {
			Results []struct{ Values []json.RawMessage }
		}
		refs := make([]string, len(types))
		for i, f := range types {
			refs[i] = "drivers:" + f.Name
		}
		_, body := s.post(t, "/api/v1/views/drivers/rows", `{"keys":[{"driver_id":1}]}`)
		_, feastBody := s.post(t, "/get-online-features", `{"features":["`+strings.Join(refs, `","`)+`"],"entities":{"driver_id":[1]}}`)
		wire, err := proto.Marshal(feastRequest(columnsOf{"driver_id": longs(1)}, refs...))
		if err == nil {
			err = json.Unmarshal([]byte(body), &own)
		}
		if err == nil {
			err = json.Unmarshal([]byte(feastBody), &feast)
		}
		buffer, err2 := s.readWire(t.Context(), wire, false)
		if err != nil || err2 != nil || len(own.Rows) != 1 || len(feast.Results) != len(types)+1 {
			t.Fatalf("%s, %s: %v, %v", body, feastBody, err, err2)
		}
		var reply feastserving.GetOnlineFeaturesResponse
		if err := proto.Unmarshal(buffer.ReadOnlyData(), &reply); err != nil {
			t.Fatal(err)
		}
		for i, f := range types {
			cell, err := proto.Marshal(reply.Results[i+1].Values[0])
			if err != nil {
				t.Fatal(err)
			}
			if f.Type == feature.JSON {
				continue // stored packed; nested_test.go reads it
			}
			want := feature.AppendValue(nil, row[i])
			if row[i].IsNull() {
				want = nil
			}
			if !bytes.Equal(cell, want) {
				t.Fatalf("%s is stored as %x and given over gRPC as %x", f.Name, want, cell)
			}
			for style, text := range map[jsonform.Style]json.RawMessage{jsonform.Own: own.Rows[0].Values[f.Name], jsonform.Feast: feast.Results[i+1].Values[0]} {
				if expected := jsonform.Append(nil, want, f.Type, style); !bytes.Equal(text, expected) {
					t.Fatalf("%s is %s in style %d, want %s", f.Name, text, style, expected)
				}
			}
		}
	})
}

// FuzzPushed pushes any cells of JSON: what is appended to the log reads there, with
// encoding/json, as what the cells hold.
func FuzzPushed(f *testing.F) {
	f.Add(`"a\u2028"`, `1.5e3`, `-7`, `"AP8="`)
	f.Add(`null`, `"NaN"`, `9223372036854775807`, `null`)
	s := fuzzFixture(f)
	f.Fuzz(func(t *testing.T, text, number, whole, raw string) {
		s.renew(t)
		s.pushed = nil
		body := fmt.Sprintf(`{"push_source_name":"drivers","to":"online","df":{"driver_id":[1],"event_timestamp":["2026-11-23T12:00:00Z"],"city":[%s],"rate":[%s],"trips":[%s],"raw":[%s]}}`, text, number, whole, raw)
		status, _ := s.post(t, "/push", body)
		if status != 200 {
			return
		}
		var sent struct{ DF map[string][]any }
		var got struct{ Values map[string]any }
		decode := func(in string, to any) {
			d := json.NewDecoder(strings.NewReader(in))
			d.UseNumber()
			if err := d.Decode(to); err != nil {
				t.Fatalf("%q: %v", in, err)
			}
		}
		decode(body, &sent)
		decode(s.pushed[0], &got)
		for _, name := range []string{"city", "rate", "trips", "raw"} {
			if list := sent.DF[name]; len(s.pushed) != 1 || len(list) != 1 || !sameNumber(got.Values[name], list[0]) {
				t.Fatalf("%s: sent %v in %q, the log has %v in %q", name, list, body, got.Values[name], s.pushed)
			}
		}
	})
}

// sameNumber compares what encoding/json reads; numbers by their value.
func sameNumber(a, b any) bool {
	x, ok := a.(json.Number)
	y, both := b.(json.Number)
	if !ok || !both {
		return reflect.DeepEqual(a, b)
	}
	f, err1 := x.Float64()
	g, err2 := y.Float64()
	return x == y || err1 == nil && err2 == nil && f == g
}
