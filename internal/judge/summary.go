package judge

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// Summary is the part of one feature in what is kept of a window for history;
// with the window itself it is an item of the contract's history.
type Summary struct {
	N         uint64             `json:"n"`
	Nulls     uint64             `json:"nulls"`
	Mean      float64            `json:"mean"`
	SD        float64            `json:"sd"`
	Quantiles map[string]float64 `json:"quantiles,omitempty"`
	Severity  float64            `json:"severity"`
	Method    string             `json:"method"`
	Statistic float64            `json:"statistic"`
	Threshold float64            `json:"threshold"`
}

var keptQuantiles = []float64{0.01, 0.25, 0.5, 0.75, 0.99}

// Summaries returns, per feature name, the few numbers of a window's profile and
// verdict that outlive the profile, as JSON. Numbers have seven digits.
func Summaries(view *feature.View, p *sketch.Profile, v *rules.Verdict) ([]byte, error) {
	worst := map[string]feature.Score{}
	for _, s := range v.Scores {
		worst[s.Feature] = s
	}
	out := map[string]Summary{}
	for _, def := range view.Features {
		c := p.Column(def.ID)
		if c == nil {
			continue
		}
		score := worst[def.Name]
		s := Summary{N: c.N, Nulls: c.Rows() - c.N, Mean: brief(c.Mean()), SD: brief(c.SD()),
			Severity: brief(score.Severity), Method: score.Method, Statistic: brief(score.Statistic), Threshold: brief(score.Threshold)}
		for _, q := range keptQuantiles {
			if at := c.Quantile(q); !math.IsNaN(at) {
				if s.Quantiles == nil {
					s.Quantiles = map[string]float64{}
				}
				s.Quantiles[strconv.FormatFloat(q, 'g', -1, 64)] = brief(at)
			}
		}
		out[def.Name] = s
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("summaries of %s: %w", view.Name, err)
	}
	return text, nil
}

// brief rounds v to seven digits; 0 for what is not a finite number.
func brief(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 7, 64), 64)
	if err != nil {
		return v
	}
	return short
}
