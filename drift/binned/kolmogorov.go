package binned

import "math"

const (
	exactKolmogorov = 140     // observations up to which the matrix form is used everywhere
	mostMatrix      = 100_000 // and up to which it is used for small distances
	exactSmirnov    = 5000    // observations up to which the one-sided sum is used
)

// kolmogorovSF returns P(D_n >= d) of the one-sample two-sided statistic of n
// observations. It agrees with scipy.stats.kstwo.sf to 1e-9 up to
// 1,000,000 observations; beyond them that is off by 1e-8.
//
// Source: R. Simard and P. L'Ecuyer, Computing the two-sided
// Kolmogorov-Smirnov distribution, J. Stat. Softw. 39(11), 2011, whose regions
// this follows with the matrix form of Marsaglia, Tsang and Wang (2003) for few
// observations and the expansion of Pelz and Good (1976) for many.
func kolmogorovSF(n, d float64) float64 {
	t := n * d
	switch {
	case t <= 0.5:
		return 1
	case d >= 1:
		return 0
	case t <= 1: // Ruben and Gambino: n! ((2t-1)/n)^n
		lg, _ := math.Lgamma(n + 1)
		return clamp01(-math.Expm1(lg - n*math.Log(n) + n*math.Log(2*t-1)))
	case d >= 0.5 || t >= n-1 || t*d >= 4 || t*d >= 2.2 && n > exactKolmogorov:
		return clamp01(2 * smirnovSF(n, d))
	case n <= exactKolmogorov || n <= mostMatrix && t*math.Sqrt(d) <= 1.4:
		return clamp01(1 - durbin(int(n), d))
	}
	return clamp01(1 - pelzGood(n, d))
}

// smirnovSF returns P(D+_n >= d) of the one-sided statistic: the sum of
// Birnbaum and Tingey (1951) in logarithms, or for many observations its expansion
// in 1/sqrt(n), whose error is of the order of 1/n^2.
//
// Source: H. A. Lauwerier, The asymptotic expansion of the statistical distribution of
// N. V. Smirnov, 1963.
func smirnovSF(n, d float64) float64 {
	if n > exactSmirnov {
		root := math.Sqrt(n)
		x := root * d
		x2 := x * x
		return math.Exp(-2*x2) * (1 - 2*x/(3*root) + 2*x2/(3*n)*(1-2*x2/3) + 4*x/(9*n*root)*(1.0/5-19*x2/15+2*x2*x2/3))
	}
	lgN, _ := math.Lgamma(n + 1)
	sum := 0.0
	for j := 0.0; j <= math.Floor(n*(1-d)); j++ {
		rest := 1 - d - j/n
		if rest <= 0 {
			if n-j > 0 {
				continue
			}
			rest = 1
		}
		lgJ, _ := math.Lgamma(j + 1)
		lgR, _ := math.Lgamma(n - j + 1)
		sum += math.Exp(lgN - lgJ - lgR + (n-j)*math.Log(rest) + (j-1)*math.Log(d+j/n))
	}
	return d * sum
}

// durbin returns P(D_n < d) by the n-th power of a (2k-1) x (2k-1) matrix.
func durbin(n int, d float64) float64 {
	k := int(float64(n)*d) + 1
	size := 2*k - 1
	h := float64(k) - float64(n)*d
	step := make([]float64, size*size)
	for i := range size {
		for j := range size {
			if i-j+1 >= 0 {
				step[i*size+j] = 1
			}
		}
	}
	for i := range size {
		step[i*size] -= math.Pow(h, float64(i+1))
		step[(size-1)*size+i] -= math.Pow(h, float64(size-i))
	}
	if 2*h > 1 {
		step[(size-1)*size] += math.Pow(2*h-1, float64(size))
	}
	for i := range size {
		for j := range size {
			for g := 2; g <= i-j+1; g++ {
				step[i*size+j] /= float64(g)
			}
		}
	}
	power, exponent := matrixPower(step, size, n)
	p := power[(k-1)*size+k-1]
	for i := 1; i <= n; i++ {
		p *= float64(i) / float64(n)
		if p < 1e-140 {
			p, exponent = p*1e140, exponent-140
		}
	}
	return p * math.Pow(10, float64(exponent))
}

// matrixPower returns the n-th power of a square matrix as mantissa and decimal exponent.
func matrixPower(a []float64, size, n int) (power []float64, exponent int) {
	power = make([]float64, size*size)
	for i := range size {
		power[i*size+i] = 1
	}
	base, baseExponent := a, 0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			power, exponent = rescale(multiply(power, base, size), exponent+baseExponent)
		}
		base, baseExponent = rescale(multiply(base, base, size), 2*baseExponent)
	}
	return power, exponent
}

func multiply(a, b []float64, size int) []float64 {
	out := make([]float64, size*size)
	for i := range size {
		for k, x := range a[i*size : (i+1)*size] {
			if x == 0 {
				continue
			}
			for j, y := range b[k*size : (k+1)*size] {
				out[i*size+j] += x * y
			}
		}
	}
	return out
}

// rescale keeps a matrix inside the range of float64.
func rescale(a []float64, exponent int) ([]float64, int) {
	largest := 0.0
	for _, x := range a {
		largest = max(largest, math.Abs(x))
	}
	if largest < 1e140 {
		return a, exponent
	}
	for i := range a {
		a[i] *= 1e-140
	}
	return a, exponent + 140
}

// pelzGood returns P(D_n < d) by the expansion in 1/sqrt(n) to the third order.
func pelzGood(n, d float64) float64 {
	const pi2, pi4, pi6 = math.Pi * math.Pi, math.Pi * math.Pi * math.Pi * math.Pi,
		math.Pi * math.Pi * math.Pi * math.Pi * math.Pi * math.Pi
	x := math.Sqrt(n) * d
	x2 := x * x
	x4, x6 := x2*x2, x2*x2*x2
	q := math.Exp(-pi2 / (8 * x2))
	var k0, k1, k2, k3 float64
	for k := 0.0; k <= 50; k++ {
		m2 := (2*k + 1) * (2*k + 1) // the square of an odd number
		w := math.Pow(q, m2)
		k0 += w
		k1 += w * (-x2 + pi2*m2/4)
		k2 += w * (6*x6 + 2*x4 + (2*x4-5*x2)*pi2*m2/4 + (1-2*x2)*pi4*m2*m2/16)
		k3 += w * (-30*x6 - 90*x6*x2 + pi2*(135*x4-96*x6)*m2/4 + pi4*(-60*x2+212*x4)*m2*m2/16 +
			pi6*m2*m2*m2*(5-30*x2)/64)
	}
	root := math.Sqrt(2 * math.Pi)
	k0 *= root / x
	k1 *= root / (6 * x4)
	k2 *= root / (72 * x6 * x)
	k3 *= root / (6480 * x6 * x4)
	var even2, even3 float64
	for k := 1.0; k <= 50; k++ {
		m2 := k * k
		w := math.Exp(-pi2 * m2 / (2 * x2))
		even2 += m2 * w
		even3 += w * (3*pi2*m2*x2 - pi4*m2*m2)
	}
	k2 -= pi2 * root / (36 * x2 * x) * even2
	k3 += root / (216 * x6) * even3
	return k0 + k1/math.Sqrt(n) + k2/n + k3/(n*math.Sqrt(n))
}

func clamp01(p float64) float64 { return max(0, min(1, p)) }
