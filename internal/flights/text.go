package flights

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// WriteText writes the result for a person.
func (r *Result) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Judged %d windows in %.1f s: %d published, %d rejected, %d held; %d rolled back after readers had seen them.\n",
		r.WindowsJudged, r.Seconds, r.Published, r.Rejected, r.Held, r.RolledBack)
	r.writePlanted(&b)
	r.writeStopped(&b)
	r.writeDays(&b)
	fmt.Fprintf(&b, "\nReaders all the while: %d reads of %d versions.\n", r.Reads, r.VersionsSeen)
	fmt.Fprintf(&b, "  planted values read through gated views  %d\n", r.BadReads)
	fmt.Fprintf(&b, "  failed reads                             %d\n", r.FailedReads)
	r.writeVerdict(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// writePlanted writes what became of each planted fault.
func (r *Result) writePlanted(b *strings.Builder) {
	b.WriteString("\nPlanted faults\n")
	texts := map[string]Plant{}
	for _, p := range Plants() {
		texts[p.Name] = p
	}
	for _, p := range r.Planted {
		word := "MISSED"
		if p.Caught {
			word = "caught"
		}
		fmt.Fprintf(b, "  %s  %s %s: %s\n", word, day(p.Window), p.View, texts[p.Name].Text)
		fmt.Fprintf(b, "          decision %s, verdict %s, feature %s%s\n", orDash(p.Decision), orDash(p.Verdict), p.Feature, exposureText(&p))
	}
}

func exposureText(p *PlantSeen) string {
	if p.ExposedReads == 0 {
		return "; no reader saw it"
	}
	word := "reads"
	if p.ExposedReads == 1 {
		word = "read"
	}
	return fmt.Sprintf("; seen by %d %s in %s", p.ExposedReads, word, time.Duration(p.ExposedMS)*time.Millisecond)
}

// writeStopped writes why each window did not stay visible.
func (r *Result) writeStopped(b *strings.Builder) {
	if len(r.Stopped) == 0 {
		b.WriteString("\nNothing was blocked.\n")
		return
	}
	b.WriteString("\nBlocked, and why\n")
	words := map[string]string{"reject": "rejected", "hold": "held", "rollback": "rolled back"}
	for i := range r.Stopped {
		j := &r.Stopped[i]
		fmt.Fprintf(b, "  %s %-5s %-11s %-14s %s\n", j.Window.Format(time.DateOnly), dayWord(j), words[j.Decision], j.View, j.why())
	}
}

// dayWord says what kind of day a judgement is of.
func dayWord(j *Judgement) string {
	if _, planted := Planted(j.View, j.Window); planted {
		return "plant"
	}
	return string(LabelOf(j.Window))
}

// why returns the first reason in one sentence.
func (j *Judgement) why() string {
	for _, reason := range j.Reasons {
		switch {
		case reason.Text != "":
			return reason.Text
		case reason.Feature != "":
			return fmt.Sprintf("%s, by %s", reason.Feature, reason.Method)
		}
	}
	return "state " + orDash(j.State)
}

// writeDays writes what quiet days and storms gave.
func (r *Result) writeDays(b *strings.Builder) {
	fmt.Fprintf(b, "\nStorm days that a view noticed: %d of %d\n", len(r.StormsSeen), r.Storms)
	for from := 0; from < len(r.StormsSeen); from += 8 {
		fmt.Fprintf(b, "  %s\n", strings.Join(r.StormsSeen[from:min(from+8, len(r.StormsSeen))], " "))
	}
	fmt.Fprintf(b, "Quiet days: %d of %d windows blocked (at most %.0f %%), %d warned or failed: %.1f incidents a week (budget: %g).\n",
		r.FalseBlocks, r.QuietWindows, maxFalseBlocks*100, r.QuietAlarms, float64(r.QuietIncidents)/max(r.QuietWeeks, 1), r.AlertsPerWeek)
}

// writeVerdict writes whether the run is a success, and if not, why.
func (r *Result) writeVerdict(b *strings.Builder) {
	failures := r.Failures()
	if len(failures) == 0 {
		b.WriteString("\nEvery planted fault was caught and no reader of a gated view met one.\n")
		return
	}
	b.WriteString("\nThe demo FAILED:\n")
	for _, f := range failures {
		fmt.Fprintf(b, "  - %s\n", f)
	}
}

// day returns the date of an RFC 3339 time.
func day(at string) string { return strings.SplitN(at, "T", 2)[0] }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
