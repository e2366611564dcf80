package drift

import "math"

// noiseRatio is how many times less likely than what may block a shift must be under
// sampling alone.
const noiseRatio = 100

// reach returns the distance that samples of one law are apart with the probability of
// moved.unlikely at most, whatever the law:
//
//	sqrt((1/n + 1/N) (ln 2 + L) / 2)
//
// of n observations of a window from the N of history, with L = -ln of the probability.
// Of total variation it is how far beyond its mean. It is 0 where it is not asked for.
//
// Source: P. Massart, The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality,
// Annals of Probability 18(3), 1990, for one sample, of which the variances of two are
// added up; C. McDiarmid, On the method of bounded differences, 1989, for total variation.
func (m *moved) reach(s Summary) float64 {
	if m.unlikely <= 0 {
		return 0
	}
	return math.Sqrt((m.inverse[s] + 1/m.pooled) * (math.Ln2 + m.unlikely) / 2)
}

// beyondSampling reports whether a share of a window is further from the expected one
// than independent rows get with the probability of moved.unlikely:
//
//	m n KL(now || expected) >= L,  KL(p || q) = p ln(p/q) + (1-p) ln((1-p)/(1-q))
//
// where now is the mean of m windows of n rows. It is true where it is not asked for. A share that history never had is taken to be
// that of half a row.
//
// Source: H. Chernoff, A measure of asymptotic efficiency for tests of a hypothesis based
// on the sum of observations, Annals of Mathematical Statistics 23(4), 1952.
func (m *moved) beyondSampling(s Summary, now, expected float64) bool {
	if m.unlikely <= 0 {
		return true
	}
	of := m.pooled
	if s == Nulls {
		of = m.rows
	}
	half := .5 / max(1, of)
	expected = max(half, min(1-half, expected))
	return divergence(now, expected) >= m.unlikely*m.inverse[s]/m.windows
}

// divergence returns the Kullback-Leibler divergence of shares p from q, in nats.
func divergence(p, q float64) float64 {
	sum := 0.0
	if p > 0 {
		sum += p * math.Log(p/q)
	}
	if p < 1 {
		sum += (1 - p) * math.Log((1-p)/(1-q))
	}
	return sum
}
