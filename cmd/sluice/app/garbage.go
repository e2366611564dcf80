package app

import (
	"os"
	"runtime/debug"
)

// tapGarbage is how much garbage, in per cent of what is alive, a process that is only a tap
// lets lie. What it takes is what it reads and holds back, which senders choose: with the
// runtime's 100 a tap that is sent large and broken records in numbers took up to 66 MiB more,
// with this 52 (docs/reliability.md, bad input).
const tapGarbage = 70

// collects sets how often a process of this target collects garbage, and returns what puts
// that back. GOGC in the environment is left as it is.
func collects(target string) (back func()) {
	if _, set := os.LookupEnv("GOGC"); set || target != "tap" {
		return func() {}
	}
	former := debug.SetGCPercent(tapGarbage)
	return func() { debug.SetGCPercent(former) }
}
