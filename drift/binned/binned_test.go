package binned

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"testing"
)

// reference is testdata/reference.json, which testdata/reference.py writes.
type reference struct {
	Statistics map[string]struct {
		Baseline    []uint64   `json:"baseline"`
		Current     []uint64   `json:"current"`
		KS          float64    `json:"ks"`
		PSI         float64    `json:"psi"`
		TVD         float64    `json:"tvd"`
		JS          float64    `json:"js"`
		Hellinger   float64    `json:"hellinger"`
		Wasserstein float64    `json:"wasserstein"`
		Entropy     float64    `json:"entropy"`
		ChiSquare   [3]float64 `json:"chi_square"`
	} `json:"statistics"`
	KSP []struct {
		D float64 `json:"d"`
		N uint64  `json:"n"`
		M uint64  `json:"m"`
		P float64 `json:"p"`
	} `json:"ks_p"`
	KSRaw []struct {
		Baseline []uint64 `json:"baseline"`
		Current  []uint64 `json:"current"`
		Exact    float64  `json:"exact"`
	} `json:"ks_raw"`
}

func readReference(t *testing.T) reference {
	t.Helper()
	text, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref reference
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestStatisticsAgainstSciPy(t *testing.T) {
	for name, tc := range readReference(t).Statistics {
		t.Run(name, func(t *testing.T) {
			check := func(method string, got, want float64, err error) {
				t.Helper()
				if err != nil || math.Abs(got-want) > 1e-9*max(1, math.Abs(want)) {
					t.Errorf("%s(%v, %v) = %.12g, %v, want %.12g", method, tc.Baseline, tc.Current, got, err, want)
				}
			}
			centres := make([]float64, len(tc.Baseline))
			for i := range centres {
				centres[i] = float64(i)
			}
			got, _, err := KS(tc.Baseline, tc.Current, nil)
			check("KS", got, tc.KS, err)
			got, err = PSI(tc.Baseline, tc.Current)
			check("PSI", got, tc.PSI, err)
			got, err = TVD(tc.Baseline, tc.Current)
			check("TVD", got, tc.TVD, err)
			got, err = JensenShannon(tc.Baseline, tc.Current)
			check("JensenShannon", got, tc.JS, err)
			got, err = Hellinger(tc.Baseline, tc.Current)
			check("Hellinger", got, tc.Hellinger, err)
			got, err = Wasserstein(centres, tc.Baseline, tc.Current)
			check("Wasserstein", got, tc.Wasserstein, err)
			got, err = Entropy(tc.Current)
			check("Entropy", got, tc.Entropy, err)
			got, p, dof, err := ChiSquare(tc.Baseline, tc.Current)
			check("ChiSquare", got, tc.ChiSquare[0], err)
			check("ChiSquare p", p, tc.ChiSquare[1], err)
			check("ChiSquare dof", float64(dof), tc.ChiSquare[2], err)
		})
	}
}

func TestKSPValueAgainstSciPy(t *testing.T) {
	for _, tc := range readReference(t).KSP {
		if got := KSPValue(tc.D, tc.N, tc.M); math.Abs(got-tc.P) > 1e-6 || tc.P > 0 && math.Abs(got-tc.P) > 1e-3*tc.P {
			t.Errorf("KSPValue(%v, %d, %d) = %.10g, want %.10g", tc.D, tc.N, tc.M, got, tc.P)
		}
	}
	for name, got := range map[string]float64{"no rows": KSPValue(.1, 0, 5), "no distance": KSPValue(math.NaN(), 5, 5)} {
		if !math.IsNaN(got) {
			t.Errorf("KSPValue, %s = %v, want NaN", name, got)
		}
	}
}

func TestKSBoundHoldsTheRawDistance(t *testing.T) {
	for i, tc := range readReference(t).KSRaw {
		d, bound, err := KS(tc.Baseline, tc.Current, nil)
		if err != nil || d > tc.Exact+1e-12 || d+bound < tc.Exact-1e-12 {
			t.Errorf("case %d: KS = %v bound %v, %v; the raw distance %v is outside", i, d, bound, err, tc.Exact)
		}
	}
	atoms := []bool{true, true}
	if _, bound, err := KS([]uint64{1, 1}, []uint64{2, 1}, atoms); bound != 0 || err != nil {
		t.Errorf("KS of atoms: bound %v, %v, want 0", bound, err)
	}
}

func TestStatisticsRefuse(t *testing.T) {
	for name, tc := range map[string]struct {
		baseline, current []uint64
		want              error
	}{
		"bins differ":   {[]uint64{50, 50}, []uint64{100}, ErrBins},
		"one bin":       {[]uint64{50}, []uint64{100}, ErrBins},
		"nothing":       {nil, nil, ErrBins},
		"empty current": {[]uint64{50, 50}, []uint64{0, 0}, ErrSample},
		"empty base":    {[]uint64{0, 0}, []uint64{1, 0}, ErrSample},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, ks := KS(tc.baseline, tc.current, nil)
			_, psi := PSI(tc.baseline, tc.current)
			_, tvd := TVD(tc.baseline, tc.current)
			_, js := JensenShannon(tc.baseline, tc.current)
			_, hel := Hellinger(tc.baseline, tc.current)
			_, _, _, chi := ChiSquare(tc.baseline, tc.current)
			_, was := Wasserstein(make([]float64, len(tc.baseline)), tc.baseline, tc.current)
			for method, err := range map[string]error{"KS": ks, "PSI": psi, "TVD": tvd, "JensenShannon": js, "Hellinger": hel, "ChiSquare": chi, "Wasserstein": was} {
				if !errors.Is(err, tc.want) {
					t.Errorf("%s(%v, %v) error %v, want %v", method, tc.baseline, tc.current, err, tc.want)
				}
			}
		})
	}
	if _, err := Wasserstein([]float64{1, 0}, []uint64{1, 1}, []uint64{1, 1}); !errors.Is(err, ErrBins) {
		t.Errorf("Wasserstein with falling centres: %v, want ErrBins", err)
	}
	if _, err := Entropy([]uint64{1}); !errors.Is(err, ErrBins) {
		t.Errorf("Entropy of one bin: %v, want ErrBins", err)
	}
	if _, err := Entropy([]uint64{0, 0}); !errors.Is(err, ErrSample) {
		t.Errorf("Entropy of nothing: %v, want ErrSample", err)
	}
}
