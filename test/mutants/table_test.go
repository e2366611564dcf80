package mutants

// mutant is a bug: edits of one file, each of a text that is there once, and the
// test that catches it.
type mutant struct {
	name  string
	file  string
	edits [][2]string // former and planted text
	pkg   string
	run   string
	args  []string
	often bool // among those of every run
}

var seeds = []string{"-sim.histories", "1000"}

// noFailFile keeps rapid from leaving what it found of a planted bug in the tree, where later runs would try it again.
const noFailFile = "-rapid.nofailfile"

var mutants = []mutant{
	{
		name: "prune by count: a fold keeps the two newest versions of a chain", file: "store/embedded/sweep.go", often: true,
		edits: [][2]string{{"if !l.below || i == best && (!l.Deleted || above) {", "if i >= len(w.chain)-2 {"}},
		pkg:   "./store/embedded", run: "^TestRows$", args: []string{noFailFile},
	},
	{
		name: "floor before lease expiry: rows are swept while readers hold the former vector", file: "materialize/sweep.go", often: true,
		edits: [][2]string{{"if now.Sub(s.at) < 2*g.cfg.Lease {", "if now.Before(s.at) {"}},
		// About one history in five hundred to two thousand shows it: a server must keep its vector over a sweep.
		pkg: "./test/sim", run: "^TestHistories$", args: []string{"-sim.histories", "1000", "-sim.seed", "4001"},
	},
	{
		name: "pointer decrement: a rollback takes out the newer versions as well", file: "materialize/desk.go",
		edits: [][2]string{{"slices.DeleteFunc(d.visible, func(x feature.Version) bool { return x == version })", "slices.DeleteFunc(d.visible, func(x feature.Version) bool { return x >= version })"}},
		pkg:   "./test/sim", run: "^TestHistories$", args: seeds,
	},
	{
		name: "revoke list: above the floor everything shows that is not named", file: "feature/vector.go", often: true,
		edits: [][2]string{{"return slices.Contains(v.Visible, version)", "return version > 0"}},
		pkg:   "./test/sim", run: "^TestHistories$", args: seeds,
	},
	{
		name: "a verdict without an answer publishes", file: "materialize/verdict.go",
		edits: [][2]string{{"case (state == rules.Pass || state == rules.Warn) && d.poison == \"\":", "case state != rules.Fail:"}},
		pkg:   "./test/sim", run: "^TestHistories$", args: seeds,
	},
	{
		name: "a frozen view publishes", file: "materialize/verdict.go",
		edits: [][2]string{{"	case d.frozen:\n		return \"hold\"\n", ""}},
		pkg:   "./test/sim", run: "^TestHistories$", args: seeds,
	},
	{
		name: "a joint verdict is on the version with the highest number", file: "materialize/evidence.go",
		edits: [][2]string{{"e.Versions = append(e.Versions, c.info.Version)\n", "e.Versions = append(e.Versions, c.info.Version)\n	slices.Sort(e.Versions)\n"}},
		pkg:   "./test/sim", run: "^TestHistories$", args: seeds,
	},
	{
		name: "a sweep after a restart does not look back", file: "materialize/sweep.go",
		edits: [][2]string{{"return g.sweptBefore(ctx, view, feature.Version(n))", "return feature.Version(n), nil"}},
		pkg:   "./test/sim", run: "^TestHistories$", args: seeds,
	},
	{
		name: "an approval that was cut short is approved again, without rows", file: "materialize/approve.go",
		edits: [][2]string{{"case info.Kind == feature.KindApproved && len(info.Spans) == 0:", "case info.Version == 0:"}},
		pkg:   "./materialize", run: "^TestCrashDuringApprove$", // of 36,000 histories none shows it
	},
	{
		name: "an approval whose answer was lost is undone, and what it took off the shelf with it", file: "materialize/approve.go",
		edits: [][2]string{{"case now.Step != feature.StepOpen:", "case now.Version == 0:"}},
		pkg:   "./materialize", run: "^TestApprovalWithoutAnswer$", // one of 60,000 histories shows it
	},
	{
		name: "an approval whose process died holds the floor for ever", file: "materialize/sweep.go",
		edits: [][2]string{{"err = g.tidyOthers(ctx, view, g.seat(view), time.Now())", "err = nil"}},
		pkg:   "./test/sim", run: "^TestHistories$", args: []string{"-sim.histories", "2000"},
	},
	{
		name: "the mark before the rows: a checkpoint says what is not staged yet", file: "tap/checkpoint.go",
		edits: [][2]string{
			{"	if err := p.stageAll(ctx); err != nil {\n		return err\n	}\n	defer p.waited", "	defer p.waited"},
			{"	p.saved()\n	p.tap.metrics", "	p.saved()\n	if err := p.stageAll(ctx); err != nil {\n		return err\n	}\n	p.tap.metrics"},
		},
		pkg: "./test/sim", run: "^TestCrashCells$/^write$",
	},
	{
		name: "a window of a poisoned source is published", file: "materialize/verdict.go",
		edits: [][2]string{{"&& d.poison == \"\":", "&& d.by != \"\":"}},
		pkg:   "./materialize", run: "^TestPoisonedSourceHolds$",
	},
	{
		name: "dead letters of a source are not added up over its partitions", file: "materialize/poison.go",
		edits: [][2]string{{"N: sum.N + m.N, Dead: sum.Dead + m.Dead}", "N: max(sum.N, m.N), Dead: max(sum.Dead, m.Dead)}"}},
		pkg:   "./materialize", run: "^TestPoison$",
	},
	{
		name: "dead letters within the lateness of a window are not looked at", file: "materialize/poison.go",
		edits: [][2]string{{"from.Before(w.End.Add(view.Window.Lateness))", "from.Before(w.End)"}},
		pkg:   "./materialize", run: "^TestPoison$",
	},
	{
		name: "what is held for its source is published though the source is poisoned still", file: "materialize/poison.go",
		edits: [][2]string{{"	if d.poison != \"\" {\n		return", "	if d.poison == \"-\" {\n		return"}},
		pkg:   "./materialize", run: "^TestPoisoned",
	},
	{
		name: "a version that lacks rows is published", file: "materialize/offline.go",
		edits: [][2]string{{"	if !d.offline(version) {\n		return false\n	}\n	info :=", "	if version > 0 {\n		return false\n	}\n	info :="}},
		pkg:   "./test/sim", run: "^TestHistories$", args: seeds,
	},
	{
		name: "a version that shows while it is open and lacks rows goes on showing", file: "materialize/offline.go",
		edits: [][2]string{{"if !d.offline(version) || !d.listed(version) ||", "if version > 0 || !d.listed(version) ||"}},
		pkg:   "./test/sim", run: "^TestHistories$", args: seeds,
	},
	{
		name: "a platform starts on a restore that was cut short", file: "cmd/sluice/app/parts.go",
		edits: [][2]string{{"	if err := p.finished(ctx); err != nil {", "	if err := p.finished(ctx); err != nil && ctx.Err() != nil {"}},
		pkg:   "./cmd/sluice", run: "^TestRestoreCutShort$",
	},
	{
		name: "an opening without an answer is looked for before the registry may have carried it out", file: "materialize/approve.go",
		edits: [][2]string{{"	if errors.Is(err, feature.ErrUncertain) {\n		if err := p.deps.Registry.Await", "	if errors.Is(err, feature.ErrCorrupt) {\n		if err := p.deps.Registry.Await"}},
		pkg:   "./materialize", run: "^TestOpeningUnderWay$",
	},
	{
		name: "a report of reads that is repeated is counted again", file: "store/registry/exposure.go",
		edits: [][2]string{{" WHERE reporters.number < excluded.number`", "`"}},
		pkg:   "./store/registry", run: "^TestRegistry$",
	},
	{
		name: "what people are to be told dies with the process that decided", file: "store/registry/apply.go",
		edits: [][2]string{{"a.baseline, a.log, a.notices,", "a.baseline, a.log,"}},
		pkg:   "./materialize", run: "^TestDecisionWithoutAnswer$",
	},
	{
		name: "what people were told waits on", file: "internal/notify/notifier.go",
		edits: [][2]string{{"		return n.forget(ctx, news)\n", "		return nil\n"}},
		pkg:   "./internal/notify", run: "^TestTakeOver$",
	},
	{
		name: "a restored registry tells what waited when the backup was made", file: "store/registry/export.go",
		edits: [][2]string{{"\"leases\", \"notices\", \"commits\"", "\"leases\", \"commits\""}},
		pkg:   "./store/registry", run: "^TestMoveSQLite$",
	},
	{
		name: "a restore folds deletions away before rows that rest in the log are back", file: "internal/backup/restage.go",
		edits: [][2]string{{"		if s.plan.Foldable != nil {", "		if s.plan.Foldable != nil && len(s.plan.Parts) < 0 {"}},
		pkg:   "./internal/backup", run: "^TestRestageKeepsWhatHidesTheLog$",
	},
	{
		name: "deletions are folded away before rows that rest in the log are back", file: "materialize/offline.go",
		edits: [][2]string{{"floor = min(floor, from-1)", "floor = max(floor, from-1)"}},
		pkg:   "./materialize", run: "^TestOfflineDeletions$",
	},
	{
		name: "a tap does not say that it left rows out", file: "tap/offline.go",
		edits: [][2]string{{"w.offline, w.dirty = true, true", "w.dirty = true"}},
		pkg:   "./tap", run: "^TestOffline$",
	},
	{
		name: "that rows were left out does not outlive the tap", file: "tap/restore.go",
		edits: [][2]string{{"offline: partial.Offline,", ""}},
		pkg:   "./tap", run: "^TestOffline$",
	},
	{
		name: "what the profiles topic lost is not saved again", file: "tap/guard.go",
		edits: [][2]string{{"o.gap.Store(&gap{home, *s, e.end})", "_ = gap{home, *s, e.end}"}},
		pkg:   "./tap", run: "^TestProfilesLostWhileRunning$/^cut$",
	},
	{
		name: "event ids are not saved again with the rest", file: "tap/checkpoint.go",
		edits: [][2]string{{"p.ids.saved = 0", "p.ids.saved += 0"}},
		pkg:   "./tap", run: "^TestProfilesLostWhileRunning$/^made_anew$",
	},
	{
		name: "epochs begin again in another profiles topic", file: "tap/saves.go",
		edits: [][2]string{{"p.saves.base = max(p.saves.base, p.epoch)", "p.saves.base = min(p.saves.base, p.epoch)"}},
		pkg:   "./tap", run: "^TestProfilesLostWhileRunning$/^made_anew$",
	},
	{
		name: "a partition whose progress is lost is read from its start", file: "tap/begun.go",
		edits: [][2]string{{"case begun && !another(former, p.topicID):", "case begun && another(former, former):"}},
		pkg:   "./tap", run: "^TestProfilesLostWhileStopped$/^cut$",
	},
	{
		name: "what a tap let go of is given back though another one has read the partition", file: "tap/let.go",
		edits: [][2]string{{"return p.tap.deps.Owners == nil || !p.tenure", "return last == last || !p.tenure"}},
		pkg:   "./tap", run: "^TestLetGoIsOvertaken$",
	},
	{
		name: "an owner reads on though another one was noted", file: "tap/let.go",
		edits: [][2]string{{"case !swapped:", "case !swapped && p == nil:"}},
		pkg:   "./tap", run: "^TestEntersOnce$",
	},
	{
		name: "what a tap let go of is forgotten", file: "tap/let.go",
		edits: [][2]string{{"	case t.deps.Owners == nil || t.lost:", "	case t.deps.Owners != nil || t.lost:"}},
		pkg:   "./tap", run: "^TestProfilesLostOnTheWay$/^made_anew$",
	},
	{
		name: "-0 and 0 tell rows apart in digests", file: "quality/sketch/hash.go",
		edits: [][2]string{{"case bits == negativeZero && t.Float():", "case bits == negativeZero && t == 0:"}},
		pkg:   "./quality/sketch", run: "^TestNegativeZeroIsZeroInDigests$",
	},
	{
		name: "what is not finite is kept whatever the policy", file: "tap/decode.go",
		edits: [][2]string{{"f.NotFinite != \"\" {", "f.NotFinite == feature.NotFinitePass {"}},
		pkg:   "./tap", run: "^TestNotFinitePolicies$",
	},
	{
		name: "late rows are dropped", file: "tap/classify.go",
		edits: [][2]string{{"	case late:\n		p.AddLate(m)\n", "	case late:\n"}},
		pkg:   "./tap", run: "^TestTapMergeLaw$", args: []string{"-law.cases", "3"},
	},
	{
		name: "events are not deduplicated", file: "tap/partition.go", often: true,
		edits: [][2]string{{"p.ids.has(id)", "p.ids.has(eventHash{})"}},
		pkg:   "./tap", run: "^TestTapMergeLaw$", args: []string{"-law.cases", "3"},
	},
	{
		name: "partials of a transaction that never ended count", file: "tap/assemble.go",
		edits: [][2]string{{"g.seen == len(g.parts) && progress.covers(at) && !at.before(best)", "g.seen == len(g.parts) && !at.before(best)"}},
		pkg:   "./tap", run: "^TestFollowPassesOverDeadTransactions$",
	},
	{
		name: "the record before the checkpoint is read twice", file: "tap/restore.go",
		edits: [][2]string{{"p.next, p.counts, p.epochs = s.progress.Offset,", "p.next, p.counts, p.epochs = max(0, s.progress.Offset-1),"}},
		pkg:   "./tap", run: "^TestTapMergeLaw$", args: []string{"-law.cases", "3"},
	},
	{
		name: "what is read again is judged by the definitions of now", file: "tap/defined.go",
		edits: [][2]string{{"j.now, j.known, err = j.past.source(ctx, j.given, j.topic, *d)", "j.now, j.known = j.given, true"}},
		pkg:   "./tap", run: "^TestReplayUnderDefinitionsOfTheTime$",
	},
	{
		name: "which definitions decided is not saved", file: "tap/checkpoint.go",
		edits: [][2]string{{", Defined: p.defined,", ","}},
		pkg:   "./tap", run: "^TestReplayOfChangingDefinitions$",
	},
	{
		name: "a window that is closed opens again when the lateness grows", file: "tap/sorter.go",
		edits: [][2]string{{"former.Closed(w, s.watermark); w = spec.Starting(w.End) {\n\t\ts.seal(w.Start)", "former.Closed(w, s.watermark); w = spec.Starting(w.End) {\n\t\t_ = w"}},
		pkg:   "./tap", run: "^TestLatenessThatChanges$",
	},
	{
		name: "a new owner takes over idleness though there are records to read", file: "tap/restore.go",
		edits: [][2]string{{"case state.Idle && p.next < end:", "case state.Idle && p.next > end:"}},
		pkg:   "./tap", run: "^TestRestartWithUnreadRecordsIsNotIdle$",
	},
	{
		name: "a commit is applied whatever the generation", file: "store/registry/apply.go",
		edits: [][2]string{{"if a.old.Generation != a.IfGeneration {", "if a.View == 0 {"}},
		pkg:   "./store/registry", run: "^TestSQLiteIsLinearizable$",
	},
	{
		name: "a gate that was overtaken commits", file: "store/registry/fence.go",
		edits: [][2]string{{"if current != epoch || epoch == 0 {", "if epoch > current || epoch == 0 {"}},
		pkg:   "./store/registry", run: "^TestRegistry$/^fenced$",
	},
	{
		name: "a window is sealed though a partition that was idle is back", file: "store/registry/fence.go",
		edits: [][2]string{{"if left[name] != seen[name] {", "if left[name] < seen[name] {"}},
		pkg:   "./store/registry", run: "^TestRegistry$/^seal_and_leave_idle$",
	},
	{
		name: "a fold keeps the oldest", file: "store/embedded/sweep.go",
		edits: [][2]string{{"(best < 0 || l.Newer(w.chain[best].Record))", "best < 0"}},
		pkg:   "./store/embedded", run: "^TestRows$", args: []string{noFailFile},
	},
	{
		name: "a lease never ends", file: "serving/lease.go",
		edits: [][2]string{{"if since <= l.config.Lease {", "if since >= 0 {"}},
		pkg:   "./serving", run: "^TestLease$",
	},
	{
		name: "time to live is not looked at", file: "serving/read.go",
		edits: [][2]string{{"now != 0 && a.part.ttl > 0 && old > a.part.ttl", "now < 0 && old > a.part.ttl"}},
		pkg:   "./serving", run: "^TestPolicy$",
	},
	{
		name: "views of a group show by the vector of the first", file: "serving/read.go", often: true,
		edits: [][2]string{{"p, shown := a.part, a.shown", "p, shown := a.part, q.answers[0].shown"}},
		pkg:   "./test/sim", run: "^TestHistories$", args: seeds,
	},
	{
		name: "a view of a group is given its neighbour's rows", file: "serving/group.go",
		edits: [][2]string{{"got[i*len(keys):(i+1)*len(keys)]", "got[i*0 : len(keys)]"}},
		pkg:   "./test/sim", run: "^TestHistories$", args: seeds,
	},
	{
		name: "a sweep of one view goes by what was listed for another", file: "materialize/seat.go",
		edits: [][2]string{{"s := g.seats[view.ID]", "s := g.seats[1]"}, {"g.seats[view.ID] = s", "g.seats[1] = s"}},
		pkg:   "./test/sim", run: "^TestHistories$", args: seeds,
	},
	{
		name: "a reconciliation writes rows of a version that may still be rolled back", file: "internal/reconciliation/repair.go",
		edits: [][2]string{{"} else if version > r.floor || f.unsure {", "} else if f.unsure {"}},
		pkg:   "./internal/reconciliation", run: "^TestUncertified$",
	},
	{
		name: "a reconciliation calls different what changed while it looked", file: "internal/reconciliation/run.go",
		edits: [][2]string{{"		if !still {\n			continue\n		}\n", ""}, {"	c, still, err := r.look(ctx", "	c, _, err := r.look(ctx"}, {"map[feature.Key]finding{} // that were called different, whether they were repaired or not\n", "map[feature.Key]finding{}\n	r.report(found, open)\n"}},
		pkg:   "./internal/reconciliation", run: "^TestMoving$",
	},
	{
		name: "a platform that runs takes the lead in the middle of a restore", file: "store/registry/lease.go",
		edits: [][2]string{{"		if err := tx.restored(ctx); err != nil {\n			return err\n		}\n", ""}},
		pkg:   "./store/registry", run: "^TestMoveSQLite$",
	},
}
