package judge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"sluice/rules"
)

// Verify judges c again and returns what differs from the stored verdict, one
// sentence each; none if they agree. What the gate fills in (ID, Decision,
// RolledBack, DecidedAt, Rows) is not compared.
func Verify(stored rules.Verdict, c *Case) (differences []string) {
	again, err := Judge(c)
	if err != nil {
		return []string{fmt.Sprintf("the case cannot be judged: %v", err)}
	}
	differ := func(what string, stored, again any) {
		if !reflect.DeepEqual(stored, again) {
			differences = append(differences, fmt.Sprintf("%s: stored %v, recomputed %v", what, stored, again))
		}
	}
	differ("kind", stored.Kind, again.Kind)
	differ("view", stored.View, again.View)
	differ("occasion", stored.Occasion, again.Occasion)
	differ("state", stored.State, again.State)
	differ("too_few", stored.TooFew, again.TooFew)
	differ("uncalibrated", stored.Uncalibrated, again.Uncalibrated)
	differ("layout", stored.Layout, again.Layout)
	differ("baseline", stored.Baseline, again.Baseline)
	differ("backfilled", stored.Backfilled, again.Backfilled)
	differ("history", stored.History, again.History)
	differ("onset", stored.Onset.UTC(), again.Onset.UTC())
	differ("level", stored.Level, again.Level)
	differ("digests", stored.Digests, again.Digests)
	differ("reasons", len(stored.Reasons), len(again.Reasons))
	for i := range min(len(stored.Reasons), len(again.Reasons)) {
		differ(fmt.Sprintf("reason %d", i+1), stored.Reasons[i], again.Reasons[i])
	}
	if !sameJSON(stored.Scores, again.Scores) {
		differences = append(differences, "scores: stored and recomputed differ")
	}
	return differences
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
