package tap

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
	"sluice/quality"
	"sluice/quality/sketch"
)

// A record that makes reading or checking panic is a dead letter that is counted and
// logged.
func TestPoison(t *testing.T) {
	site := newRig(t, 1, kinds())
	view := site.defs.Views[0]
	checker, err := quality.NewChecker(&view)
	if err != nil {
		t.Fatal(err)
	}
	short, broken := view, *newDecoder(&view)
	short.Features = nil // the decoder knows features that the view lacks
	broken.view = &short
	for name, tc := range map[string]struct {
		broken *viewSource
		kind   string
		reason feature.Code
	}{
		"in the decoder": {&viewSource{&broken, checker}, DeadLettered, feature.CodeDecode},
		"in a check":     {&viewSource{newDecoder(&view), nil}, Quarantined, feature.CodeExpect},
	} {
		t.Run(name, func(t *testing.T) {
			var logged bytes.Buffer
			m := newMetrics(nil)
			p := &partition{
				tap: &Tap{cfg: DefaultConfig(), log: &Log{cfg: LogConfig{Topics: DefaultTopics()}}, metrics: m,
					deps: Deps{Versions: site.registry, Layouts: func(*feature.View, time.Time) *sketch.Layout { return nil }, Logger: slog.New(slog.NewTextHandler(&logged, nil))}},
				at: source{DefaultTopics().Writes, 3}, views: map[string]*viewState{},
			}
			v := newViewState(tc.broken)
			v.observed, v.declared = m.rows.WithLabelValues(view.Name, p.at.topic), m.backfilled.WithLabelValues(view.Name, p.at.topic)
			p.views[view.Name] = v
			r := &kgo.Record{Topic: p.at.topic, Partition: 3, Offset: 7, Value: []byte(goodInput["special floats"])}
			out, err := p.sort(t.Context(), r)
			if err != nil || out.accepted || out.bad == nil || out.bad.kind != tc.kind || out.bad.reason != tc.reason || !strings.Contains(out.bad.text, poisonText) {
				t.Fatalf("%+v, %v, want %s with reason %s", out.bad, err, tc.kind, tc.reason)
			}
			if got := testutil.ToFloat64(m.panics); got != 1 {
				t.Errorf("%v panics counted, want one", got)
			}
			for _, want := range []string{"topic=" + p.at.topic, "partition=3", "offset=7", "view=" + view.Name, "stack="} {
				if !strings.Contains(logged.String(), want) {
					t.Errorf("the log lacks %q", want)
				}
			}
		})
	}
}
