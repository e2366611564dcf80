package redis

import (
	"context"
	"fmt"
	"net"

	goredis "github.com/redis/go-redis/v9"
)

// checkKind finds a server that is of another kind than it is configured as: a node of a
// Cluster as a server of its own, which has some of the rows and refuses the others, or a
// replica, which takes none. What is neither does not answer as a Cluster or as Sentinels
// if it is configured as such.
func checkKind(ctx context.Context, c *goredis.Client, config Config) []Finding {
	if config.Cluster || config.MasterName != "" {
		return nil
	}
	server, mode := c.Options().Addr, ""
	if info, err := c.Info(ctx, "server").Result(); err == nil {
		mode = infoField(info, "redis_mode")
	}
	if mode == "cluster" {
		return []Finding{{Server: server, Setting: "redis_mode", Value: mode, Do: "set cluster to true beside addrs",
			Why: "a node of a Cluster has some of the rows and refuses the others", Refused: true}}
	}
	info, err := c.Info(ctx, "replication").Result()
	if err != nil || infoField(info, "role") != "slave" {
		return nil
	}
	of := net.JoinHostPort(infoField(info, "master_host"), infoField(info, "master_port"))
	return []Finding{{Server: server, Setting: "role", Value: "replica", Do: fmt.Sprintf("name its primary in addrs, %s, or the Sentinels that watch it, with master_name", of),
		Why: "a replica takes no writes", Refused: true}}
}
