package tap

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sluice/feature"
	"sluice/quality/sketch"
)

func TestConfigValidate(t *testing.T) {
	if err := errors.Join(DefaultConfig().Validate(), DefaultTopics().Validate()); err != nil {
		t.Errorf("defaults: %v", err)
	}
	err := errors.Join(Config{Checkpoint: -1}.Validate(), Topics{Writes: "a", Profiles: "a"}.Validate())
	for _, key := range []string{"group", "checkpoint", "ahead", "poll", "session", "max_record", "dedupe_ids", "stage_rows", "fetch_bytes", "profiles", "dead_letters", "partitions"} {
		if err == nil || !strings.Contains(err.Error(), key+":") && !strings.Contains(err.Error(), key+",") {
			t.Errorf("Validate() = %v, does not name %s", err, key)
		}
	}
	if _, err := New(DefaultConfig(), nil, Deps{}); err == nil {
		t.Error("New without dependencies succeeded")
	}
}

// Appends return where they are; a broker on a folder gives back what was there.
func TestBrokerKeepsItsLog(t *testing.T) {
	cfg := BrokerConfig{Listen: "127.0.0.1:0", Data: t.TempDir(), SyncWrites: true}
	for round := range int64(2) {
		broker, err := StartBroker(cfg)
		if err != nil {
			t.Fatal(err)
		}
		log, err := NewLog(LogConfig{Brokers: broker.Addrs(), Topics: DefaultTopics()})
		if err != nil {
			t.Fatal(err)
		}
		if err := log.EnsureTopics(t.Context(), "own"); err != nil {
			t.Fatal(err)
		}
		one := int32(1)
		got, err := log.Append(t.Context(), "own", []Out{{Value: []byte("a"), Partition: &one}, {Value: []byte("b"), Partition: &one}})
		want := []feature.Span{{Topic: "own", Partition: 1, First: 2 * round, Last: 2*round + 1}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Append = %+v, %v, want %+v", got, err, want)
		}
		counts, err := log.Partitions(t.Context(), "own", "sluice.profiles", "sluice.dead")
		if err != nil || counts["own"] != 4 || counts["sluice.profiles"] != 4 || counts["sluice.dead"] != 4 {
			t.Errorf("partitions = %v, %v, want 4 each", counts, err)
		}
		if err := errors.Join(log.Close(), broker.Close()); err != nil {
			t.Error(err)
		}
	}
	for _, listen := range []string{"nowhere", "127.0.0.1:x", "256.0.0.1:0"} {
		if b, err := StartBroker(BrokerConfig{Listen: listen}); err == nil {
			_ = b.Close()
			t.Errorf("StartBroker(%q) succeeded", listen)
		}
	}
}

func TestDeadLetterCursor(t *testing.T) {
	r := newRig(t, 1, delays())
	for _, cursor := range []string{"!", "e30", "Wy0xXQ"} {
		if _, _, err := r.log.DeadLetters(r.ctx, cursor, 1); !errors.Is(err, ErrCursor) {
			t.Errorf("DeadLetters(%q) = %v, want ErrCursor", cursor, err)
		}
	}
	// A record that is refused again after a restart is listed once.
	r.start()
	for i := range 7 {
		r.send("sluice.writes", Out{Value: []byte("broken"), Key: []byte(fmt.Sprint(i))})
	}
	r.drain()
	for _, l := range r.letters() {
		zero := int32(0)
		r.send("sluice.dead", Out{Key: l.Key, Value: l.Bytes, Partition: &zero, Headers: []Header{
			{letterTopic, []byte(l.Topic)}, {letterPartition, []byte("0")}, {letterOffset, fmt.Append(nil, l.Offset)}, {letterKind, []byte(l.Kind)},
		}})
	}
	if got := len(r.letters()); got != 7 {
		t.Errorf("%d letters are listed, want 7", got)
	}
}

// FuzzState reads any bytes as records of the profiles topic.
func FuzzState(f *testing.F) {
	at := source{"sluice.writes", 3}
	view := delays()
	profile, _ := sketch.NewProfile(&view, sketch.Unbinned(&view), testKey).MarshalBinary()
	body, err := encodePartial(&sketch.Partial{View: "delays", Window: view.Window.Of(day), Topic: at.topic, Partition: 3, Profile: profile})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stateKey{kindPartial, at, "delays", day.UnixNano(), 0}.append(nil), piece{stamp{1, 1}, 1, body}.append(nil))
	f.Add(stateKey{kind: kindIDs, at: at, part: 2}.append(nil), piece{stamp{1, 1}, 1, []byte{0}}.append(nil))
	f.Add(stateKey{kind: kindProgress, at: at}.append(nil), []byte(`{"topic":"sluice.writes","epochs":[{"epoch":1,"seq":1}]}`))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		a := newAssembler()
		done, _, err := a.add(key, value)
		if err == nil && done == nil {
			_, _, err = a.add(stateKey{kind: kindProgress, at: at}.append(nil), []byte(`{"epochs":[{"epoch":1,"seq":1}]}`))
		}
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("error %v is not ErrCorrupt", err)
		}
	})
}
