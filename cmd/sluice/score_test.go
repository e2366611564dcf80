package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"sluice/rules"
)

// TestScoreShowsReads prints a score with whose reads it is by, and what they are of each
// part.
func TestScoreShowsReads(t *testing.T) {
	at := time.Date(2026, 1, 2, 11, 0, 0, 0, time.UTC)
	s := scored{Kind: "service", Name: "fraud", Impact: rules.Impact{Score: 46.8, Measured: true, ReadsPerHour: 800, ReadsOf: rules.ReadsOfService, ReadsFrom: at, ReadsTo: at.Add(time.Hour), Impact: 374.4,
		Parts: []rules.FeatureImpact{{View: "payments", Feature: "country", Severity: 3, Drift: .9, Importance: 1, Services: 1, ReadsPerHour: 200, ReadShare: .25, Weight: .25, Share: .08}}}}
	show := func(s scored) string {
		var out bytes.Buffer
		if err := (&scoreCmd{Name: "fraud"}).print(&env{stdout: &out}, []scored{s}); err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(out.String()), " ")
	}
	const parts = " PART SEVERITY DRIFT IMPORTANCE SERVICES READS READ WEIGHT SHARE payments:country 3 0.9 1 1 200 0.25 0.25 8 %"
	const period = "from 2026-01-02T11:00:00Z to 2026-01-02T12:00:00Z"
	if got, want := show(s), "service fraud: score 46.8 of 100, 800 reads an hour "+period+", 374 of them meet what moved"+parts; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	s.ReadsOf = rules.ReadsOfViews
	if got := show(s); !strings.Contains(got, period+" of a view of it (nobody named the service), 374") {
		t.Errorf("printed %q, which does not say that nobody named the service", got)
	}
	s.ReadsFrom, s.ReadsPerHour = time.Time{}, 0
	if got := show(s); !strings.Contains(got, "0 reads an hour, 374") {
		t.Errorf("printed %q, want no period without reads", got)
	}
}
