package flights_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/internal/flights"
)

// run returns the tally of a run in which every window of the replayed days was
// published and every plant caught, and 100 reads were good.
func run() *flights.Tally {
	t := flights.NewTally()
	for _, d := range flights.Days() {
		if d.Date.Before(flights.HistoryEnd) {
			continue
		}
		for _, view := range []string{"carrier_delays", "origin_traffic", "aircraft_trips", "route_live"} {
			j := flights.Judgement{View: view, Window: d.Date, State: "pass", Decision: "publish", Verdict: "v-" + view}
			if p, planted := flights.Planted(view, d.Date); planted {
				j.State, j.Decision = "fail", "reject"
				j.Reasons = []flights.Reason{{Feature: p.Feature, Method: "calibrated", Text: p.Feature + " moved"}}
				if p.Joint {
					j.Reasons = []flights.Reason{{Method: "iforest", Text: "pairs moved"}}
				}
				if p.Topic == flights.TopicLive {
					j.Decision = "rollback"
				}
			}
			t.Judged(j)
		}
	}
	for i := range 100 {
		t.Read("carrier_delays", uint64(i%10), false)
	}
	return t
}

func TestResult(t *testing.T) {
	tally := run()
	at := time.Unix(100, 0)
	live := flights.Plants()[2]
	tally.Spoilt(live, at)
	tally.Spoilt(live, at.Add(1500*time.Millisecond))
	r := tally.Result(42 * time.Second)
	if failures := r.Failures(); len(failures) != 0 {
		t.Errorf("a good run failed: %q", failures)
	}
	got := []int{r.WindowsJudged, r.Published, r.Rejected, r.Held, r.RolledBack, r.FalseBlocks, r.QuietAlarms, r.VersionsSeen, r.Reads, r.BadReads, r.FailedReads}
	if want := []int{1224, 1220, 4, 0, 1, 0, 0, 9, 100, 0, 0}; !reflect.DeepEqual(got, want) {
		t.Errorf("counts are %v, want %v", got, want)
	}
	want := flights.PlantSeen{Name: "kilometres_from_noon", View: "route_live", Window: "2013-08-21T00:00:00Z", Feature: "distance",
		Caught: true, Decision: "rollback", Verdict: "v-route_live", ExposedReads: 2, ExposedMS: 1500}
	if len(r.Planted) != 4 || r.Planted[2] != want {
		t.Errorf("the third plant is %+v, want %+v", r.Planted, want)
	}
}

// TestResultJSON holds the contract's fields.
func TestResultJSON(t *testing.T) {
	text, err := json.Marshal(run().Result(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	keys := func(text []byte) map[string]bool {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for name := range fields {
			found[name] = true
		}
		return found
	}
	contract := `{"windows_judged":0,"published":0,"rejected":0,"held":0,"rolled_back":0,"planted":[],
		"false_blocks":0,"quiet_alarms":0,"versions_seen":0,"reads":0,"bad_reads":0,"failed_reads":0,"seconds":0,"quiet_incidents":0,"quiet_weeks":0,"alerts_per_week":2}`
	planted := `{"name":"","view":"","window":"","feature":"","caught":true,"decision":"","verdict":"","exposed_reads":0,"exposed_ms":0}`
	var doc struct{ Planted []json.RawMessage }
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if got, want := keys(text), keys([]byte(contract)); !reflect.DeepEqual(got, want) {
		t.Errorf("fields are %v, want %v", got, want)
	}
	if got, want := keys(doc.Planted[0]), keys([]byte(planted)); !reflect.DeepEqual(got, want) {
		t.Errorf("fields of a plant are %v, want %v", got, want)
	}
}

func TestResultFailures(t *testing.T) {
	quiet := time.Date(2013, 4, 3, 0, 0, 0, 0, time.UTC)
	plants := flights.Plants()
	for name, tc := range map[string]struct {
		change func(t *flights.Tally)
		want   string
	}{
		"a plant passes": {func(t *flights.Tally) {
			t.Judged(flights.Judgement{View: plants[0].View, Window: plants[0].Day, State: "pass", Decision: "publish"})
		}, "seconds_for_minutes was not caught in dep_delay"},
		"a plant fails for another feature": {func(t *flights.Tally) {
			t.Judged(flights.Judgement{View: plants[1].View, Window: plants[1].Day, State: "fail", Decision: "reject",
				Reasons: []flights.Reason{{Feature: "to", Method: "calibrated"}}})
		}, "half_null was not caught"},
		"the optimistic plant is not taken back": {func(t *flights.Tally) {
			t.Judged(flights.Judgement{View: plants[2].View, Window: plants[2].Day, State: "fail", Decision: "notify",
				Reasons: []flights.Reason{{Feature: "distance", Method: "calibrated"}}})
		}, "kilometres_from_noon was not caught"},
		"the joint plant is caught by another method": {func(t *flights.Tally) {
			t.Judged(flights.Judgement{View: plants[3].View, Window: plants[3].Day, State: "fail", Decision: "reject",
				Reasons: []flights.Reason{{Feature: "distance", Method: "calibrated"}}})
		}, "reversed_join was not caught"},
		"quiet days are blocked": {func(t *flights.Tally) {
			for i := range 60 {
				if day := quiet.AddDate(0, 0, i); flights.LabelOf(day) == flights.Quiet {
					t.Judged(flights.Judgement{View: "carrier_delays", Window: day, State: "fail", Decision: "reject"})
				}
			}
		}, "view-windows of quiet days were blocked"},
		"quiet days alarm on and off": {func(t *flights.Tally) {
			for i, day := range flights.Days() {
				for _, view := range []string{"carrier_delays", "origin_traffic", "aircraft_trips", "route_live"} {
					if _, planted := flights.Planted(view, day.Date); !planted && i%2 == 0 {
						t.Judged(flights.Judgement{View: view, Window: day.Date, State: "warn", Decision: "publish"})
					}
				}
			}
		}, "more than the budget of 2 a week"},
		"too little is published": {func(t *flights.Tally) {
			for i := range 90 {
				t.Judged(flights.Judgement{View: "carrier_delays", Window: quiet.AddDate(0, 0, i), State: "inconclusive", Decision: "hold"})
			}
		}, "were published, less than 93 %"},
		"a bad read":    {func(t *flights.Tally) { t.Spoilt(plants[0], quiet) }, "planted values read through gated views: 1"},
		"a failed read": {func(t *flights.Tally) { t.Read("carrier_delays", 0, true) }, "failed reads: 1"},
	} {
		t.Run(name, func(t *testing.T) {
			tally := run()
			tc.change(tally)
			failures := tally.Result(time.Second).Failures()
			if len(failures) != 1 || !strings.Contains(failures[0], tc.want) {
				t.Errorf("failures are %q, want one with %q", failures, tc.want)
			}
		})
	}
	if failures := flights.NewTally().Result(0).Failures(); len(failures) != 3 {
		t.Errorf("an empty run failed in %q, want three ways", failures)
	}
}

func TestWriteText(t *testing.T) {
	tally := run()
	tally.RolledBack(1)
	storm := time.Date(2013, 3, 8, 0, 0, 0, 0, time.UTC)
	tally.Judged(flights.Judgement{View: "carrier_delays", Window: storm, State: "fail", Decision: "reject",
		Reasons: []flights.Reason{{Feature: "dep_delay", Method: "calibrated"}}})
	tally.Judged(flights.Judgement{View: "origin_traffic", Window: storm, State: "warn", Decision: "publish"})
	tally.Spoilt(flights.Plants()[2], storm)
	var b strings.Builder
	if err := tally.Result(time.Second).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Judged 1224 windows in 1.0 s: 1219 published, 5 rejected, 0 held; 2 rolled back",
		"caught  2013-03-13 carrier_delays: one carrier's producer, UA, sends dep_delay in seconds",
		"decision rollback, verdict v-route_live, feature distance; seen by 1 read in 0s",
		"2013-03-08 storm rejected    carrier_delays dep_delay, by calibrated",
		"2013-05-15 plant rejected    origin_traffic air_time moved",
		"Storm days that a view noticed: 1 of 50",
		"100 reads of 9 versions",
		"Every planted fault was caught",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, b.String())
		}
	}
	tally.Read("carrier_delays", 0, true)
	b.Reset()
	if err := tally.Result(time.Second).WriteText(&b); err != nil || !strings.Contains(b.String(), "The demo FAILED:\n  - failed reads: 1") {
		t.Errorf("a failed run reads %v:\n%s", err, b.String())
	}
}
