package notify

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"sluice/feature"
)

func text(t *testing.T, m message) string {
	t.Helper()
	b, err := json.Marshal(m.blocks)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSummary(t *testing.T) {
	start := time.Date(2013, 1, 1, 5, 0, 0, 0, time.UTC)
	window := feature.Window{Start: start, End: start.Add(5 * time.Minute)}
	reasons := func(n int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprintf("feature_%d: moved", i))
		}
		return out
	}
	for name, tc := range map[string]struct {
		event  Event
		has    []string
		hasNot []string
	}{
		"blocked": {
			Event{Kind: Fail, View: "payments", Version: 12, ServedVersion: 11, Window: window, Verdict: "v1", Text: "Amounts grew.", Reasons: reasons(2)},
			[]string{"payments: version 12 blocked", "Readers keep version 11.", "Amounts grew.", "feature_1: moved", "2013-01-01T05:05:00Z", "http://sluice/api/v1/verdicts/v1|verdict v1"},
			nil,
		},
		"above five features a digest": {
			Event{Kind: Fail, View: "payments", Version: 12, Reasons: reasons(6)},
			[]string{"6 features, the first 5 of them", "feature_4: moved", "readers get no values"},
			[]string{"feature_5: moved"},
		},
		"rolled back":              {Event{Kind: Rollback, View: "a", Version: 3, ServedVersion: 2}, []string{"a: version 3 rolled back", "Readers get version 2."}, nil},
		"stale":                    {Event{Kind: Stale, View: "a", ServedVersion: 2}, []string{"a: served values are stale"}, nil},
		"frozen":                   {Event{Kind: Frozen, View: "a", ServedVersion: 2}, []string{"a: frozen"}, nil},
		"held":                     {Event{Kind: Hold, View: "a", Version: 3, ServedVersion: 2}, []string{"a: version 3 held", "Readers keep version 2."}, nil},
		"blind":                    {Event{Kind: Blind, View: "a", ServedVersion: 2}, []string{"nothing is judged"}, nil},
		"resolved drops reasons":   {Event{Kind: Stale, View: "a", Resolved: true, ServedVersion: 2, Reasons: reasons(1)}, []string{"Resolved: a: served"}, []string{"feature_0"}},
		"recovered":                {Event{Kind: Recovered, View: "a", Resolved: true, ServedVersion: 4}, []string{`"a: recovered"`, "Readers get version 4."}, []string{"Resolved"}},
		"verdict escaped in links": {Event{Kind: Fail, View: "a", Verdict: "<!channel>&x"}, []string{`verdicts/%3C%21channel%3E&amp;x|verdict &lt;!channel&gt;&amp;x`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := summary([]Event{tc.event}, "http://sluice/")
			got := unescape(text(t, m))
			for _, want := range tc.has {
				if !strings.Contains(got, want) {
					t.Errorf("message %s lacks %q", got, want)
				}
			}
			for _, not := range tc.hasNot {
				if strings.Contains(got, not) {
					t.Errorf("message %s has %q", got, not)
				}
			}
		})
	}
}

// unescape undoes what encoding/json does to & < >.
func unescape(s string) string {
	return strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(s)
}

// TestOutsideTextIsPlain wants every word that comes from outside in a plain
// text object, where Slack follows no link and calls nobody.
func TestOutsideTextIsPlain(t *testing.T) {
	hostile := "<!channel> *x* <https://e|y>"
	e := Event{Kind: Fail, View: hostile, Version: 1, Text: hostile, Reasons: []string{hostile}, Verdict: hostile}
	for _, m := range []message{summary([]Event{e}, ""), thread([]Event{e, e, e, e, e, e})} {
		for _, b := range m.blocks {
			switch b := b.(type) {
			case *slack.HeaderBlock:
				if b.Text.Type != slack.PlainTextType {
					t.Errorf("header %q is %s", b.Text.Text, b.Text.Type)
				}
			case *slack.SectionBlock:
				if b.Text.Type != slack.PlainTextType {
					t.Errorf("section %q is %s", b.Text.Text, b.Text.Type)
				}
			case *slack.ContextBlock:
				if got := b.ContextElements.Elements[0].(*slack.TextBlockObject).Text; strings.ContainsAny(got, "<>") {
					t.Errorf("context %q is not escaped", got)
				}
			}
		}
	}
}

func TestLimits(t *testing.T) {
	long := strings.Repeat("ü", 5000)
	e := Event{ID: long, Kind: Fail, View: long, Text: long, Reasons: []string{long, long, long}}
	for name, m := range map[string]message{"summary": summary([]Event{e}, ""), "thread": thread(slices.Repeat([]Event{e}, 11))} {
		total := 0
		for _, b := range m.blocks {
			switch b := b.(type) {
			case *slack.HeaderBlock:
				if n := len([]rune(b.Text.Text)); n > 150 {
					t.Errorf("%s: header has %d characters, Slack takes 150", name, n)
				}
			case *slack.SectionBlock:
				n := len([]rune(b.Text.Text))
				total += n
				if n > 3000 {
					t.Errorf("%s: section has %d characters, Slack takes 3000", name, n)
				}
			}
		}
		if total > 13_000 {
			t.Errorf("%s: %d characters, Slack takes about 13,200", name, total)
		}
	}
}

func TestSecret(t *testing.T) {
	cfg := Config{Token: "xoxb-hidden", Channel: "alerts"}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "cfg", cfg, "token", cfg.Token)
	encoded, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{log.String(), string(encoded), fmt.Sprintf("%v %+v %#v %s", cfg, cfg, cfg, cfg.Token)} {
		if strings.Contains(shown, "hidden") {
			t.Errorf("%q shows the token", shown)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"nothing set":     {Config{}, ""},
		"all set":         {Config{Token: "x", Channel: "alerts", BaseURL: "http://sluice:6566"}, ""},
		"no channel":      {Config{Token: "x"}, "slack.channel"},
		"no URL to reach": {Config{BaseURL: "sluice"}, "base URL"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.cfg.Validate()
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Validate(%+v) gave %v, want %q", tc.cfg, err, tc.want)
			}
		})
	}
}
