package forest

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sluice/test/processor"
	"strconv"
	"strings"
	"testing"
)

// sets names a folder of labelled sets, which testdata/forest.py fills, and where
// it finds sluice.json afterwards.
var sets = flag.String("forest.sets", "", "folder of labelled sets to measure forests on")

// labelled is a set of rows, some of which are outliers.
type labelled struct {
	rows    [][]float64
	outlier []bool
}

// readLabelled reads a CSV file without names, the label in its last column.
func readLabelled(t *testing.T, path string) (s labelled) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, fields := range all {
		row := make([]float64, len(fields))
		for i, text := range fields {
			if row[i], err = strconv.ParseFloat(text, 64); err != nil {
				t.Fatal(err)
			}
		}
		s.rows, s.outlier = append(s.rows, row[:len(row)-1]), append(s.outlier, row[len(row)-1] == 1)
	}
	return s
}

// auc returns the share of pairs of an outlier and a usual row in which the outlier has
// the higher score, ties for half.
func (s labelled) auc(scores []float64) float64 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	ranks, outliers := 0.0, 0.0
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && scores[order[to]] == scores[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			if s.outlier[i] {
				ranks, outliers = ranks+float64(from+to+1)/2, outliers+1
			}
		}
		from = to
	}
	return (ranks - outliers*(outliers+1)/2) / outliers / (float64(len(order)) - outliers)
}

// figures are what forests of several seeds reach on a set.
type figures struct {
	AUC   float64 `json:"auc"`
	SD    float64 `json:"auc_sd"`
	Fit   float64 `json:"fit_ms"`   // processor time
	Score float64 `json:"score_us"` // of a row

	scores []float64 // mean over the seeds
}

func (s labelled) measure(t *testing.T, seeds int) (out figures) {
	t.Helper()
	out.scores = make([]float64, len(s.rows))
	var aucs, fits, walks []float64
	for seed := range seeds {
		start := processor.Time()
		f, err := Fit(s.rows, uint64(seed))
		if err != nil {
			t.Fatal(err)
		}
		fitted := processor.Time()
		scores := make([]float64, len(s.rows))
		for i, row := range s.rows {
			scores[i] = f.Score(row)
		}
		walks = append(walks, float64((processor.Time()-fitted).Nanoseconds())/1e3/float64(len(s.rows)))
		fits = append(fits, float64((fitted-start).Nanoseconds())/1e6)
		aucs = append(aucs, s.auc(scores))
		for i := range scores {
			out.scores[i] += scores[i] / float64(seeds)
		}
	}
	for _, a := range aucs {
		out.AUC += a / float64(seeds)
	}
	for _, a := range aucs {
		out.SD += (a - out.AUC) * (a - out.AUC) / float64(seeds-1)
	}
	out.SD = math.Sqrt(out.SD)
	slices.Sort(fits)
	slices.Sort(walks)
	out.Fit, out.Score = fits[seeds/2], walks[seeds/2]
	return out
}

// TestForestIsScikitLearns holds forests against scikit-learn's on a set made by
// testdata/forest.py: the AUC of the mean of 20 seeds, and the mean score of each row,
// which is the expected length of its path.
func TestForestIsScikitLearns(t *testing.T) {
	var want struct {
		AUC    float64   `json:"auc"`
		SD     float64   `json:"auc_sd"`
		Scores []float64 `json:"scores"`
	}
	text, err := os.ReadFile("testdata/forest.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	got := readLabelled(t, "testdata/forest.csv").measure(t, 20)
	if math.Abs(got.AUC-want.AUC) > 0.005 {
		t.Errorf("mean AUC %.4f, scikit-learn has %.4f", got.AUC, want.AUC)
	}
	if got.SD > 2*want.SD {
		t.Errorf("AUCs of seeds differ by %.4f, scikit-learn's by %.4f", got.SD, want.SD)
	}
	worst := 0.0
	for i, score := range want.Scores {
		worst = max(worst, math.Abs(got.scores[i]-score))
	}
	if worst > 0.02 || len(want.Scores) != 100 {
		t.Errorf("mean scores of %d rows differ by up to %.4f from scikit-learn's", len(want.Scores), worst)
	}
	t.Logf("mean AUC %.4f (%.4f), scikit-learn %.4f (%.4f); scores within %.4f", got.AUC, got.SD, want.AUC, want.SD, worst)
}

// TestForestSets measures forests on the sets of -forest.sets and writes sluice.json
// there; `make forest` runs it.
func TestForestSets(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(*sets, "*.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if *sets == "" {
		paths = []string{"testdata/forest.csv"}
	}
	all := map[string]figures{}
	for _, path := range paths {
		got := readLabelled(t, path).measure(t, 5)
		if !(got.AUC > 0.5 && got.AUC <= 1) {
			t.Errorf("%s: AUC %.4f is no better than chance", filepath.Base(path), got.AUC)
		}
		all[strings.TrimSuffix(filepath.Base(path), ".csv")] = got
	}
	if *sets == "" {
		return
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*sets, "sluice.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}
