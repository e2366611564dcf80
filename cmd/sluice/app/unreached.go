package app

import (
	"context"
	"errors"
	"fmt"

	"sluice/store/redis"
	"sluice/store/registry"
)

// What to do about a part that does not answer: what `sluice doctor` says of it, and
// what a process says that does not start for it.
const (
	doBrokers  = "see whether kafka.brokers are the addresses that this machine reaches, and whether the brokers advertise such"
	doPostgres = "see whether registry.postgres is right, and whether this machine reaches the primary"
)

func doServers(key string) string {
	return "see whether " + key + ".addrs, cluster or master_name, username and the password are right, and whether this machine reaches them"
}

// unreached adds to the error of a part that was not opened what to do about it. One that
// says so itself, and a start that was broken off, are left as they are.
func unreached(err error, do string) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, redis.ErrServer) || errors.Is(err, registry.ErrInvalid) || errors.Is(err, registry.ErrForeign) {
		return err
	}
	return fmt.Errorf("%w: %s", err, do)
}
