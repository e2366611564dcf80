//go:build services

package tap

import (
	"testing"

	"sluice/test/services"
)

// serverRig is a rig on Kafka, with topics and a group of its own.
func serverRig(t *testing.T, set *services.Set, partitions int32) *rig {
	name := services.Name(t)
	r := rigAt(t, set.Brokers(), Topics{Writes: name + "_w", Profiles: name + "_p", DeadLetters: name + "_d", Partitions: partitions}, delays())
	r.cfg.Group = name
	return r
}

// TestProfilesLostServices is what the tests on the embedded log want of a lost profiles
// topic, on Kafka.
func TestProfilesLostServices(t *testing.T) {
	set := services.Start(t, "kafka")
	for _, way := range losses() {
		t.Run("running, "+way.name, func(t *testing.T) { testProfilesLost(serverRig(t, set, 2), way) })
		t.Run("leaving, "+way.name, func(t *testing.T) { testLostOnLeaving(leavingRig(serverRig(t, set, 2)), way) })
		t.Run("two, "+way.name, func(t *testing.T) { testLostByTwo(newTwoTaps(serverRig(t, set, 2)), way) })
		t.Run("on the way, "+way.name, func(t *testing.T) { testLostOnTheWay(newTwoTaps(serverRig(t, set, 2)), way) })
		t.Run("given up, "+way.name, func(t *testing.T) { testLostAndGivenUp(newTwoTaps(serverRig(t, set, 2)), way) })
		t.Run("two, one dies, "+way.name, func(t *testing.T) { testLostAndDead(newTwoTaps(serverRig(t, set, 2)), way) })
	}
	for _, way := range losses()[1:] {
		t.Run("stopped, "+way.name, func(t *testing.T) { testProfilesHeld(serverRig(t, set, 2), way) })
	}
}

// TestStatePutWhileIdleOnKafka is TestStatePutWhileIdle on Kafka, whose transactions move the
// epoch of a producer.
func TestStatePutWhileIdleOnKafka(t *testing.T) {
	testStatePutWhileIdle(serverRig(t, services.Start(t, "kafka"), 2))
}
