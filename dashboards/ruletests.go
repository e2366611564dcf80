package dashboards

import (
	"maps"
	"strings"
)

// RuleTestFile is a unit-test file for `promtool test rules`.
type RuleTestFile struct {
	RuleFiles          []string   `yaml:"rule_files"`
	EvaluationInterval string     `yaml:"evaluation_interval"`
	Tests              []RuleTest `yaml:"tests"`
}

// RuleTest feeds series to the rules and says which alerts fire when.
type RuleTest struct {
	Name        string      `yaml:"name"`
	Interval    string      `yaml:"interval"`
	InputSeries []Series    `yaml:"input_series"`
	Alerts      []AlertTest `yaml:"alert_rule_test"`
}

// Series is a series in promtool's notation: values one interval apart.
type Series struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

// AlertTest lists all firing alerts of one name at one time.
type AlertTest struct {
	EvalTime  string  `yaml:"eval_time"`
	Alertname string  `yaml:"alertname"`
	Firing    []Fired `yaml:"exp_alerts"`
}

// Fired is a firing alert: its labels and its filled-in annotations.
type Fired struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

// RuleTests returns a test per alert: when it fires, with which text, and when it
// stays silent.
func RuleTests() RuleTestFile {
	return RuleTestFile{RuleFiles: []string{"rules.yaml"}, EvaluationInterval: "1m", Tests: append(viewTests(), platformTests()...)}
}

func viewTests() []RuleTest {
	return []RuleTest{
		ruleTest("a blocked view is reported once, whatever the number of gates",
			[]Series{
				{`sluice_gate_blocked{view="payments",instance="a"}`, "0x4 1x20"},
				{`sluice_gate_blocked{view="payments",instance="b"}`, "0x4 1x20"},
				{`sluice_gate_blocked{view="flights",instance="a"}`, "0x30"},
				{`sluice_gate_blocked{view="probe",instance="a"}`, "1x30"}, // planted
			},
			quiet("SluiceViewBlocked", "4m"),
			fires("SluiceViewBlocked", "5m", "", "view", "payments")),
		ruleTest("a rollback is reported, and forgotten after a quarter of an hour",
			[]Series{
				{`sluice_rollbacks_total{view="payments",trigger="verdict"}`, "0x9 1x40"},
				{`sluice_rollbacks_total{view="payments",trigger="person"}`, "0x50"},
			},
			quiet("SluiceVersionRolledBack", "9m"),
			fires("SluiceVersionRolledBack", "12m", "", "view", "payments", "trigger", "verdict"),
			quiet("SluiceVersionRolledBack", "30m")),
		ruleTest("the first rollback is reported although its series is new",
			[]Series{{`sluice_rollbacks_total{view="payments",trigger="verdict"}`, "_x9 1x40"}},
			fires("SluiceVersionRolledBack", "12m", "", "view", "payments", "trigger", "verdict"),
			quiet("SluiceVersionRolledBack", "30m")),
		ruleTest("a frozen view is reported until it is thawed",
			[]Series{{`sluice_view_frozen{view="payments"}`, "0 1x5 0x5"}},
			fires("SluiceViewFrozen", "3m", "", "view", "payments"),
			quiet("SluiceViewFrozen", "8m")),
		ruleTest("a view is stale by its own objective; without one, or before its first version, never",
			[]Series{
				{`sluice_served_version_timestamp_seconds{view="payments",store="online"}`, "60x150"},
				{`sluice_freshness_objective_seconds{view="payments"}`, "3600x150"},
				{`sluice_served_version_timestamp_seconds{view="untimed",store="online"}`, "60x150"},
				{`sluice_freshness_objective_seconds{view="untimed"}`, "0x150"},
				{`sluice_served_version_timestamp_seconds{view="empty",store="online"}`, "0x150"},
				{`sluice_freshness_objective_seconds{view="empty"}`, "3600x150"},
			},
			quiet("SluiceViewStale", "60m"),
			fires("SluiceViewStale", "2h", "1h 59m 0s", "view", "payments")),
	}
}

func platformTests() []RuleTest {
	return []RuleTest{
		ruleTest("a lag of minutes that lasts is reported",
			[]Series{{`sluice_tap_lag_seconds{topic="flights"}`, "0x4 400x20"}, {`sluice_tap_lag_seconds{topic="payments"}`, "30x24"}},
			quiet("SluiceTapLag", "9m"),
			fires("SluiceTapLag", "12m", "6m 40s", "topic", "flights")),
		ruleTest("a window that cannot complete is reported",
			[]Series{{`sluice_window_overdue{view="payments"}`, "0x4 1x20"}},
			quiet("SluiceWindowOverdue", "8m"),
			fires("SluiceWindowOverdue", "12m", "", "view", "payments")),
		ruleTest("a source that tripped the gate is reported until a window finds it well",
			[]Series{{`sluice_source_tripped{view="payments"}`, "0 1x5 0x5"}, {`sluice_source_tripped{view="flights"}`, "0x12"}},
			fires("SluiceSourceTripped", "3m", "", "view", "payments"),
			quiet("SluiceSourceTripped", "8m")),
		ruleTest("partitions whose progress is lost are reported until they are read",
			[]Series{{`sluice_tap_held_partitions{topic="flights",instance="a"}`, "0 2x5 0x5"}, {`sluice_tap_held_partitions{topic="flights",instance="b"}`, "0 1x5 0x5"}, {`sluice_tap_held_partitions{topic="payments"}`, "0x12"}},
			fires("SluiceProgressLost", "3m", "3", "topic", "flights"),
			quiet("SluiceProgressLost", "8m")),
		ruleTest("records that the log deleted unread are reported, also where they are there at the first look",
			[]Series{{`sluice_tap_unread_records{topic="flights",instance="a"}`, "100x10"}, {`sluice_tap_unread_records{topic="flights",instance="b"}`, "0 0 0 20x7"}, {`sluice_tap_unread_records{topic="payments"}`, "0x10"}},
			fires("SluiceRecordsUnread", "1m", "100", "topic", "flights"),
			fires("SluiceRecordsUnread", "5m", "120", "topic", "flights")),
		ruleTest("a record that makes the tap panic is reported",
			[]Series{{`sluice_tap_panics_total`, "0x4 1x20"}},
			quiet("SluiceTapPanic", "4m"),
			fires("SluiceTapPanic", "6m", "")),
		ruleTest("a clock that is off by minutes is reported, with the direction",
			[]Series{{`sluice_clock_skew_seconds{view="payments",direction="ahead"}`, "0x4 120x20"}, {`sluice_clock_skew_seconds{view="payments",direction="behind"}`, "50x24"}},
			quiet("SluiceClockSkew", "9m"),
			fires("SluiceClockSkew", "12m", "2m 0s", "view", "payments", "direction", "ahead")),
		ruleTest("rows without verdicts mean a blind monitor; a view that is judged or silent is well",
			[]Series{
				{`sluice_rows_observed_total{view="payments",source="payments"}`, "0+60x200"},
				{`sluice_verdicts_total{view="payments",window="base",outcome="pass"}`, "7x200"},
				{`sluice_rows_observed_total{view="flights",source="flights"}`, "0+60x200"},
				{`sluice_verdicts_total{view="flights",window="base",outcome="pass"}`, "0+1x200"},
				{`sluice_rows_observed_total{view="silent",source="silent"}`, "9x200"},
				{`sluice_verdicts_total{view="payments",window="freshness",outcome="fail"}`, "0+1x200"},
			},
			fires("SluiceMonitorBlind", "3h", "7.2k", "view", "payments")),
		ruleTest("one record in ten that cannot be read is reported, one in a thousand is not",
			[]Series{
				{`sluice_tap_writes_total{topic="payments",partition="0",result="accepted"}`, "0+900x60"},
				{`sluice_tap_writes_total{topic="payments",partition="0",result="dead_lettered"}`, "0+50x60"},
				{`sluice_tap_writes_total{topic="payments",partition="1",result="quarantined"}`, "0+50x60"},
				{`sluice_tap_writes_total{topic="flights",partition="0",result="accepted"}`, "0+999x60"},
				{`sluice_tap_writes_total{topic="flights",partition="0",result="dead_lettered"}`, "0+1x60"},
			},
			fires("SluiceDeadLetterShare", "40m", "10%", "topic", "payments")),
		ruleTest("failing requests are reported; invalid ones are the caller's",
			[]Series{
				{`sluice_serve_request_duration_seconds{method="own_grpc",code="ok"}`, "{{schema:0 sum:0 count:0 buckets:[0]}}+{{schema:0 sum:70 count:70 buckets:[70]}}x40"},
				{`sluice_serve_request_duration_seconds{method="own_grpc",code="invalid"}`, "{{schema:0 sum:0 count:0 buckets:[0]}}+{{schema:0 sum:25 count:25 buckets:[25]}}x40"},
				{`sluice_serve_request_duration_seconds{method="feast_http",code="unavailable"}`, "{{schema:0 sum:0 count:0 buckets:[0]}}+{{schema:0 sum:5 count:5 buckets:[5]}}x40"},
			},
			fires("SluiceServeErrors", "20m", "5%")),
		ruleTest("requests that all succeed are no alert",
			[]Series{{`sluice_serve_request_duration_seconds{method="feast_http",code="ok"}`, "{{schema:0 sum:0 count:0 buckets:[0]}}+{{schema:0 sum:70 count:70 buckets:[70]}}x40"}},
			quiet("SluiceServeErrors", "20m")),
		ruleTest("reads that are shed are reported, those over the rate of their token are the caller's",
			[]Series{
				{`sluice_serve_request_duration_seconds{method="own_grpc",code="ok"}`, "{{schema:0 sum:0 count:0 buckets:[0]}}+{{schema:0 sum:90 count:90 buckets:[90]}}x40"},
				{`sluice_serve_request_duration_seconds{method="own_grpc",code="shed"}`, "{{schema:0 sum:0 count:0 buckets:[0]}}+{{schema:0 sum:10 count:10 buckets:[10]}}x40"},
				{`sluice_serve_shed_total{priority="sheddable",reason="slow"}`, "0+5x40"},
				{`sluice_serve_shed_total{priority="default",reason="token"}`, "0+5x40"},
			},
			fires("SluiceServeShedding", "20m", "5%", "priority", "sheddable")),
		ruleTest("connections that are refused are reported",
			[]Series{{`sluice_serve_connections_refused_total{door="grpc"}`, "0+50x40"}, {`sluice_serve_connections_refused_total{door="http"}`, "0x40"}},
			fires("SluiceConnectionsRefused", "20m", "", "door", "grpc")),
		ruleTest("a lost shard is reported for the views that have rows on it; entities that do not exist are not",
			[]Series{
				{`sluice_serve_values_total{view="payments",status="PRESENT"}`, "0+90x40"},
				{`sluice_serve_values_total{view="payments",status="UNAVAILABLE"}`, "0+10x40"},
				{`sluice_serve_values_total{view="flights",status="NOT_FOUND"}`, "0+50x40"},
				{`sluice_serve_values_total{view="flights",status="UNAVAILABLE"}`, "0x40"},
			},
			fires("SluiceRowsUnavailable", "20m", "10%", "view", "payments")),
		ruleTest("computed features that fail for many rows are reported, those that fail for a few are not",
			[]Series{
				{`sluice_serve_values_total{view="payments",status="PRESENT"}`, "0+450x60"},
				{`sluice_serve_values_total{view="payments",status="FAILED"}`, "0x20 0+50x40"},
				{`sluice_serve_values_total{view="flights",status="PRESENT"}`, "0+995x60"},
				{`sluice_serve_values_total{view="flights",status="FAILED"}`, "0+5x60"},
			},
			quiet("SluiceComputedFailing", "25m"),
			fires("SluiceComputedFailing", "50m", "10%", "view", "payments")),
		ruleTest("rows that come from a replica for long are reported, those of one failover are not",
			[]Series{
				{`sluice_serve_kept_rows_total{view="payments"}`, "0+600x40"},
				{`sluice_serve_kept_rows_total{view="flights"}`, "0x4 700x35"},
			},
			quiet("SluiceRowsStale", "4m"),
			fires("SluiceRowsStale", "20m", "", "view", "payments")),
		ruleTest("a shard that does not answer is reported at once, and no more once it is over",
			[]Series{
				{`sluice_rows_breaker_opened_total{store="default"}`, "0x9 1x30"},
				{`sluice_rows_breaker_opened_total{store="critical"}`, "3x40"},
			},
			quiet("SluiceShardSilent", "9m"),
			fires("SluiceShardSilent", "12m", "", "store", "default"),
			quiet("SluiceShardSilent", "20m")),
		ruleTest("rows that a server lost are reported at once, and no more once they are back",
			[]Series{
				{`sluice_rows_absent_ratio{store="default",instance="a"}`, "0x40"},
				{`sluice_rows_absent_ratio{store="critical",instance="a"}`, "0x9 0.5x10 0x20"},
				{`sluice_rows_absent_ratio{store="critical",instance="b"}`, "0x9 0.5x10 0x20"},
			},
			quiet("SluiceRowsLost", "8m"),
			fires("SluiceRowsLost", "12m", "50%", "store", "critical"),
			quiet("SluiceRowsLost", "25m")),
		ruleTest("an online store that is nearly full is reported once, by name",
			[]Series{
				{`sluice_rows_memory_ratio{store="default",instance="a"}`, "0.5x30"},
				{`sluice_rows_memory_ratio{store="critical",instance="a"}`, "0.7x9 0.85x20"},
				{`sluice_rows_memory_ratio{store="critical",instance="b"}`, "0.7x9 0.85x20"},
			},
			quiet("SluiceRowsMemory", "12m"),
			fires("SluiceRowsMemory", "16m", "85%", "store", "critical")),
		ruleTest("what a store refuses for want of memory is reported by what it was",
			[]Series{{`sluice_rows_refused_total{store="default",what="backfill"}`, "0x9 3x40"}, {`sluice_rows_refused_total{store="default",what="version"}`, "2x50"}},
			quiet("SluiceVersionsRefused", "8m"),
			fires("SluiceVersionsRefused", "12m", "", "store", "default", "what", "backfill"),
			quiet("SluiceVersionsRefused", "40m")),
		ruleTest("an online store whose rows stay in the log is reported at once, by name, and no more once they are staged",
			[]Series{
				{`sluice_rows_offline{store="default",instance="a"}`, "0x40"},
				{`sluice_rows_offline{store="critical",instance="a"}`, "0x9 1x10 0x20"},
				{`sluice_rows_offline{store="critical",instance="b"}`, "0x9 1x9 0x21"},
			},
			quiet("SluiceWritesOffline", "8m"),
			fires("SluiceWritesOffline", "12m", "", "store", "critical"),
			quiet("SluiceWritesOffline", "25m")),
		ruleTest("an online store that a process cannot open is reported, by name",
			[]Series{
				{`sluice_online_store_open{store="default"}`, "1x20"},
				{`sluice_online_store_open{store="critical",instance="a"}`, "0x20"},
				{`sluice_online_store_open{store="critical",instance="b"}`, "1x20"},
			},
			quiet("SluiceOnlineStoreClosed", "1m"),
			fires("SluiceOnlineStoreClosed", "8m", "", "store", "critical")),
		ruleTest("samples that are dropped for long are reported, once is no news",
			[]Series{
				{`sluice_serve_reports_total{result="sampled"}`, "0+500x90"},
				{`sluice_serve_reports_total{result="sample_dropped"}`, "0x9 0+5x80"},
				{`sluice_serve_reports_total{result="exposure_failed"}`, "0x9 1x80"},
			},
			quiet("SluiceReportsFailing", "20m"),
			fires("SluiceReportsFailing", "60m", "", "result", "sample_dropped")),
		ruleTest("verdicts of which nobody knows where they begin are reported, for an hour",
			[]Series{
				{`sluice_origins_total{result="stored"}`, "0+3x120"},
				{`sluice_origins_total{result="error"}`, "0+1x120"},
				{`sluice_origins_total{result="failed"}`, "0x120"},
				{`sluice_origins_total{result="late"}`, "0x9 1x110"},
			},
			quiet("SluiceOriginsMissing", "8m"),
			fires("SluiceOriginsMissing", "12m", "", "result", "late"),
			quiet("SluiceOriginsMissing", "90m")),
		ruleTest("verdicts that wait for their origins are reported once they wait for long",
			[]Series{
				{`sluice_origins_behind_seconds{instance="a"}`, "0x4 0+60x20"},
				{`sluice_origins_behind_seconds{instance="b"}`, "0x30"},
			},
			quiet("SluiceOriginsBehind", "18m"),
			fires("SluiceOriginsBehind", "21m", "16m 0s")),
		ruleTest("messages that do not arrive are reported",
			[]Series{
				{`sluice_alerts_sent_total{channel_kind="slack",outcome="failed"}`, "0x4 1x10"},
				{`sluice_alerts_sent_total{channel_kind="slack",outcome="dropped"}`, "0x14"},
				{`sluice_alerts_sent_total{channel_kind="slack",outcome="sent"}`, "0+1x14"},
			},
			quiet("SluiceAlertsNotSent", "4m"),
			fires("SluiceAlertsNotSent", "8m", "", "channel_kind", "slack")),
		ruleTest("a gate that takes over in time is no news, none at all is",
			[]Series{
				{`sluice_gate_leading{instance="a"}`, "1x9 0x20"},
				{`sluice_gate_leading{instance="b"}`, "0x10 1x4 0x20"},
			},
			quiet("SluiceNoGate", "12m"),
			fires("SluiceNoGate", "18m", "")),
		ruleTest("a planted fault that is published is reported for an hour, one that is blocked is not",
			[]Series{
				{`sluice_probe_windows_total{kind="fault",outcome="published"}`, "0x9 1x100"},
				{`sluice_probe_windows_total{kind="fault",outcome="blocked"}`, "0+1x110"},
				{`sluice_probe_windows_total{kind="fault",outcome="unjudged"}`, "0x110"},
				{`sluice_probe_windows_total{kind="good",outcome="published"}`, "0+11x110"},
			},
			quiet("SluiceProbeMissed", "9m"),
			fires("SluiceProbeMissed", "12m", "", "outcome", "published"),
			quiet("SluiceProbeMissed", "80m")),
		ruleTest("a bad read is reported, a failed one is another alert's",
			[]Series{
				{`sluice_probe_reads_total{outcome="bad"}`, "0x9 15+0x30"},
				{`sluice_probe_reads_total{outcome="failed"}`, "0+20x40"},
				{`sluice_probe_reads_total{outcome="good"}`, "0+6000x40"},
			},
			quiet("SluiceProbeBadRead", "9m"),
			fires("SluiceProbeBadRead", "20m", "15")),
		ruleTest("a process that is not scraped is reported",
			[]Series{{`sluice_build_info{version="1",revision="a",goversion="go1.26"}`, "1x10 stale"}},
			quiet("SluiceAbsent", "10m"),
			fires("SluiceAbsent", "20m", "")),
	}
}

func ruleTest(name string, input []Series, alerts ...AlertTest) RuleTest {
	return RuleTest{Name: name, Interval: "1m", InputSeries: input, Alerts: alerts}
}

func quiet(name, at string) AlertTest {
	return AlertTest{EvalTime: at, Alertname: name, Firing: []Fired{}}
}

// fires expects exactly one firing alert. value is what the alert's text makes
// of its value; labels are names and values in turn.
func fires(name, at, value string, labels ...string) AlertTest {
	rule := ruleNamed(name)
	fired := Fired{Labels: maps.Clone(rule.Labels), Annotations: map[string]string{}}
	replace := []string{"{{ $value | humanizeDuration }}", value, "{{ $value | humanizePercentage }}", value, "{{ $value | humanize }}", value}
	for i := 0; i+1 < len(labels); i += 2 {
		fired.Labels[labels[i]] = labels[i+1]
		replace = append(replace, "{{ $labels."+labels[i]+" }}", labels[i+1])
	}
	for key, text := range rule.Annotations {
		fired.Annotations[key] = strings.NewReplacer(replace...).Replace(text)
	}
	return AlertTest{EvalTime: at, Alertname: name, Firing: []Fired{fired}}
}

// ruleNamed returns the alert of that name; the zero Rule if there is none.
func ruleNamed(name string) Rule {
	for _, r := range alerts() {
		if r.Alert == name {
			return r
		}
	}
	return Rule{}
}
