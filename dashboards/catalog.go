package dashboards

// Labels that several metrics share.
var (
	view    = Label{Name: "view", Most: 200, Help: "name of the feature view"}
	feat    = Label{Name: "feature", Most: 50, Help: "name of the feature"}
	window  = Label{Name: "window", Values: []string{"base", "probation", "freshness", "served", "parity"}}
	topic   = Label{Name: "topic", Most: 50, Help: "topic of feature writes"}
	part    = Label{Name: "partition", Most: 16, Help: "partition of the topic"}
	store   = Label{Name: "store", Most: 17, Help: "name of the online store: default, or one of online_stores"}
	method  = Label{Name: "test", Values: []string{"calibrated", "psi", "ks", "chi_square", "tvd", "nulls", "volume", "expect", "iforest", "pinned", "freshness"}}
	verdict = Label{Name: "outcome", Values: []string{"pass", "warn", "fail", "inconclusive", "error"}}
)

// Catalog lists every metric that Sluice exports, by module. A new metric is a
// line here and at least one panel or rule that reads it.
var Catalog = []Metric{
	{"sluice_rows_observed_total", Counter, "tap", []Label{view, {Name: "source", Most: 2, Help: "topic the rows were read from"}},
		"Rows accepted and profiled."},
	{"sluice_rows_backfilled_total", Counter, "tap", []Label{view, {Name: "source", Most: 2, Help: "topic the rows were read from"}},
		"Of the rows accepted, those of declared backfills: they are served, and no window is judged by them."},
	{"sluice_invalid_values_total", Counter, "tap", []Label{view, {Name: "kind", Most: 8, Help: "error code of the refusal, as in dead letters"}},
		"Writes that a view did not take, by reason; the view is empty where none could be told."},
	{"sluice_tap_lag_seconds", Gauge, "tap", []Label{topic},
		"Age of the oldest record that is still to be read; 0 if all are."},
	{"sluice_tap_lag_records", Gauge, "tap", []Label{topic},
		"Records that are still to be read."},
	{"sluice_tap_backpressure_seconds_total", Counter, "tap", []Label{topic},
		"Seconds in which partitions were not read, because rows were being staged or a checkpoint committed, over all partitions."},
	{"sluice_tap_writes_total", Counter, "tap", []Label{topic, part, {Name: "result", Values: []string{"accepted", "quarantined", "dead_lettered", "duplicate"}}},
		"Records read from the log, by what became of them. Those read again after a restart count again."},
	{"sluice_tap_checkpoint_duration_seconds", Histogram, "tap", nil,
		"Time to stage rows and commit profiles and progress."},
	{"sluice_tap_errors_total", Counter, "tap", []Label{{Name: "reason", Values: []string{"fenced", "transaction", "registry", "store", "log", "topic", "other"}}},
		"Times that a partition's state was dropped and read again from the log; topic: that its topic was made anew, and is read from its start."},
	{"sluice_tap_partitions", Gauge, "tap", nil,
		"Partitions that this process reads."},
	{"sluice_tap_foreign_records_total", Counter, "tap", nil,
		"Records on the profiles topic that no tap wrote. They are passed over; those still there count again after a restart."},

	{"sluice_feature_severity_ratio", Gauge, "gate", []Label{view, feat},
		"Statistic over its own threshold in the newest judged window, worst over tests; 1 is the threshold."},
	{"sluice_view_score_ratio", Gauge, "gate", []Label{view},
		"How much of what matters in the view moved in its newest judged window, 0 to 1: severities by importance and the services that name a feature."},
	{"sluice_service_score_ratio", Gauge, "gate", []Label{{Name: "service", Most: 100, Help: "name of the feature service"}},
		"How much of what matters to the service moved in the newest windows of its views that the gate judged since it started, 0 to 1."},
	{"sluice_drift_severity_ratio", Histogram, "gate", []Label{view, method, window},
		"Severities of the scores that verdicts show; 1 is the threshold."},
	{"sluice_verdicts_total", Counter, "gate", []Label{view, window, verdict},
		"Verdicts, by state."},
	{"sluice_gate_decisions_total", Counter, "gate", []Label{view,
		{Name: "decision", Values: []string{"publish", "hold", "reject", "rollback", "notify", "none"}},
		{Name: "reason", Most: 6, Help: "method of the worst reason, or none"}},
		"Decisions of the gate."},
	{"sluice_gate_blocked", Gauge, "gate", []Label{view},
		"1 while the view's newest decided window is not visible, else 0."},
	{"sluice_gate_overrides_total", Counter, "gate", []Label{view},
		"Decisions of people: approve, reject, freeze, thaw, baseline."},
	{"sluice_rollbacks_total", Counter, "gate", []Label{view, {Name: "trigger", Values: []string{"verdict", "person"}}},
		"Versions that were taken out after they were visible."},
	{"sluice_window_close_delay_seconds", Histogram, "gate", []Label{window},
		"Time from a window's end plus lateness to its decision."},
	{"sluice_freshness_objective_seconds", Gauge, "gate", []Label{view},
		"Age at which the view is late (freshness.warn of its definition); 0 is never."},
	{"sluice_window_overdue", Gauge, "gate", []Label{view},
		"Windows of the view that should have closed a window length ago and have not."},
	{"sluice_view_frozen", Gauge, "gate", []Label{view},
		"1 while the view is frozen: every decision is hold; else 0."},
	{"sluice_gate_decide_duration_seconds", Histogram, "gate", nil,
		"Time to judge a complete window and commit the decision."},
	{"sluice_gate_leading", Gauge, "gate", nil,
		"1 in the process that judges and publishes, 0 in those that stand by or serve."},
	{"sluice_gate_errors_total", Counter, "gate", []Label{view},
		"Decisions that could not be taken and are tried again."},
	{"sluice_gate_waiting", Gauge, "gate", []Label{view},
		"Versions that passed and wait for room in the list or for a thaw."},
	{"sluice_gate_audited_rows_total", Counter, "gate", []Label{view, {Name: "result", Values: []string{"there", "lost", "unread"}}},
		"Rows read back before their window is judged, and those of visible versions after a change of servers; lost ones were staged again from the log, unread ones are no longer in the log."},
	{"sluice_gate_swept_rows_total", Counter, "gate", []Label{view},
		"Rows of dead and superseded versions removed from the row store."},

	{"sluice_served_version_timestamp_seconds", Gauge, "serving", []Label{view, {Name: "store", Values: []string{"online"}}},
		"End of the newest event-time window that readers see, Unix seconds; 0 before the first."},
	{"sluice_serve_request_duration_seconds", Histogram, "serving", []Label{
		{Name: "method", Values: []string{"feast_grpc", "own_grpc", "push_grpc", "feast_http", "rows_http", "push_http", "bulk_grpc", "bulk_http"}},
		{Name: "code", Values: []string{"ok", "invalid", "refused", "unavailable", "shed"}}},
		"Time to answer a request."},
	{"sluice_serve_shed_total", Counter, "serving", []Label{
		{Name: "priority", Values: []string{"critical", "default", "sheddable"}},
		{Name: "reason", Values: []string{"full", "slow", "late", "token", "project"}}},
		"Requests turned away because of load: no room to wait (full), the wait was over (slow), it would not have been answered before its deadline (late), or the rate of its token or project is used up. Of the last two the priority is not looked at: default."},
	{"sluice_serve_concurrency", Gauge, "serving", []Label{{Name: "state", Values: []string{"limit", "running", "waiting"}}},
		"Reads at work, reads that wait to be, and how many may be at work; a limit of 0 is none."},
	{"sluice_serve_connections", Gauge, "serving", []Label{{Name: "door", Values: []string{"http", "grpc"}}},
		"Open connections."},
	{"sluice_serve_connections_refused_total", Counter, "serving", []Label{{Name: "door", Values: []string{"http", "grpc"}}},
		"Connections closed at once because too many were open."},
	{"sluice_serve_http2_refused_total", Counter, "serving", []Label{{Name: "reason", Values: []string{"refused_stream", "too_large", "protocol", "calm", "slow"}}},
		"What the gRPC door refused: calls beyond a connection's or a request's limits (refused_stream, too_large), and connections ended because the client broke the protocol, sent more frames than calls need, or did not read or answer (protocol, calm, slow)."},
	{"sluice_serve_http1_left_total", Counter, "serving", []Label{{Name: "reason", Values: []string{"other", "unusual", "large", "slow", "panic"}}},
		"Connections of the HTTP door that left the fast path for reads: net/http has them since a request of another method or path, with something unusual in its head, or beyond a limit (other, unusual, large); or they were ended because a request did not come in time, or panicked (slow, panic)."},
	{"sluice_serve_lease_fallbacks_total", Counter, "serving", nil,
		"Requests answered from a snapshot whose lease had lapsed."},
	{"sluice_serve_values_total", Counter, "serving", []Label{view, {Name: "status", Values: []string{"PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE", "UNAVAILABLE", "FAILED"}}},
		"Values served, by status; UNAVAILABLE ones the row store did not give, FAILED ones could not be computed."},
	{"sluice_serve_compute_failures_total", Counter, "serving", []Label{view,
		{Name: "reason", Values: []string{"division", "overflow", "cost", "size", "type", "input"}}},
		"Values of computed features whose expression could not be evaluated for the row, which the log names: an integer divided by 0, a number that the type cannot hold, more steps or bytes than an expression may take, a value that does not convert, or a computed feature that it reads failed."},
	{"sluice_serve_kept_rows_total", Counter, "serving", []Label{view},
		"Rows answered from a replica or an earlier read, flagged stale, because their shard of the row store did not give them."},
	{"sluice_serve_reports_total", Counter, "serving", []Label{{Name: "result", Values: []string{"sampled", "sample_dropped", "sample_failed", "exposure_failed"}}},
		"Rows sampled of those that reads returned, by what became of them; and failed records of how often versions were read, which are tried again."},
	{"sluice_served_rows_sampled_total", Counter, "serving", []Label{view},
		"Rows of reads taken into the profile of what is served."},
	{"sluice_served_profile_errors_total", Counter, "serving", nil,
		"Profiles of what was served that could not be stored, and are tried again."},

	{"sluice_rows_hedges_total", Counter, "serving", []Label{store, {Name: "result", Values: []string{"won", "lost", "behind", "neither", "refused"}}},
		"Reads of a shard of Redis whose answer was late, by online store and by what asking a replica as well came to: its answer was given (won), the primary's came first (lost), it could not be shown to be complete (behind), none came in time (neither), or it was not asked because the budget was spent (refused)."},
	{"sluice_rows_replica_total", Counter, "serving", []Label{store, {Name: "proof", Values: []string{"exact", "behind"}}},
		"Rows that a replica gave in place of its primary: shown to have all that readers may see (exact), or not, and flagged stale (behind)."},
	{"sluice_rows_breaker_opened_total", Counter, "serving", []Label{store},
		"Times that a shard of Redis did not answer for so long that reads no longer wait for it."},
	{"sluice_online_store_open", Gauge, "store", []Label{store},
		"1 once the online store has been opened, by store."},
	{"sluice_online_store_reads_total", Counter, "store", []Label{store},
		"Batches of keys of a view that the online store was asked for, by store."},
	{"sluice_online_store_errors_total", Counter, "store", []Label{store, {Name: "op", Values: []string{"read", "write"}}},
		"Calls of the online store that failed, in whole or in part, by store and op (read, write)."},

	{"sluice_alerts_sent_total", Counter, "notify", []Label{
		{Name: "channel_kind", Values: []string{"slack", "log"}},
		{Name: "outcome", Values: []string{"sent", "coalesced", "failed", "dropped"}}},
		"Messages about incidents, by what became of them."},

	{"sluice_probe_windows_total", Counter, "probe", []Label{
		{Name: "kind", Values: []string{"good", "fault"}},
		{Name: "outcome", Values: []string{"published", "blocked", "unjudged", "unwritten"}}},
		"Windows that `sluice probe` wrote, by what became of them; the fault ones were planted."},
	{"sluice_probe_reads_total", Counter, "probe", []Label{{Name: "outcome", Values: []string{"good", "bad", "failed"}}},
		"Rows that `sluice probe` asked for; bad ones are no known good value."},
	{"sluice_probe_verdict_duration_seconds", Histogram, "probe", nil,
		"Time from the seal of a window of `sluice probe` to its verdict."},

	{"sluice_build_info", Gauge, "admin", []Label{
		{Name: "version", Most: 1, Help: "release"}, {Name: "revision", Most: 1, Help: "commit"}, {Name: "goversion", Most: 1, Help: "Go release"}},
		"Always 1; the labels say what runs."},
}
