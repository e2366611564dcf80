package redis

import (
	"testing"
	"time"
)

// TestBreaker walks a shard through silence and back.
func TestBreaker(t *testing.T) {
	var b breaker
	now := time.Unix(1000, 0)
	expect := func(when string, got, want bool) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %t, want %t", when, got, want)
		}
	}
	for range breakerFailures - 1 {
		expect("silent, too few", b.silent(now), false)
	}
	expect("an answer in between", b.answered(), false)
	now = now.Add(time.Minute)
	for range 10 * breakerFailures {
		expect("silent after it, all at once", b.silent(now), false)
	}
	expect("allowed still", b.allow(now), true)
	now = now.Add(breakerSilence)
	expect("silent, the last straw", b.silent(now), true)
	expect("silent, known already", b.silent(now), false)
	expect("not allowed", b.allow(now.Add(breakerRetry-1)), false)
	now = now.Add(breakerRetry)
	expect("one may ask", b.allow(now), true)
	expect("and no other", b.allow(now), false)
	expect("it was not answered", b.silent(now), false)
	now = now.Add(breakerRetry)
	expect("the next one", b.allow(now), true)
	expect("was answered", b.answered(), true)
	for range 2 {
		expect("all may ask", b.allow(now), true)
	}
	expect("one failure is not enough", b.silent(now), false)
	for range breakerFailures - 2 {
		expect("nor are four over time", b.silent(now.Add(breakerSilence)), false)
	}
	expect("five are", b.silent(now.Add(breakerSilence)), true)
}
