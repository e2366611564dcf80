package services

import (
	"fmt"
	"maps"
	"strings"
)

// Env returns a variable that tells clients how to reach a service, as the README
// lists them: KAFKA_BROKERS, TOXIPROXY_URL and others. It is empty if the service
// is not in the set.
func (s *Set) Env(name string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.env[name]
}

// Brokers returns the brokers of kafka, else those of kafka3.
func (s *Set) Brokers() []string {
	if s.Env("KAFKA_BROKERS") == "" {
		return strings.Split(s.must("KAFKA3_BROKERS", "kafka or kafka3"), ",")
	}
	return strings.Split(s.Env("KAFKA_BROKERS"), ",")
}

// Redis returns the address of redis: one.
func (s *Set) Redis() []string {
	return strings.Split(s.must("REDIS_ADDR", "redis"), ",")
}

// RedisCluster returns the addresses of the six nodes of redis-cluster.
func (s *Set) RedisCluster() []string {
	return strings.Split(s.must("REDIS_CLUSTER_ADDRS", "redis-cluster"), ",")
}

// RedisSentinel returns the name that the sentinels of redis-sentinel have for
// their primary, and the addresses of the three.
func (s *Set) RedisSentinel() (master string, sentinels []string) {
	return s.must("REDIS_SENTINEL_MASTER", "redis-sentinel"), strings.Split(s.must("REDIS_SENTINEL_ADDRS", "redis-sentinel"), ",")
}

// Postgres returns the DSN of postgres, for a superuser and the database that all
// share. A test uses Database.
func (s *Set) Postgres() string {
	return s.must("POSTGRES_DSN", "postgres")
}

// must returns a variable of a service in the set. It panics if the service is
// not there: clients take an empty address for the default port, and the test
// would talk to a server that is not ours.
func (s *Set) must(variable, service string) string {
	value := s.Env(variable)
	if value == "" {
		panic(fmt.Sprintf("services: %s is not in the set: name it where the set is started", service))
	}
	return value
}

// vars returns a copy of the environment.
func (s *Set) vars() map[string]string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.env)
}
