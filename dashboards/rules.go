package dashboards

import "fmt"

// RuleFile is a Prometheus rule file.
type RuleFile struct {
	Groups []RuleGroup `yaml:"groups"`
}

// RuleGroup is a list of rules that are evaluated together, in order.
type RuleGroup struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval"`
	Rules    []Rule `yaml:"rules"`
}

// Rule is a recording rule (Record is set) or an alerting rule (Alert is set).
type Rule struct {
	Record      string            `yaml:"record,omitempty"`
	Alert       string            `yaml:"alert,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

// Limits of the alerts. They are the same in every installation; what differs
// from view to view, such as the age at which it pages, is a metric.
const (
	maxTapLag      = 300  // seconds
	maxSkew        = 60   // seconds
	maxOrigins     = 600  // seconds
	maxDeadLetters = 0.01 // share of a topic's records
	maxServeErrors = 0.01 // share of requests
	maxShed        = 0.01 // share of requests, by priority
	maxUnavailable = 0.01 // share of a view's values
	maxFailed      = 0.01 // share of a view's values
	maxMemory      = 0.8  // share of what a server of the row store may use

	// blindAfter is how long rows may arrive without a verdict. Views with
	// longer windows raise SluiceMonitorBlind between two of them.
	blindAfter = "2h"
)

// serverError matches what is the server's fault; invalid and refused requests
// are answered as they have to be.
const serverError = `code="unavailable"`

// Rules returns the recording and alerting rules.
func Rules() RuleFile {
	return RuleFile{Groups: []RuleGroup{
		{Name: "sluice-recording", Interval: "30s", Rules: recording()},
		{Name: "sluice-alerts", Interval: "30s", Rules: alerts()},
	}}
}

// Alerts returns the names of all alerts, in the order of the rule file. The
// runbook has a heading for each.
func Alerts() []string {
	var out []string
	for _, r := range alerts() {
		out = append(out, r.Alert)
	}
	return out
}

func recording() []Rule {
	return []Rule{
		{Record: "view:sluice_feature_severity_ratio:max", Expr: "max by (view) (sluice_feature_severity_ratio)"},
		{Record: "view:sluice_served_age_seconds:max", Expr: "time() - min by (view) (sluice_served_version_timestamp_seconds > 0)"},
		{Record: "topic:sluice_refused_writes:ratio15m", Expr: `sum by (topic) (rate(sluice_tap_writes_total{result=~"quarantined|dead_lettered"}[15m])) / (sum by (topic) (rate(sluice_tap_writes_total[15m])) > 0)`},
		{Record: "sluice_serve_errors:ratio5m", Expr: "(sum(histogram_count(rate(sluice_serve_request_duration_seconds{" + serverError + "}[5m]))) or vector(0)) / (sum(histogram_count(rate(sluice_serve_request_duration_seconds[5m]))) > 0)"},
	}
}

// alert returns an alerting rule; hold is empty where it fires at once.
func alert(name, severity, expr, hold, summary, description string) Rule {
	return Rule{
		Alert: name, Expr: expr, For: hold,
		Labels:      map[string]string{"severity": severity},
		Annotations: map[string]string{"summary": summary, "description": description, "runbook": "docs/runbook.md#" + anchor(name)},
	}
}

func alerts() []Rule {
	return append(viewAlerts(), platformAlerts()...)
}

// viewAlerts are about what the gate found in one view.
func viewAlerts() []Rule {
	return []Rule{
		alert("SluiceViewBlocked", "warning", `max by (view) (sluice_gate_blocked{view!="probe"}) > 0`, "",
			"{{ $labels.view }}: the newest window is not visible",
			"It was rejected, is held, or was rolled back. Readers of {{ $labels.view }} keep the last good version, which ages until a window passes or somebody approves the rejected one."),
		alert("SluiceVersionRolledBack", "warning", `sum by (view, trigger) (increase(sluice_rollbacks_total[15m])) > 0 or sum by (view, trigger) (sluice_rollbacks_total unless sluice_rollbacks_total offset 15m) > 0`, "",
			"{{ $labels.view }}: a visible version was rolled back by a {{ $labels.trigger }}",
			"Values of {{ $labels.view }} that were visible turned out bad. Readers got them from publication to rollback; the audit log names the versions."),
		alert("SluiceViewFrozen", "critical", "max by (view) (sluice_view_frozen) > 0", "",
			"{{ $labels.view }} is frozen",
			"Nothing of {{ $labels.view }} is published, rolled back or expired until somebody thaws it. The gate freezes a view after too many rollbacks in an hour."),
		alert("SluiceViewStale", "warning", "view:sluice_served_age_seconds:max > on (view) (max by (view) (sluice_freshness_objective_seconds) > 0)", "2m",
			"{{ $labels.view }} serves values {{ $value | humanizeDuration }} old",
			"The newest window that readers of {{ $labels.view }} see ended longer ago than the age at which its definition calls it late."),
	}
}

// platformAlerts are about Sluice itself.
func platformAlerts() []Rule {
	return []Rule{
		alert("SluiceTapLag", "warning", fmt.Sprintf("max by (topic) (sluice_tap_lag_seconds) > %d", maxTapLag), "5m",
			"The tap is {{ $value | humanizeDuration }} behind on {{ $labels.topic }}",
			"Windows of views that read {{ $labels.topic }} close late, and their versions are published late."),
		alert("SluiceWindowOverdue", "warning", "max by (view) (sluice_window_overdue) > 0", "5m",
			"{{ $labels.view }}: a window cannot complete",
			"At least one partition has neither passed the window's end nor gone idle. Nothing newer is judged out of order, so {{ $labels.view }} ages."),
		alert("SluiceSourceTripped", "warning", "max by (view) (sluice_source_tripped) > 0", "",
			"{{ $labels.view }} is held: too much of its source cannot be read",
			"What could be read passed, and is not published before a later window finds the source well again. Other sources go on."),
		alert("SluiceProgressLost", "critical", "sum by (topic) (sluice_tap_held_partitions) > 0", "",
			"{{ $value | humanize }} partitions of {{ $labels.topic }} are not read: their progress is lost",
			"They were read before, and the profiles topic no longer says how far. Their writes stay on the log; windows of the views that read {{ $labels.topic }} do not close before somebody acts."),
		alert("SluiceRecordsUnread", "critical", "sum by (topic) (sluice_tap_unread_records) > 0", "",
			"{{ $value | humanize }} records of {{ $labels.topic }} were deleted from the log before they were read",
			"No window has their rows, and approvals and restores do not find them either. The alert ends when the taps that told of it are started again."),
		alert("SluiceTapPanic", "warning", "sum(increase(sluice_tap_panics_total[15m])) > 0", "",
			"Records make the tap panic, and are dead letters",
			"Each is a bug of Sluice. Everything else is read on; the records are kept as dead letters."),
		alert("SluiceClockSkew", "warning", fmt.Sprintf("max by (view, direction) (sluice_clock_skew_seconds) > %d", maxSkew), "5m",
			"{{ $labels.view }}: the clock of a producer is {{ $labels.direction }} by {{ $value | humanizeDuration }}",
			"Its event times fall into windows of another time. Those too far ahead are refused, those behind come late."),
		alert("SluiceNoGate", "critical", "max(sluice_gate_leading) < 1", "1m",
			"No process judges and publishes",
			"Windows wait, nothing is published and nothing is rolled back. Readers keep the last good versions, which age."),
		alert("SluiceMonitorBlind", "critical", "sum by (view) (increase(sluice_rows_observed_total["+blindAfter+"])) > 0 unless on (view) sum by (view) (increase(sluice_verdicts_total{window=\"base\"}["+blindAfter+"])) > 0", "10m",
			"{{ $labels.view }}: rows arrive but nothing is judged",
			"The tap accepted {{ $value | humanize }} rows of {{ $labels.view }} in "+blindAfter+" and the gate gave no verdict. Silence here does not mean that the data is good."),
		alert("SluiceDeadLetterShare", "warning", fmt.Sprintf("topic:sluice_refused_writes:ratio15m > %g", maxDeadLetters), "10m",
			"{{ $value | humanizePercentage }} of the records of {{ $labels.topic }} are refused",
			"They are kept in the dead-letter topic with the reason and the original bytes, and can be replayed."),
		alert("SluiceServeErrors", "critical", fmt.Sprintf("sluice_serve_errors:ratio5m > %g", maxServeErrors), "5m",
			"{{ $value | humanizePercentage }} of requests for features fail",
			"Requests end in an error of the server, not of the caller."),
		alert("SluiceServeShedding", "critical", fmt.Sprintf(`sum by (priority) (rate(sluice_serve_shed_total{reason=~"full|slow|late"}[5m])) / scalar(sum(histogram_count(rate(sluice_serve_request_duration_seconds[5m])))) > %g`, maxShed), "2m",
			"{{ $value | humanizePercentage }} of requests are turned away, of priority {{ $labels.priority }}",
			"There are more reads than the servers can do. They were answered 429 or RESOURCE_EXHAUSTED at once, the lowest priority first; the others are served."),
		alert("SluiceConnectionsRefused", "critical", "sum by (door) (rate(sluice_serve_connections_refused_total[5m])) > 0", "2m",
			"New connections of door {{ $labels.door }} are closed at once",
			"As many connections are open as serve.max_connections allows. Clients that have one are served."),
		alert("SluiceRowsUnavailable", "critical", fmt.Sprintf(`sum by (view) (rate(sluice_serve_values_total{status="UNAVAILABLE"}[5m])) / (sum by (view) (rate(sluice_serve_values_total[5m])) > 0) > %g`, maxUnavailable), "2m",
			"{{ $value | humanizePercentage }} of the values of {{ $labels.view }} cannot be read",
			"Some of the row store does not answer. The other rows of the same requests are served."),
		alert("SluiceComputedFailing", "warning", fmt.Sprintf(`sum by (view) (rate(sluice_serve_values_total{status="FAILED"}[15m])) / (sum by (view) (rate(sluice_serve_values_total[15m])) > 0) > %g`, maxFailed), "10m",
			"{{ $value | humanizePercentage }} of the values of {{ $labels.view }} could not be computed",
			"An expression of {{ $labels.view }} fails for rows that are asked for. Those values are null and FAILED; the others of the same requests are served. The log names the feature and the reason."),
		alert("SluiceRowsStale", "warning", "sum by (view) (rate(sluice_serve_kept_rows_total[5m])) > 0", "5m",
			"Rows of {{ $labels.view }} come from a replica or an earlier read",
			"Some of the row store does not answer. What it holds is served flagged stale, and is not written any more."),
		alert("SluiceShardSilent", "warning", "sum by (store) (increase(sluice_rows_breaker_opened_total[5m])) > 0", "",
			"A primary of online store {{ $labels.store }} does not answer",
			"Its replica answers reads meanwhile, unflagged where it is shown to have everything. Nothing can be written to the shard until it has a primary again."),
		alert("SluiceRowsLost", "critical", "max by (store) (sluice_rows_absent_ratio) > 0", "",
			"Online store {{ $labels.store }} has lost the rows of {{ $value | humanizePercentage }} of its entities",
			"A server came back without its rows. Reads of them are flagged stale, or answered as unavailable, never as not found. The gate stages them again from the log."),
		alert("SluiceRowsMemory", "warning", fmt.Sprintf("max by (store) (sluice_rows_memory_ratio) > %g", maxMemory), "5m",
			"A primary of online store {{ $labels.store }} has used {{ $value | humanizePercentage }} of its memory",
			"At its limit it refuses rows: windows stay open, and nothing is lost, since the log keeps the writes. Reads go on."),
		alert("SluiceVersionsRefused", "warning", "sum by (store, what) (increase(sluice_rows_refused_total[15m])) > 0", "",
			"Online store {{ $labels.store }} is short of memory and refuses: {{ $labels.what }}",
			"Backfills and approvals are refused, so that windows of the stream still find room. What is served stays."),
		alert("SluiceWritesOffline", "critical", "max by (store) (sluice_rows_offline) > 0", "",
			"Online store {{ $labels.store }} is nearly full: rows of the stream stay in the log",
			"Windows are judged and nothing is lost, but none that lacks rows is published before there is room. Readers keep what they have, which ages."),
		alert("SluiceOnlineStoreClosed", "critical", "sum by (store) (sluice_online_store_open == 0) == 0", "2m",
			"Online store {{ $labels.store }} could not be opened",
			"A process started without it and tries again every second. Its views have no rows there; those of the other stores are served and written."),
		alert("SluiceReportsFailing", "warning", `sum by (result) (increase(sluice_serve_reports_total{result!="sampled"}[15m])) > 0`, "15m",
			"What reads returned is not recorded: {{ $labels.result }}",
			"Reads go on. How often versions or features were read, or how served values are distributed, is not known to the gate."),
		alert("SluiceOriginsMissing", "warning", `sum by (result) (increase(sluice_origins_total{result=~"late|failed"}[1h])) > 0`, "",
			"It is not known where the reasons of some verdicts begin: {{ $labels.result }}",
			"They lack first_offset, the record from which on the log holds what the verdict is about. Decisions do not wait for it. A verdict is looked into again when somebody asks for it, as long as the log has its records."),
		alert("SluiceOriginsBehind", "warning", fmt.Sprintf("max(sluice_origins_behind_seconds) > %d", maxOrigins), "5m",
			"Verdicts wait {{ $value | humanizeDuration }} for somebody to look where their reasons begin",
			"The log is not kept as long as verdicts are: what is not found in time stays unknown. Decisions do not wait for it."),
		alert("SluiceAlertsNotSent", "warning", `sum by (channel_kind) (increase(sluice_alerts_sent_total{outcome=~"failed|dropped"}[15m])) > 0`, "",
			"Messages to {{ $labels.channel_kind }} are not delivered",
			"Incidents are still listed by /api/v1/alerts, but nobody is told until messages arrive again; what is older than a day then is told to the log alone."),
		alert("SluiceProbeMissed", "critical", `sum by (outcome) (increase(sluice_probe_windows_total{kind="fault",outcome=~"published|unjudged"}[1h])) > 0`, "",
			"A planted fault was not caught: it was {{ $labels.outcome }}",
			"The probe wrote a window of wrong values on purpose, and the gate did not keep it out, or gave no verdict in time. Real faults may pass as well."),
		alert("SluiceProbeBadRead", "critical", `sum(increase(sluice_probe_reads_total{outcome="bad"}[15m])) > 0`, "",
			"A reader got a value that was never good",
			"The probe knows every good value of its view, and {{ $value | humanize }} rows that it was served are none of them, or were not found."),
		alert("SluiceAbsent", "critical", "absent(sluice_build_info)", "5m",
			"No Sluice process is scraped",
			"Either every process is down or Prometheus does not reach /metrics. None of the other alerts can fire."),
	}
}
