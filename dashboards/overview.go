package dashboards

// Overview returns the dashboard that answers: is anything blocked, frozen,
// stale or blind, what does the gate do, how fresh and how fast is serving.
func Overview() Dashboard {
	panels := []Panel{row("Now")}
	panels = append(panels, nowPanels()...)
	panels = append(panels, row("Verdicts and decisions"))
	panels = append(panels, verdictPanels()...)
	panels = append(panels, row("Freshness and the tap"))
	panels = append(panels, freshnessPanels()...)
	panels = append(panels, row("Serving and alerts"))
	panels = append(panels, servingPanels()...)
	panels = append(panels, row("Probe"))
	panels = append(panels, probePanels()...)
	return Dashboard{
		UID: "sluice-overview", Title: "Sluice / Overview",
		Description: "Severity, verdicts, decisions, freshness and serving of every feature view.",
		Tags:        []string{"sluice"}, Timezone: "utc", Editable: true, GraphTooltip: 1, SchemaVersion: 39,
		Refresh: "30s", Time: Range{From: "now-6h", To: "now"},
		Templating:  Templating{List: variables()},
		Annotations: Annotations{List: annotations()},
		Panels:      place(panels),
	}
}

func variables() []Variable {
	views := "label_values(sluice_freshness_objective_seconds, view)"
	return []Variable{
		{Name: "datasource", Label: "Data source", Type: "datasource", Query: "prometheus"},
		{
			Name: "view", Label: "View", Type: "query", Query: views, Definition: views, Datasource: &source,
			Multi: true, IncludeAll: true, AllValue: ".*", Refresh: 2, Sort: 1, Current: &Current{Text: "All", Value: "$__all"},
		},
	}
}

func annotations() []Annotation {
	return []Annotation{{
		Name: "Rollbacks", Datasource: source, Enable: true, IconColor: "red", Step: "60s",
		Expr:        `sum by (view, trigger) (increase(sluice_rollbacks_total{view=~"$view"}[$__rate_interval])) > 0`,
		TitleFormat: "{{view}} rolled back by {{trigger}}",
	}}
}

func nowPanels() []Panel {
	bad := colours(from(1, "red"))
	return []Panel{
		stat("Blocked views", "Views whose newest decided window is not visible. Readers keep the last good version.",
			`sum(max by (view) (sluice_gate_blocked{view=~"$view"})) or vector(0)`, bad),
		stat("Frozen views", "Views that publish nothing until somebody thaws them.",
			`sum(max by (view) (sluice_view_frozen{view=~"$view"})) or vector(0)`, bad),
		stat("Stale views", "Views whose served values are older than their objective.",
			`count(view:sluice_served_age_seconds:max{view=~"$view"} > on (view) (max by (view) (sluice_freshness_objective_seconds) > 0)) or vector(0)`, bad),
		stat("Overdue windows", "Windows that should have closed and cannot complete.",
			`sum(max by (view) (sluice_window_overdue{view=~"$view"})) or vector(0)`, bad),
		stat("Worst severity", "Worst feature of the newest window of each view; 1 is the threshold.",
			`max(view:sluice_feature_severity_ratio:max{view=~"$view"}) or vector(0)`, colours(from(0.8, "yellow"), from(1, "red"))),
		stat("Running", "Processes by version.", `sum by (version) (sluice_build_info)`, func(p *Panel) {
			p.Targets[0].LegendFormat = "{{version}}"
		}),
	}
}

func verdictPanels() []Panel {
	return []Panel{
		graph("Severity by view", "Worst feature of each view: statistic over its own threshold. From 1 on the window warns or fails.",
			[]query{{`view:sluice_feature_severity_ratio:max{view=~"$view"}`, "{{view}}"}}, fromZero, colours(from(1, "red"))),
		graph("Ten worst features", "Severity of the newest window.",
			[]query{{`topk(10, max by (view, feature) (sluice_feature_severity_ratio{view=~"$view"}))`, "{{view}}:{{feature}}"}}, fromZero, colours(from(1, "red"))),
		graph("Score of views and services", "How much of what matters moved in the newest windows: severities by importance and readers, 1 is all. See `sluice score`.",
			[]query{
				{`max by (view) (sluice_view_score_ratio{view=~"$view"})`, "view {{view}}"},
				{`max by (service) (sluice_service_score_ratio)`, "service {{service}}"},
			}, fromZero, unit("percentunit")),
		graph("Verdicts", "Verdicts by state. Inconclusive and error hold: they neither publish nor roll back.",
			[]query{{`sum by (outcome) (increase(sluice_verdicts_total{view=~"$view"}[$__rate_interval]))`, "{{outcome}}"}}, fromZero, stacked),
		graph("Gate decisions", "What the gate decided, by the method of the worst reason; what people decided; and what is tried again.",
			[]query{
				{`sum by (decision, reason) (increase(sluice_gate_decisions_total{view=~"$view"}[$__rate_interval]))`, "{{decision}}: {{reason}}"},
				{`sum(increase(sluice_gate_overrides_total{view=~"$view"}[$__rate_interval]))`, "by a person"},
				{`sum(increase(sluice_gate_errors_total{view=~"$view"}[$__rate_interval]))`, "could not be taken"},
			}, fromZero, stacked),
		timeline("Blocked and frozen views", "While a view is blocked its readers keep the last good version.",
			[]query{
				{`max by (view) (sluice_gate_blocked{view=~"$view"})`, "{{view}} blocked"},
				{`max by (view) (sluice_view_frozen{view=~"$view"})`, "{{view}} frozen"},
			},
			map[string]Word{"0": {Text: "no", Color: "green", Index: 0}, "1": {Text: "yes", Color: "red", Index: 1}}),
		graph("Rollbacks", "Versions taken out after they were visible, by a verdict or by a person.",
			[]query{{`sum by (view, trigger) (increase(sluice_rollbacks_total{view=~"$view"}[$__rate_interval]))`, "{{view}} by {{trigger}}"}}, fromZero, stacked),
		heatmap("Severities of all feature-windows", "How far everything lies from its threshold, by count; 1 is the threshold.",
			`sum(increase(sluice_drift_severity_ratio{view=~"$view"}[$__rate_interval]))`, "none"),
		graph("Severity by test", "99th percentile over features.",
			[]query{{`histogram_quantile(0.99, sum by (test) (rate(sluice_drift_severity_ratio{view=~"$view"}[$__rate_interval])))`, "{{test}}"}},
			fromZero, exemplars, colours(from(1, "red"))),
	}
}

func freshnessPanels() []Panel {
	return []Panel{
		graph("Age of the served version", "Now less the end of the newest window that readers see, and the age at which the view is late.",
			[]query{
				{`view:sluice_served_age_seconds:max{view=~"$view"}`, "{{view}}"},
				{`max by (view) (sluice_freshness_objective_seconds{view=~"$view"}) > 0`, "{{view}} objective"},
			}, unit("s"), fromZero),
		graph("Rows observed", "Accepted rows per second, those of them that were declared to be of long ago, by which no window is judged, and those left out of an online store that is nearly full.",
			[]query{
				{`sum by (view) (rate(sluice_rows_observed_total{view=~"$view"}[$__rate_interval]))`, "{{view}}"},
				{`sum by (view) (rate(sluice_rows_backfilled_total{view=~"$view"}[$__rate_interval])) > 0`, "{{view}} backfilled"},
				{`sum by (view) (rate(sluice_tap_offline_rows_total{view=~"$view"}[$__rate_interval])) > 0`, "{{view}} in the log alone"},
			}, unit("rowsps"), fromZero),
		graph("Invalid values", "Refused writes per second, by reason.",
			[]query{{`sum by (view, kind) (rate(sluice_invalid_values_total{view=~"$view"}[$__rate_interval]))`, "{{view}} {{kind}}"}}, unit("wps"), fromZero),
		graph("Writes by result", "Records read from the log per second. Quarantined and dead-lettered ones are in the dead-letter topic.",
			[]query{{`sum by (result) (rate(sluice_tap_writes_total[$__rate_interval]))`, "{{result}}"}}, unit("wps"), fromZero, stacked),
		graph("Tap lag", "Age of the oldest record that is still to be read.",
			[]query{{`max by (topic) (sluice_tap_lag_seconds)`, "{{topic}}"}}, unit("s"), fromZero),
		graph("Records to read", "Records that are still to be read.",
			[]query{{`sum by (topic) (sluice_tap_lag_records)`, "{{topic}}"}}, fromZero),
		graph("Back-pressure", "Partitions that were not read at a time, because rows were being staged or a checkpoint committed. At sluice_tap_partitions the tap only waits.",
			[]query{{`sum by (topic) (rate(sluice_tap_backpressure_seconds_total[$__rate_interval]))`, "{{topic}}"}}, fromZero),
		graph("Window close delay", "From a window's end plus lateness to its decision.",
			[]query{
				{`histogram_quantile(0.5, sum by (window) (rate(sluice_window_close_delay_seconds[$__rate_interval])))`, "{{window}} p50"},
				{`histogram_quantile(0.99, sum by (window) (rate(sluice_window_close_delay_seconds[$__rate_interval])))`, "{{window}} p99"},
			}, unit("s"), fromZero),
		graph("Overdue windows", "Windows that should have closed a window length ago and cannot complete.",
			[]query{{`max by (view) (sluice_window_overdue{view=~"$view"})`, "{{view}}"}}, fromZero),
		graph("Sources that tripped the gate", "1 while too many records of a view's source were dead letters in the time of its newest judged window.",
			[]query{{`max by (view) (sluice_source_tripped{view=~"$view"}) > 0`, "{{view}}"}}, fromZero),
		graph("Clocks of producers", "How far the clock of a view's producer is off, at worst: ahead at least so much, behind about so much.",
			[]query{{`max by (view, direction) (sluice_clock_skew_seconds{view=~"$view"}) > 0`, "{{view}} {{direction}}"}}, unit("s"), fromZero),
		graph("Checkpoints and decisions", "Time to stage rows and commit profiles and progress; to judge a complete window and commit the decision.",
			[]query{
				{`histogram_quantile(0.5, sum(rate(sluice_tap_checkpoint_duration_seconds[$__rate_interval])))`, "checkpoint p50"},
				{`histogram_quantile(0.99, sum(rate(sluice_tap_checkpoint_duration_seconds[$__rate_interval])))`, "checkpoint p99"},
				{`histogram_quantile(0.5, sum(rate(sluice_gate_decide_duration_seconds[$__rate_interval])))`, "decision p50"},
				{`histogram_quantile(0.99, sum(rate(sluice_gate_decide_duration_seconds[$__rate_interval])))`, "decision p99"},
			}, unit("s"), fromZero),
		graph("Partitions read", "Partitions by process, how often state was dropped and read again, and records of others on the profiles topic.",
			[]query{
				{`sluice_tap_partitions`, "{{instance}}"},
				{`sum by (topic) (sluice_tap_held_partitions)`, "held: {{topic}}"},
				{`sum by (topic) (sluice_tap_unread_records)`, "deleted unread: {{topic}}"},
				{`sum by (reason) (increase(sluice_tap_errors_total[$__rate_interval]))`, "read again: {{reason}}"},
				{`sum(increase(sluice_tap_foreign_records_total[$__rate_interval]))`, "records of others"},
				{`sum(increase(sluice_tap_panics_total[$__rate_interval]))`, "panics"},
			}, fromZero),
		graph("Versions that wait", "Versions that passed and wait for room in the list or in the online store, or for a thaw.",
			[]query{{`max by (view) (sluice_gate_waiting{view=~"$view"})`, "{{view}}"}}, fromZero),
		graph("Rows read back", "Rows held against the store before their window is judged, per second. Lost ones were staged again from the log.",
			[]query{{`sum by (result) (rate(sluice_gate_audited_rows_total{view=~"$view"}[$__rate_interval]))`, "{{result}}"}}, unit("rowsps"), fromZero),
		graph("Rows of reads profiled", "Sampled rows of reads that the profile of what is served takes in per second, and profiles that could not be stored.",
			[]query{
				{`sum by (view) (rate(sluice_served_rows_sampled_total{view=~"$view"}[$__rate_interval]))`, "{{view}}"},
				{`sum(increase(sluice_served_profile_errors_total[$__rate_interval]))`, "not stored"},
			}, fromZero),
		graph("Where reasons begin", "Verdicts in whose log it was looked for, by what became of that, and for how long some have been waiting for it.",
			[]query{
				{`sum by (result) (increase(sluice_origins_total[$__rate_interval]))`, "{{result}}"},
				{`max(sluice_origins_behind_seconds)`, "seconds behind"},
			}, fromZero),
		graph("Rows swept", "Rows of dead and superseded versions removed per second.",
			[]query{{`sum by (view) (rate(sluice_gate_swept_rows_total{view=~"$view"}[$__rate_interval]))`, "{{view}}"}}, unit("rowsps"), fromZero),
	}
}

func servingPanels() []Panel {
	return []Panel{
		graph("Serve latency", "Time to answer a request for features.",
			[]query{
				{`histogram_quantile(0.5, sum by (method) (rate(sluice_serve_request_duration_seconds[$__rate_interval])))`, "{{method}} p50"},
				{`histogram_quantile(0.95, sum by (method) (rate(sluice_serve_request_duration_seconds[$__rate_interval])))`, "{{method}} p95"},
				{`histogram_quantile(0.99, sum by (method) (rate(sluice_serve_request_duration_seconds[$__rate_interval])))`, "{{method}} p99"},
			}, unit("s"), fromZero, exemplars),
		graph("Requests by code", "Requests per second.",
			[]query{
				{`sum by (code) (histogram_count(rate(sluice_serve_request_duration_seconds[$__rate_interval])))`, "{{code}}"},
			}, unit("reqps"), fromZero, stacked),
		graph("Share of requests that failed", "Requests that ended in an error of the server, over all.",
			[]query{{`sluice_serve_errors:ratio5m`, "errors"}}, unit("percentunit"), fromZero, colours(from(maxServeErrors, "red"))),
		graph("Reads turned away", "Requests per second that were shed because of load, by priority and reason. Those of a token or project are over its rate.",
			[]query{{`sum by (priority, reason) (rate(sluice_serve_shed_total[$__rate_interval]))`, "{{priority}} {{reason}}"}}, unit("reqps"), fromZero, stacked),
		graph("Reads at work", "Reads that are at work, and that wait to be, beside the limit, which follows latency.",
			[]query{{`sum by (state) (sluice_serve_concurrency)`, "{{state}}"}}, fromZero),
		graph("Connections", "Open connections by door; those beyond the limit are closed at once, and those of gRPC whose clients send more frames than calls need.",
			[]query{
				{`sum by (door) (sluice_serve_connections)`, "{{door}}"},
				{`sum by (door) (rate(sluice_serve_connections_refused_total[$__rate_interval]))`, "{{door}} refused/s"},
				{`sum by (reason) (rate(sluice_serve_http2_refused_total[$__rate_interval]))`, "HTTP/2 {{reason}}/s"},
				{`sum by (reason) (rate(sluice_serve_http1_left_total[$__rate_interval]))`, "HTTP/1 {{reason}}/s"},
				{`sum(rate(sluice_serve_http1_lent_total[$__rate_interval]))`, "HTTP/1 answered by net/http/s"},
			}, fromZero),
		graph("Values served by status", "Values per second.",
			[]query{{`sum by (status) (rate(sluice_serve_values_total{view=~"$view"}[$__rate_interval]))`, "{{status}}"}}, unit("ops"), fromZero, stacked),
		graph("Alerts sent", "Messages about incidents, by channel and outcome, and events that wait to be told.",
			[]query{
				{`sum by (channel_kind, outcome) (increase(sluice_alerts_sent_total[$__rate_interval]))`, "{{channel_kind}} {{outcome}}"},
				{`sum(sluice_alerts_waiting)`, "waiting"},
			}, fromZero),
		graph("Rows that the store did not give", "Per second: values answered as UNAVAILABLE, rows answered from an earlier read, flagged stale, and rows of the row cache, for which the store was not asked.",
			[]query{
				{`sum by (view) (rate(sluice_serve_values_total{view=~"$view",status="UNAVAILABLE"}[$__rate_interval]))`, "{{view}} unavailable"},
				{`sum by (view) (rate(sluice_serve_kept_rows_total{view=~"$view"}[$__rate_interval]))`, "{{view}} stale"},
				{`sum by (view) (rate(sluice_serve_cached_rows_total{view=~"$view"}[$__rate_interval]))`, "{{view}} cached"},
			}, unit("ops"), fromZero),
		graph("Computed features that failed", "Values per second whose expression could not be evaluated for the row, by reason; the log names the feature.",
			[]query{{`sum by (view, reason) (rate(sluice_serve_compute_failures_total{view=~"$view"}[$__rate_interval]))`, "{{view}} {{reason}}"}}, unit("ops"), fromZero),
		graph("Reads of replicas", "Per second: rows that a replica gave in place of its primary, and reads whose answer was late, by what asking the replica as well came to. Shards that did not answer, and elections that were asked for, are counted over the interval.",
			[]query{
				{`sum by (store, proof) (rate(sluice_rows_replica_total[$__rate_interval]))`, "{{store}} rows {{proof}}"},
				{`sum by (store, result) (rate(sluice_rows_hedges_total[$__rate_interval]))`, "{{store}} late {{result}}"},
				{`sum by (store) (increase(sluice_rows_breaker_opened_total[$__rate_interval]))`, "{{store}} shards silent"},
				{`sum by (store, outcome) (increase(sluice_rows_failovers_total[$__rate_interval]))`, "{{store}} elections {{outcome}}"},
			}, unit("ops"), fromZero),
		graph("Online stores", "Batches of keys read from each, and calls that failed, per second.",
			[]query{
				{`sum by (store) (rate(sluice_online_store_reads_total[$__rate_interval]))`, "{{store}} reads"},
				{`sum by (store, op) (rate(sluice_online_store_errors_total[$__rate_interval]))`, "{{store}} {{op}} errors"},
			}, unit("ops"), fromZero),
		graph("Rows that servers lost", "Share of the entities whose rows were lost with a server that came back empty, how far staging them again has come, and what became of it over the interval.",
			[]query{
				{`max by (store) (sluice_rows_absent_ratio)`, "{{store}} lost"},
				{`min by (store) (sluice_rows_restored_ratio)`, "{{store}} read again"},
				{`sum by (store, outcome) (increase(sluice_rows_restores_total[$__rate_interval]))`, "{{store}} restores {{outcome}}"},
				{`sum by (store, what) (increase(sluice_rows_refused_total[$__rate_interval]))`, "{{store}} refused for want of memory {{what}}"},
			}, fromZero),
		graph("Sampled rows and reports", "Rows sampled of those that reads returned, per second, by what became of them; and failed records of reads by version.",
			[]query{{`sum by (result) (rate(sluice_serve_reports_total[$__rate_interval]))`, "{{result}}"}}, unit("ops"), fromZero),
		graph("Answers beyond the lease", "Requests per second that were answered from a snapshot whose lease had lapsed: last known good, flagged.",
			[]query{{`sum(rate(sluice_serve_lease_fallbacks_total[$__rate_interval]))`, "answers"}}, unit("reqps"), fromZero),
	}
}

func probePanels() []Panel {
	return []Panel{
		graph("Probe windows", "Windows that the probe wrote, by what became of them. Of those with a planted fault none may be published.",
			[]query{{`sum by (kind, outcome) (increase(sluice_probe_windows_total[$__rate_interval]))`, "{{kind}} {{outcome}}"}}, fromZero, stacked),
		graph("Probe reads", "Rows per second that the probe asked for. Bad ones are no known good value.",
			[]query{{`sum by (outcome) (rate(sluice_probe_reads_total[$__rate_interval]))`, "{{outcome}}"}}, unit("rowsps"), fromZero, stacked),
		graph("Probe verdict time", "From the seal of a window of the probe to its verdict.",
			[]query{
				{`histogram_quantile(0.5, sum(rate(sluice_probe_verdict_duration_seconds[$__rate_interval])))`, "p50"},
				{`histogram_quantile(0.99, sum(rate(sluice_probe_verdict_duration_seconds[$__rate_interval])))`, "p99"},
			}, unit("s"), fromZero),
	}
}
