package rehearsal

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"sluice/feature"
)

// Series says how the values of a feature are made up. Exactly one of the laws is given;
// the other keys change what it gives.
type Series struct {
	Normal    []float64          `yaml:"normal"`    // mean, standard deviation
	Lognormal []float64          `yaml:"lognormal"` // of the logarithm
	Uniform   []float64          `yaml:"uniform"`   // low, high
	Poisson   *float64           `yaml:"poisson"`   // mean
	Shares    map[string]float64 `yaml:"shares"`    // of each value; they are scaled to a sum of 1
	Constant  *string            `yaml:"constant"`
	Cycle     []string           `yaml:"cycle"` // one after another, over and over

	Nulls float64  `yaml:"nulls"` // share of nulls
	Times *float64 `yaml:"times"` // numbers are multiplied by it
	Plus  float64  `yaml:"plus"`  // and this is added
}

// laws counts the laws that are given.
func (s *Series) laws() int {
	n := 0
	for _, given := range []bool{s.Normal != nil, s.Lognormal != nil, s.Uniform != nil, s.Poisson != nil, s.Shares != nil, s.Constant != nil, s.Cycle != nil} {
		if given {
			n++
		}
	}
	return n
}

// numeric reports whether the law gives numbers.
func (s *Series) numeric() bool { return s.Shares == nil && s.Constant == nil && s.Cycle == nil }

// validate returns what is wrong with s as the series of f.
func (s *Series) validate(f *feature.Feature) error {
	if s.laws() != 1 {
		return errors.New("want exactly one of normal, lognormal, uniform, poisson, shares, constant, cycle")
	}
	for name, pair := range map[string][]float64{"normal": s.Normal, "lognormal": s.Lognormal, "uniform": s.Uniform} {
		if pair != nil && len(pair) != 2 {
			return fmt.Errorf("%s: want two numbers, such as [100, 15]", name)
		}
		if pair != nil && name != "uniform" && pair[1] < 0 {
			return fmt.Errorf("%s: a standard deviation of %v", name, pair[1])
		}
	}
	switch {
	case !(s.Nulls >= 0 && s.Nulls <= 1):
		return fmt.Errorf("nulls: %v is not a share between 0 and 1", s.Nulls)
	case s.Poisson != nil && !(*s.Poisson >= 0 && *s.Poisson <= 1e6):
		return fmt.Errorf("poisson: a mean of %v; want 0 to 1,000,000", *s.Poisson)
	case s.numeric() && !f.Type.Numeric():
		return fmt.Errorf("numbers for a %s; use shares, constant or cycle", f.Type)
	case (s.Times != nil || s.Plus != 0) && !f.Type.Numeric():
		return fmt.Errorf("times and plus are for numbers, not for a %s", f.Type)
	}
	sum := 0.0
	for value, share := range s.Shares {
		if !(share >= 0) || math.IsInf(share, 0) {
			return fmt.Errorf("shares: %v of %q", share, value)
		}
		sum += share
	}
	if s.Shares != nil && !(sum > 0) {
		return errors.New("shares: they add up to 0")
	}
	for _, text := range s.texts() {
		if _, err := valueOf(text, f.Type); err != nil {
			return err
		}
	}
	return nil
}

// texts are the values that the series names.
func (s *Series) texts() []string {
	all := slices.Concat(slices.Sorted(maps.Keys(s.Shares)), s.Cycle)
	if s.Constant != nil {
		all = append(all, *s.Constant)
	}
	return all
}

// fill sets the i-th value of every row.
func (s *Series) fill(rng *rand.Rand, f *feature.Feature, i int, rows [][]feature.Value) error {
	draw, err := s.law(rng, f.Type)
	if err != nil {
		return err
	}
	for at := range rows {
		if v := draw(at); s.Nulls == 0 || rng.Float64() >= s.Nulls {
			rows[at][i] = v
		}
	}
	return nil
}

// law returns how the value of a row is drawn.
func (s *Series) law(rng *rand.Rand, t feature.Type) (func(at int) feature.Value, error) {
	if s.numeric() {
		return func(int) feature.Value { return numberOf(s.moved(s.number(rng)), t) }, nil
	}
	names := s.texts()
	values := make([]feature.Value, len(names))
	for i, text := range names {
		v, err := valueOf(text, t)
		if err != nil {
			return nil, err
		}
		if t.Numeric() {
			v = numberOf(s.moved(number(v)), t)
		}
		values[i] = v
	}
	if s.Shares == nil {
		return func(at int) feature.Value { return values[at%len(values)] }, nil
	}
	var edges []float64
	sum := 0.0
	for _, name := range names {
		sum += s.Shares[name]
		edges = append(edges, sum)
	}
	return func(int) feature.Value {
		at, _ := slices.BinarySearch(edges, rng.Float64()*sum)
		return values[min(at, len(values)-1)]
	}, nil
}

func number(v feature.Value) float64 {
	switch {
	case v.Type().Float():
		return v.Float()
	case v.Type() == feature.Timestamp:
		return float64(v.Time().Unix())
	}
	return float64(v.Int())
}

// moved applies times and plus.
func (s *Series) moved(x float64) float64 {
	if s.Times != nil {
		x *= *s.Times
	}
	return x + s.Plus
}

func (s *Series) number(rng *rand.Rand) float64 {
	switch {
	case s.Normal != nil:
		return s.Normal[0] + s.Normal[1]*rng.NormFloat64()
	case s.Lognormal != nil:
		return math.Exp(s.Lognormal[0] + s.Lognormal[1]*rng.NormFloat64())
	case s.Uniform != nil:
		return s.Uniform[0] + (s.Uniform[1]-s.Uniform[0])*rng.Float64()
	}
	return poisson(rng, *s.Poisson)
}

// poisson draws a count: exactly for small means, by the normal law above 500.
func poisson(rng *rand.Rand, mean float64) float64 {
	if mean > 500 {
		return math.Max(0, math.Round(mean+math.Sqrt(mean)*rng.NormFloat64()))
	}
	n, p, limit := 0.0, rng.Float64(), math.Exp(-mean)
	for p > limit {
		p *= rng.Float64()
		n++
	}
	return n
}

// numberOf returns x as a value of a numeric type; integers are rounded.
func numberOf(x float64, t feature.Type) feature.Value {
	switch t {
	case feature.Int32:
		return feature.Int32Value(int32(math.Round(max(math.MinInt32, min(math.MaxInt32, x)))))
	case feature.Int64:
		return feature.Int64Value(int64(math.Round(max(-1<<62, min(1<<62, x)))))
	case feature.Float32:
		return feature.Float32Value(float32(x))
	case feature.Timestamp:
		return feature.UnixSecondsValue(int64(math.Round(max(-1<<62, min(1<<62, x)))))
	}
	return feature.Float64Value(x)
}

// valueOf reads a value of type t; an empty text of a number, and the text null, are null.
func valueOf(text string, t feature.Type) (feature.Value, error) {
	if text == "null" {
		return feature.Null, nil
	}
	bad := fmt.Errorf("%q is no %s", text, t)
	switch t {
	case feature.String:
		return feature.StringValue(text), nil
	case feature.Bool:
		truth, err := strconv.ParseBool(text)
		if err != nil {
			return feature.Null, bad
		}
		return feature.BoolValue(truth), nil
	case feature.Int32, feature.Int64:
		n, err := strconv.ParseInt(text, 10, map[feature.Type]int{feature.Int32: 32, feature.Int64: 64}[t])
		if err != nil {
			return feature.Null, bad
		}
		if t == feature.Int32 {
			return feature.Int32Value(int32(n)), nil
		}
		return feature.Int64Value(n), nil
	case feature.Timestamp:
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return feature.Null, fmt.Errorf("%q is no time in RFC 3339", text)
		}
		return feature.TimestampValue(at), nil
	case feature.Float32, feature.Float64:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return feature.Null, bad
		}
		return numberOf(x, t), nil
	}
	return feature.Null, fmt.Errorf("rules are tested on features of numbers, texts, truths and times, not on a %s", t)
}
