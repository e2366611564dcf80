package app

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/serving"
)

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestLoadConfig(t *testing.T) {
	got, err := LoadConfig(writeConfig(t, "data: ./d\nlisten: {http: 127.0.0.1:1}\nkafka: {brokers: [a:1, b:2], dead_letters: dead}\n"))
	want := DefaultConfig()
	want.Data, want.Listen.HTTP, want.Kafka.Brokers, want.Kafka.DeadLetters = "./d", "127.0.0.1:1", []string{"a:1", "b:2"}, "dead"
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("LoadConfig = %+v, %v, want %+v", got, err, want)
	}
	if got, err := LoadConfig(""); err != nil || !reflect.DeepEqual(got, DefaultConfig()) {
		t.Errorf("LoadConfig of no file = %+v, %v, want the defaults", got, err)
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the defaults are not valid: %v", err)
	}
}

func TestLoadConfigRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"unknown key":   {"lisen: {http: x}", "sluice.yaml:1: unknown key lisen: did you mean listen?"},
		"within":        {"kafka:\n  zzzzzzzzzz: 1", "sluice.yaml:2: unknown key zzzzzzzzzz"},
		"wrong kind":    {"kafka: {partitions: many}", "sluice.yaml:1: `many` is no int"},
		"two at once":   {"lisen: 1\nredis: {cluster: 3}", "sluice.yaml:2: `3` is no bool"},
		"syntax":        {"listen: {", "sluice.yaml: line 1: did not find expected node content"},
		"two documents": {"data: a\n---\ndata: b", "more than one document"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := LoadConfig(writeConfig(t, tc.text))
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("LoadConfig(%q) = %v, want %s", tc.text, err, tc.want)
			}
		})
	}
	if _, err := LoadConfig(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("LoadConfig of a file that is not there = %v", err)
	}
}

func TestConfigValidate(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no running":       {func(c *Config) { c.Serve.MaxRunning = 3 }, "serve.max_running: 3: want 64 to 1000000, or 0 for any number"},
		"no connections":   {func(c *Config) { c.Serve.MaxConnections = 0 }, "serve.max_connections: 0: want 1 to 1000000"},
		"no entities":      {func(c *Config) { c.Serve.MaxEntities = 0 }, "serve.max_entities: 0: want 1 to 1048576"},
		"body of nothing":  {func(c *Config) { c.Serve.MaxBody = 10 }, "serve.max_body: 10: want 1024 to 1073741824 bytes"},
		"few headers":      {func(c *Config) { c.Serve.MaxHeaders = 3 }, "serve.max_headers: 3: want 10 to 10000"},
		"no time":          {func(c *Config) { c.Serve.MaxTime = 0 }, "serve.max_time: 0: want 1 to 3600 seconds"},
		"sample of all":    {func(c *Config) { c.Serve.SampleRate = 5000 }, "serve.sample_rate: 5000: want 0 to 1000"},
		"unknown servers":  {func(c *Config) { c.Serve.GRPCServer, c.Serve.HTTPServer = "x", "y" }, `serve.http_server: "y": want own or net-http`},
		"rate of nobody":   {func(c *Config) { c.Serve.TokenRates = []string{"=5"} }, `serve.token_rates: "=5": want NAME=N`},
		"rate is no rate":  {func(c *Config) { c.Serve.ProjectRates = []string{"a=fast"} }, `serve.project_rates: "a=fast": want NAME=N`},
		"rate below none":  {func(c *Config) { c.Serve.TokenRates = []string{"a=-1"} }, `serve.token_rates: rate of "a": -1 is not in`},
		"rate twice":       {func(c *Config) { c.Serve.TokenRates = []string{"a=1", "a=2"} }, `serve.token_rates: "a": given twice`},
		"no data":          {func(c *Config) { c.Data = "" }, "data: empty: name a folder"},
		"no port":          {func(c *Config) { c.Listen.HTTP = "127.0.0.1" }, `listen.http: "127.0.0.1": want HOST:PORT`},
		"port too large":   {func(c *Config) { c.Listen.GRPC = "127.0.0.1:99999" }, `listen.grpc: "127.0.0.1:99999": want HOST:PORT`},
		"every interface":  {func(c *Config) { c.Listen.HTTP = ":6566" }, "listen.http: :6566 is reachable from other machines, and no tokens are configured: set auth.tokens_file, or listen on 127.0.0.1"},
		"another machine":  {func(c *Config) { c.Listen.Kafka = "10.0.0.1:1" }, "listen.kafka: 10.0.0.1:1 is reachable"},
		"a name":           {func(c *Config) { c.Listen.GRPC = "example.com:1" }, "listen.grpc: example.com:1 is reachable"},
		"same port twice":  {func(c *Config) { c.Listen.GRPC = c.Listen.HTTP }, "listen.grpc: 127.0.0.1:6566 is listen.http already: choose another port"},
		"broker":           {func(c *Config) { c.Kafka.Brokers = []string{"kafka"} }, `kafka.brokers: "kafka": want HOST:PORT`},
		"partitions":       {func(c *Config) { c.Kafka.Partitions = 0 }, "kafka.partitions: 0: want 1 to 10000"},
		"topic":            {func(c *Config) { c.Kafka.Writes = "a b" }, `kafka.writes: "a b": a topic has`},
		"topic twice":      {func(c *Config) { c.Kafka.Profiles = c.Kafka.Writes }, "kafka.profiles: sluice.writes is kafka.writes already: name another topic"},
		"group":            {func(c *Config) { c.Kafka.Group = "" }, "kafka.group: empty: name the consumer group"},
		"redis":            {func(c *Config) { c.Redis.Addrs = []string{":6379"} }, `redis.addrs: ":6379": want HOST:PORT`},
		"store of no name": {func(c *Config) { c.OnlineStores = OnlineStores{"Critical": {}} }, `online_stores: "Critical": a name has`},
		"second default":   {func(c *Config) { c.OnlineStores = OnlineStores{"default": {}} }, "online_stores.default: that is the name of the store of views that name none"},
		"store's address":  {func(c *Config) { c.OnlineStores = OnlineStores{"b": {Addrs: []string{"x"}}} }, `online_stores.b.addrs: "x": want HOST:PORT`},
		"store's cluster":  {func(c *Config) { c.OnlineStores = OnlineStores{"b": {Cluster: true}} }, "online_stores.b.cluster: true without online_stores.b.addrs"},
		"store's password": {func(c *Config) { c.OnlineStores = OnlineStores{"b": {PasswordEnv: "SLUICE_TEST_UNSET"}} }, `online_stores.b.password_env: "SLUICE_TEST_UNSET": no such variable`},
		"one store for two": {func(c *Config) {
			c.Redis.Addrs, c.OnlineStores = []string{"a:1"}, OnlineStores{"b": {Addrs: []string{"a:1"}}}
		}, "online_stores.b: the same servers and prefix as redis"},
		"kind of failover":   {func(c *Config) { c.Redis.Addrs, c.Redis.ClusterFailover = []string{"a:1"}, "now" }, `redis.cluster_failover: "now" is neither ask nor wait`},
		"cluster of none":    {func(c *Config) { c.Redis.Cluster = true }, "redis.cluster: true without redis.addrs"},
		"postgres":           {func(c *Config) { c.Registry.Postgres = "localhost" }, "registry.postgres: want postgres://USER@HOST/DATABASE"},
		"password unescaped": {func(c *Config) { c.Registry.Postgres = "postgres://u:s3%zcret@db/x" }, "registry.postgres: invalid: no connection string: want postgres://USER:PASSWORD@HOST:PORT/DATABASE, with special characters of the password percent-encoded"},
		"mode":               {func(c *Config) { c.Registry.Postgres = "postgres://db/x?sslmode=s3cret" }, "registry.postgres: invalid: no connection string"},
		"slack, no token":    {func(c *Config) { c.Slack.Channel, c.Slack.TokenEnv = "ops", "SLUICE_TEST_UNSET" }, `slack.token_env: "SLUICE_TEST_UNSET": no such variable in the environment`},
		"log level":          {func(c *Config) { c.Log.Level = "loud" }, `log.level: "loud": want debug, info, warn or error`},
		"log format":         {func(c *Config) { c.Log.Format = "xml" }, `log.format: "xml": want text or json`},
		"empty addresses":    {func(c *Config) { c.Listen = ListenConfig{} }, `listen.kafka: "": want HOST:PORT`},
		"all at once":        {func(c *Config) { c.Data, c.Kafka.Group = "", "" }, "data: empty: name a folder\nkafka.group: empty"},
		"admin everywhere":   {func(c *Config) { c.Listen.Admin = "0.0.0.0:1" }, "listen.admin: 0.0.0.0:1 is reachable"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			tc.change(&cfg)
			if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "cret") {
				t.Errorf("Validate = %v, want %s, and no secret", err, tc.want)
			}
		})
	}
	for name, change := range map[string]func(*Config){
		"tokens":      func(c *Config) { c.Listen.HTTP, c.Auth.TokensFile = "0.0.0.0:6566", "tokens.yaml" },
		"free ports":  func(c *Config) { c.Listen.HTTP, c.Listen.GRPC = "127.0.0.1:0", "127.0.0.1:0" },
		"localhost":   func(c *Config) { c.Listen.HTTP = "localhost:1" },
		"IPv6":        func(c *Config) { c.Listen.HTTP = "[::1]:1" },
		"own brokers": func(c *Config) { c.Kafka.Brokers, c.Listen.Kafka = []string{"kafka:9092"}, "" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			change(&cfg)
			if err := cfg.Validate(); err != nil {
				t.Errorf("Validate = %v, want nil", err)
			}
		})
	}
}

func TestOnlineStoresOfFileAndFlag(t *testing.T) {
	got, err := LoadConfig(writeConfig(t, "online_stores:\n  critical: {addrs: [a:1, b:2], cluster: true}\n  near: {}\n"))
	want := OnlineStores{"critical": {Addrs: []string{"a:1", "b:2"}, Cluster: true, Prefix: "sl:", HedgeBudget: .02, MemoryLimit: .8, OfflineLimit: .9, ClusterFailover: "ask"}, "near": {Prefix: "sl:", HedgeBudget: .02, MemoryLimit: .8, OfflineLimit: .9, ClusterFailover: "ask"}}
	if err != nil || !reflect.DeepEqual(got.OnlineStores, want) || got.online("critical").Prefix != "sl:" {
		t.Errorf("LoadConfig = %+v, %v, want %+v", got.OnlineStores, err, want)
	}
	for text, want := range map[string]float64{"{a: {addrs: [a:1]}}": .02, "{a: {addrs: [a:1], hedge_budget: 0}}": 0, "{a: {hedge_budget: .1}}": .1} {
		var flag OnlineStores
		file, err := LoadConfig(writeConfig(t, "online_stores: "+text+"\n"))
		if err := errors.Join(err, flag.UnmarshalText([]byte(text))); err != nil || flag["a"].HedgeBudget != want || file.online("a").store().HedgeBudget != want {
			t.Errorf("%s: hedge_budget is %g and %g, want %g; %v", text, flag["a"].HedgeBudget, file.online("a").HedgeBudget, want, err)
		}
	}
	var flag OnlineStores
	if err := flag.UnmarshalText([]byte("{critical: {addrs: [a:1, b:2], cluster: true}, near: {}}")); err != nil || !reflect.DeepEqual(flag, want) {
		t.Errorf("UnmarshalText = %+v, %v, want %+v", flag, err, want)
	}
	if err := new(OnlineStores).UnmarshalText([]byte("{critical: {adrs: [a:1]}}")); err == nil || !strings.Contains(err.Error(), "adrs") {
		t.Errorf("UnmarshalText of an unknown key = %v", err)
	}
	if _, err := LoadConfig(writeConfig(t, "online_stores:\n  critical: {adrs: [a:1]}\n")); err == nil || !strings.Contains(err.Error(), "sluice.yaml:2: unknown key adrs: did you mean addrs?") {
		t.Errorf("LoadConfig of an unknown key = %v", err)
	}
}

func TestValidateTarget(t *testing.T) {
	cfg := DefaultConfig()
	if err := cfg.ValidateTarget("all"); err != nil {
		t.Errorf("ValidateTarget(all) = %v", err)
	}
	if err := cfg.ValidateTarget("srve"); err == nil || err.Error() != `target: "srve": want all, tap, gate or serve` {
		t.Errorf("ValidateTarget(srve) = %v", err)
	}
	err := cfg.ValidateTarget("serve")
	for _, part := range []string{"the log is embedded", "set kafka.brokers to a Kafka server", "the registry is embedded", "set registry.postgres", "the online store is embedded", "set redis.addrs"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("ValidateTarget(serve) = %v, want %q", err, part)
		}
	}
	cfg.Kafka.Brokers, cfg.Registry.Postgres, cfg.Redis.Addrs = []string{"a:1"}, "postgres://a/b", []string{"b:1"}
	cfg.OnlineStores = OnlineStores{"near": {}}
	if err := cfg.ValidateTarget("tap"); err == nil || !strings.Contains(err.Error(), "the online store near is embedded, and other processes cannot reach it: set online_stores.near.addrs") {
		t.Errorf("ValidateTarget(tap) with an embedded second store = %v", err)
	}
	cfg.OnlineStores["near"] = RedisConfig{Addrs: []string{"c:1"}}
	for _, target := range Targets {
		if err := cfg.ValidateTarget(target); err != nil {
			t.Errorf("ValidateTarget(%s) with servers = %v", target, err)
		}
	}
}

// TestServeLimits wants what is configured to reach serving, and every value that is
// taken to be one that serving takes.
func TestServeLimits(t *testing.T) {
	if got, err := defaultServe().serving(); err != nil || !reflect.DeepEqual(withoutRates(got), withoutRates(serving.DefaultConfig())) {
		t.Errorf("the defaults give %+v, %v, want serving's own", got, err)
	}
	cfg, err := LoadConfig(writeConfig(t, "serve: {max_entities: 7, max_bulk: 8, max_features: 9, max_body: 2048, max_header: 4096, max_headers: 50, max_streams: 11, max_frames: 1200, handshake: 3, max_time: 4, max_age: 5, sample_rate: 6}"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := cfg.Serve.serving()
	if err != nil {
		t.Fatal(err)
	}
	want := serving.DefaultConfig()
	want.MaxEntities, want.MaxBulk, want.MaxFeatures, want.MaxBody, want.MaxHeader, want.MaxHeaders = 7, 8, 9, 2048, 4096, 50
	want.MaxStreams, want.MaxFrames, want.Handshake, want.MaxTime, want.MaxAge, want.SampleRate = 11, 1200, 3*time.Second, 4*time.Second, 5*time.Second, 6
	if !reflect.DeepEqual(withoutRates(got), withoutRates(want)) {
		t.Errorf("read %+v, want %+v", got, want)
	}
	for _, most := range []bool{false, true} {
		c := defaultServe()
		at := map[string]int{}
		for _, r := range c.ranges() {
			at["serve."+r.key] = r.least
			if most {
				at["serve."+r.key] = r.most
			}
		}
		all := DefaultConfig()
		for _, key := range all.Keys() {
			if n, ok := at[key.Name]; ok {
				key.Value.SetInt(int64(n))
			}
		}
		if err := all.Validate(); err != nil {
			t.Errorf("Validate at the ends of the ranges = %v", err)
		}
		if got, err := all.Serve.serving(); err != nil || got.Validate() != nil {
			t.Errorf("serving takes %+v as %v, %v", all.Serve, err, got.Validate())
		}
	}
}

func withoutRates(c serving.Config) serving.Config {
	c.TokenRates, c.ProjectRates = nil, nil
	return c
}
