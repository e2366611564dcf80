package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"sluice/feature"
	"sluice/internal/comparison"
	"sluice/rules"
)

type explainCmd struct {
	connection
	Verdict string `arg:"" help:"Verdict."`
	All     bool   `help:"Show the statistics of all features of a wide view."`
}

// Help shows examples.
func (*explainCmd) Help() string {
	return "It says what was judged, what was decided, why with every number, what the counts say of each feature, and what happens next." +
		"\n\nStatistics are of the layout's bins. KS is never above the distance of the values, and below it by no more than the JSON's bound; PSI is that of rules, on about ten bins; WASSERSTEIN takes values for the middle of their bin; ENTROPY is in nats." +
		"\n\nExamples:\n  sluice explain VERDICT\n  sluice explain VERDICT --format json"
}

func (c *explainCmd) Run(e *env) error {
	var raw json.RawMessage
	if err := c.get(e.ctx, "/api/v1/verdicts/"+url.PathEscape(c.Verdict), &raw); err != nil {
		return err
	}
	if c.Format == "json" {
		return printJSON(e.stdout, raw)
	}
	var v rules.Verdict
	var of struct {
		Statistics []comparison.Counted `json:"statistics"`
	}
	if err := errors.Join(json.Unmarshal(raw, &v), json.Unmarshal(raw, &of)); err != nil {
		return fmt.Errorf("answer about verdict %s: %w", c.Verdict, err)
	}
	counted, err := statistics(&v, of.Statistics, c.All)
	if err != nil {
		return err
	}
	var state feature.State
	var versions struct {
		Items []feature.VersionInfo `json:"items"`
	}
	if v.Version > 0 {
		// What became of the version since is worth a line, not a failure.
		query := fmt.Sprintf("?after=%d&limit=1", v.Version-1)
		if err := c.get(e.ctx, viewPath(v.View, "versions")+query, &versions); err == nil && len(versions.Items) == 1 && versions.Items[0].Version == v.Version {
			state = versions.Items[0].State
		}
	}
	return explain(e.stdout, &v, state, counted)
}

// explain writes a verdict in sentences. state is what the version is now; empty
// if that is not known. counted is the table of its statistics.
func explain(w io.Writer, v *rules.Verdict, state feature.State, counted string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Verdict %s of view %s: %s, decision %s.\n\n", v.ID, v.View, v.State, v.Decision)
	fmt.Fprintf(&b, "Judged   %s\n", subject(v))
	fmt.Fprintf(&b, "Against  %s\n", against(v))
	if v.Occasion != "" {
		fmt.Fprintf(&b, "Occasion %s, declared in the calendar: what compares it with history only warns\n", v.Occasion)
	}
	fmt.Fprintf(&b, "Decided  %s: %s\n", when(v.DecidedAt), decision(v))
	if v.Backfilled > 0 {
		fmt.Fprintf(&b, "Backfill %d of its rows were declared to be of long ago: they are not judged\n", v.Backfilled)
	}
	if v.Held != "" {
		fmt.Fprintf(&b, "Held     %s\n", v.Held)
	}
	if v.LeftOut != "" {
		fmt.Fprintf(&b, "History  it does not enter: %s\n", v.LeftOut)
	}
	if state != "" {
		fmt.Fprintf(&b, "Now      version %d is %s\n", v.Version, state)
	}
	if len(v.Reasons) > 0 {
		fmt.Fprintf(&b, "\nWhy, worst first:\n")
		for i := range v.Reasons {
			fmt.Fprintf(&b, "  %d. %s\n", i+1, reason(&v.Reasons[i]))
			for _, line := range shareLines(v.Reasons[i].Shares) {
				fmt.Fprintf(&b, "     %s\n", line)
			}
			if first := begins(v.Reasons[i].FirstOffset); first != "" {
				fmt.Fprintf(&b, "     It begins at %s.\n", first)
			}
		}
	}
	if v.FirstOffsetNote != "" {
		fmt.Fprintf(&b, "  (%s)\n", v.FirstOffsetNote)
	}
	b.WriteString(counted)
	fmt.Fprintf(&b, "\nNext:\n")
	for _, step := range next(v, state) {
		fmt.Fprintf(&b, "  - %s\n", step)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(b.String(), "\n"), "\n") {
		if _, err := fmt.Fprintln(w, plain(line)); err != nil {
			return err
		}
	}
	return nil
}

// subject says what was judged.
func subject(v *rules.Verdict) string {
	text := fmt.Sprintf("the %s of %s to %s", kindText(v.Kind), when(v.Window.Start), when(v.Window.End))
	if v.Version > 0 {
		text += fmt.Sprintf(", version %d", v.Version)
	}
	if len(v.Versions) > 1 {
		text += fmt.Sprintf(" together with versions %s", strings.Trim(fmt.Sprint(v.Versions), "[]"))
	}
	return text + fmt.Sprintf(", %d rows", v.Rows)
}

func kindText(kind string) string {
	switch kind {
	case "window":
		return "window"
	case "probation":
		return "visible versions in probation"
	case "freshness":
		return "age"
	case "served":
		return "served values"
	case "parity":
		return "online and offline values"
	}
	return kind
}

// against says what it was compared with.
func against(v *rules.Verdict) string {
	var parts []string
	if v.History > 0 {
		parts = append(parts, fmt.Sprintf("%d baseline windows", v.History))
	}
	if v.Baseline != "" {
		parts = append(parts, "baseline "+v.Baseline)
	}
	if v.Digests["pinned"] != "" {
		parts = append(parts, "the last windows together with the pinned reference")
	}
	if v.Layout != "" {
		parts = append(parts, "layout "+v.Layout)
	}
	if v.Uncalibrated {
		parts = append(parts, "uncalibrated: too few baseline windows for statistics to block; expectations and volume may")
	}
	if len(parts) == 0 {
		return "no baseline yet: only expectations were checked"
	}
	return strings.Join(parts, ", ")
}

// decision says what a decision does.
func decision(v *rules.Verdict) string {
	switch v.Decision {
	case "publish":
		return "it became visible to readers"
	case "hold":
		return "it is kept back, neither visible nor gone; the last good values are served"
	case "reject":
		return "it never became visible; the last good values are served"
	case "rollback":
		return fmt.Sprintf("versions %s were taken out; what was good before is served", strings.Trim(fmt.Sprint(v.RolledBack), "[]"))
	case "notify":
		return "people were told; nothing served has changed"
	}
	return "nothing was changed"
}

// reason is one reason in a sentence with its numbers.
func reason(r *rules.Reason) string {
	subject := r.Feature
	if subject == "" {
		subject = "the view as a whole"
	}
	method := r.Method
	if r.Summary != "" {
		method += " of " + r.Summary
	}
	text := fmt.Sprintf("%s: rule %s, method %s: statistic %.4g against threshold %.4g, severity %.3g (1 is the threshold)", subject, r.Rule, method, r.Statistic, r.Threshold, r.Severity)
	if r.PValue > 0 && r.PValue < 1 {
		text += fmt.Sprintf(", p %.3g", r.PValue)
	}
	text += fmt.Sprintf(", %d observations against %d", r.N, r.M)
	if r.Bound > 0 {
		text += fmt.Sprintf(", exact to %.3g", r.Bound)
	}
	if r.Slice != "" {
		text += ", slice " + r.Slice
	}
	if r.Producer != "" {
		text += ", producer " + r.Producer
	}
	if r.Schema != "" {
		text += ", schema " + r.Schema
	}
	if r.Text != "" {
		text += ". " + strings.TrimSuffix(r.Text, ".")
	}
	return text + "."
}

// shareLines lists what values of slices and headers contribute to a reason.
func shareLines(all []feature.Share) (lines []string) {
	for i := range all {
		s := &all[i]
		lines = append(lines, fmt.Sprintf("%3.0f %%  %s: %d rows, %.3g %% of them (%.3g %% before), %s; without them %.0f %% of it remains",
			100*s.Share, s.Name(), s.Rows, 100*s.RowShare, 100*s.BaselineShare, changes[s.Change], 100*max(0, s.Remains)))
	}
	return lines
}

// begins lists the records with which a shift begins.
func begins(first map[string]int64) string {
	var parts []string
	for _, partition := range slices.Sorted(maps.Keys(first)) {
		parts = append(parts, fmt.Sprintf("offset %d of %s", first[partition], partition))
	}
	return strings.Join(parts, ", ")
}

var changes = map[string]string{
	feature.ChangeValues: "other values", feature.ChangeRows: "more or fewer rows", feature.ChangeNew: "new", feature.ChangeGone: "gone",
}

// next says what a person can do.
func next(v *rules.Verdict, state feature.State) []string {
	version := fmt.Sprintf("%s --version %d --reason TEXT", v.View, v.Version)
	accept := "if this is the new normal, `sluice baseline accept " + version + "` starts history there"
	again := "if the data are wrong, mend the producer and write the rows again, with a new event_id: they are judged as writes of their own event time"
	decided := "a person has decided since: `sluice audit` says who and why"
	switch v.Decision {
	case "publish":
		if v.State == rules.Warn {
			return []string{"nothing has to be done: a warning never blocks", "if readers must not see it, `sluice rollback " + version + "` takes it out"}
		}
		return []string{"nothing has to be done"}
	case "reject", "rollback":
		if state == feature.StateVisible {
			return []string{decided}
		}
		return []string{
			again, "if the data are right, `sluice approve " + version + "` publishes them; with --as-normal the window also enters the baseline", accept,
		}
	case "hold":
		if state == feature.StateStaged {
			return []string{"wait: it passed, and is published once there is room in the list: the next judged window certifies the oldest version there",
				"`sluice versions " + v.View + "` shows which versions are listed; `sluice rollback " + v.View + " --version N --reason TEXT` takes one out"}
		}
		if state != "" && state != feature.StateHeld {
			return []string{fmt.Sprintf("nothing: it is %s by now", state)}
		}
		steps := []string{"wait: it is judged again or ends by itself after publish.hold windows"}
		if v.TooFew {
			steps = []string{"wait: there were too few rows, so it is judged together with the next window"}
		}
		return append(steps, "`sluice versions "+v.View+"` says whether the view is frozen; `sluice thaw "+v.View+"` ends that",
			"`sluice approve "+version+"` publishes it now, `sluice reject "+version+"` ends it")
	case "notify":
		return []string{"look at the producer: `sluice windows " + v.View + "` names the partitions that are behind"}
	}
	return []string{"nothing has to be done; `sluice verdict verify " + v.ID + "` recomputes this verdict"}
}
