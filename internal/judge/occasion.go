package judge

import (
	"sluice/feature"
	"sluice/rules"
)

// occasionOf returns the declared occasion that a current window of e is in; empty if
// none is.
func occasionOf(e *Evidence) string {
	for _, w := range e.Current {
		if name := e.View.Occasion(w.Window); name != "" {
			return name
		}
	}
	return ""
}

// excuse takes the power to block from scores that compare with history, which says
// nothing of a declared occasion. Expectations keep it: they are the same on every day.
func (c *Case) excuse(scores []feature.Score) []feature.Score {
	if c.Occasion == "" {
		return scores
	}
	for i := range scores {
		s := &scores[i]
		if expected := s.Method == rules.Expect || s.Method == rules.Nulls && s.M == 0; expected || !s.Effect {
			continue
		}
		s.Effect = false
		if s.Text != "" {
			s.Text += "; only a warning, in the declared occasion " + c.Occasion
		}
	}
	return scores
}
