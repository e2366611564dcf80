package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"sluice/feature"
	"sluice/materialize"
	"sluice/serving"
	"sluice/store/registry"
)

// Config is sluice.yaml. Every key is also a flag of the same name, such as
// --listen.http; the flags' texts are the keys' reference.
type Config struct {
	Data   string       `yaml:"data" help:"Folder of everything that is embedded." placeholder:"DIR"`
	Listen ListenConfig `yaml:"listen" embed:"" prefix:"listen."`
	Kafka  KafkaConfig  `yaml:"kafka" embed:"" prefix:"kafka."`
	Redis  RedisConfig  `yaml:"redis" embed:"" prefix:"redis."`
	// OnlineStores are further ones; see there.
	OnlineStores OnlineStores   `yaml:"online_stores" name:"online_stores" help:"Online stores beside that of redis, for views that name one with online: by name, each with the keys of redis, such as {critical: {addrs: [10.0.0.7:6379]}}; one without addrs is embedded." placeholder:"YAML"`
	Registry     RegistryConfig `yaml:"registry" embed:"" prefix:"registry."`
	Gate         GateConfig     `yaml:"gate" embed:"" prefix:"gate."`
	Serve        ServeConfig    `yaml:"serve" embed:"" prefix:"serve."`
	Feast        FeastConfig    `yaml:"feast" embed:"" prefix:"feast."`
	Slack        SlackConfig    `yaml:"slack" embed:"" prefix:"slack."`
	Auth         AuthConfig     `yaml:"auth" embed:"" prefix:"auth."`
	Log          LogConfig      `yaml:"log" embed:"" prefix:"log."`
}

// ListenConfig says where the process listens. Port 0 takes a free one, which is
// printed at start.
type ListenConfig struct {
	HTTP  string `yaml:"http" name:"http" help:"UI, API, Feast's REST, /metrics, /ready and /healthz." placeholder:"ADDR"`
	GRPC  string `yaml:"grpc" name:"grpc" help:"gRPC reads, Sluice's and Feast's." placeholder:"ADDR"`
	Kafka string `yaml:"kafka" name:"kafka" help:"The in-process broker, for any Kafka client; not used with kafka.brokers." placeholder:"ADDR"`
	Admin string `yaml:"admin" name:"admin" help:"pprof; empty: nowhere." placeholder:"ADDR"`
}

// KafkaConfig names the log: brokers and topics.
type KafkaConfig struct {
	Brokers     []string `yaml:"brokers" help:"Kafka brokers; none: the in-process broker." placeholder:"ADDR"`
	Partitions  int      `yaml:"partitions" help:"Partitions of topics that Sluice creates." placeholder:"N"`
	Writes      string   `yaml:"writes" help:"Default topic of feature writes." placeholder:"TOPIC"`
	Profiles    string   `yaml:"profiles" help:"Compacted topic of partial profiles and progress." placeholder:"TOPIC"`
	DeadLetters string   `yaml:"dead_letters" name:"dead_letters" help:"Topic of records that were not accepted." placeholder:"TOPIC"`
	Group       string   `yaml:"group" help:"Consumer group of the taps; one group is one set of profiles." placeholder:"NAME"`
}

// RedisConfig names the online store; without addresses it is embedded.
type RedisConfig struct {
	Addrs        []string `yaml:"addrs" help:"Redis servers; none: the embedded store." placeholder:"ADDR"`
	Cluster      bool     `yaml:"cluster" help:"The servers are a Redis Cluster."`
	MasterName   string   `yaml:"master_name" name:"master_name" help:"The servers are Sentinels, and this is what they watch." placeholder:"NAME"`
	Username     string   `yaml:"username" help:"User of the servers." placeholder:"NAME"`
	PasswordEnv  string   `yaml:"password_env" name:"password_env" help:"Environment variable that holds the password; empty: none." placeholder:"NAME"`
	Prefix       string   `yaml:"prefix" help:"Prefix of every key; installations that share servers need different ones." placeholder:"TEXT"`
	SyncReplicas int      `yaml:"sync_replicas" name:"sync_replicas" help:"Replicas that must have a window's rows before they count as written; a failover loses none of them then. 0 does not wait." placeholder:"N"`
	HedgeBudget  float64  `yaml:"hedge_budget" name:"hedge_budget" help:"Share of reads of which a replica may be asked as well because the primary is late; 0: none." placeholder:"SHARE"`
	MemoryLimit  float64  `yaml:"memory_limit" name:"memory_limit" help:"Share of its maxmemory that the fullest primary may use: beyond it backfills and approvals are refused, and windows of the stream alone are taken; 0: they never are." placeholder:"SHARE"`
	OfflineLimit float64  `yaml:"offline_limit" name:"offline_limit" help:"Share of its maxmemory that the fullest primary may use, above redis.memory_limit: beyond it rows of the stream stay in the log, windows are judged all the same, and what passes is staged and published once 2 % less is used; 0: rows are staged until the server refuses them." placeholder:"SHARE"`
	// ClusterFailover is what the gate does about a lost primary of a Cluster.
	ClusterFailover string `yaml:"cluster_failover" name:"cluster_failover" help:"What the gate does about a primary of a Cluster that gives it no answer and that most primaries hold for failing: ask its replica that has most for an election at once (CLUSTER FAILOVER FORCE), or wait for the Cluster's own." placeholder:"ask|wait"`
}

// RegistryConfig names the registry; without a server it is an embedded file.
type RegistryConfig struct {
	Postgres string `yaml:"postgres" help:"PostgreSQL connection string; empty: the embedded registry." placeholder:"URL"`
}

// GateConfig says when the gate does not trust a source.
type GateConfig struct {
	DeadShare float64 `yaml:"dead_share" name:"dead_share" help:"Share of the records of a topic within a minute above which the windows of its views of that time are held, if that many are dead letters: what cannot be read, is of a wrong type, or is refused for its event time. 1: never." placeholder:"SHARE"`
	DeadLeast int     `yaml:"dead_least" name:"dead_least" help:"Dead letters of a minute below which none is held." placeholder:"N"`
}

func (c GateConfig) validate(add func(format string, args ...any)) {
	if !(c.DeadShare > 0 && c.DeadShare <= 1) {
		add("gate.dead_share: %v: want a share above 0 and up to 1, such as 0.05; 1 holds nothing", c.DeadShare)
	}
	if c.DeadLeast < 1 {
		add("gate.dead_least: %d: want 1 or more: of few records a share says nothing", c.DeadLeast)
	}
}

// SlackConfig says where people are told.
type SlackConfig struct {
	TokenEnv string `yaml:"token_env" name:"token_env" help:"Environment variable that holds the bot token." placeholder:"NAME"`
	Channel  string `yaml:"channel" help:"Channel of alerts; empty: nobody is told." placeholder:"NAME"`
}

// AuthConfig names the tokens file; see package auth.
type AuthConfig struct {
	TokensFile string `yaml:"tokens_file" name:"tokens_file" help:"YAML list of {name, role: reader|writer|operator, sha256, project}, project optional; empty: everybody may do everything." placeholder:"FILE"`
}

// LogConfig says what the process logs, to standard error.
type LogConfig struct {
	Level  string `yaml:"level" help:"debug, info, warn or error." placeholder:"LEVEL"`
	Format string `yaml:"format" help:"text or json." placeholder:"FORMAT"`
}

// defaultPrefix is that of every key of an online store on servers.
const defaultPrefix = "sl:"

// DefaultConfig returns the configuration that the reference page documents.
func DefaultConfig() Config {
	return Config{
		Data:   "./sluice-data",
		Listen: ListenConfig{HTTP: "127.0.0.1:6566", GRPC: "127.0.0.1:6565", Kafka: "127.0.0.1:6569"},
		Kafka: KafkaConfig{
			Brokers: []string{}, Partitions: 4, Writes: "sluice.writes", Profiles: "sluice.profiles",
			DeadLetters: "sluice.dead", Group: "sluice",
		},
		Redis: defaultOnline([]string{}),
		Gate:  GateConfig{DeadShare: materialize.DefaultConfig().DeadShare, DeadLeast: materialize.DefaultConfig().DeadLeast},
		Serve: defaultServe(),
		Feast: FeastConfig(serving.DefaultFeastConfig()),
		Slack: SlackConfig{TokenEnv: "SLACK_TOKEN"},
		Log:   LogConfig{Level: "info", Format: "text"},
	}
}

// ErrConfig reports a configuration that cannot be used.
var ErrConfig = errors.New("configuration")

var (
	unknownField = regexp.MustCompile(`line (\d+): field (\S+) not found in type \S+`)
	wrongKind    = regexp.MustCompile(`line (\d+): cannot unmarshal \S+ (.*) into (\S+)`)
)

// LoadConfig decodes the file at path strictly over the defaults; an empty path
// gives the defaults. It does not validate. The error is ErrConfig, with file and
// line of every problem of the form.
func LoadConfig(path string) (Config, error) {
	cfg := DefaultConfig()
	if path == "" {
		return cfg, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return cfg, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&cfg); err != nil && !errors.Is(err, io.EOF) {
		return cfg, fmt.Errorf("%w: %w", ErrConfig, describe(path, err))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return cfg, fmt.Errorf("%w: %s: more than one document", ErrConfig, path)
	}
	return cfg, nil
}

// describe turns the decoder's errors into one problem a line.
func describe(path string, err error) error {
	var form *yaml.TypeError
	if !errors.As(err, &form) {
		return fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	var problems []error
	for _, text := range form.Errors {
		if m := unknownField.FindStringSubmatch(text); m != nil {
			text = fmt.Sprintf("%s:%s: unknown key %s", path, m[1], m[2])
			if near := feature.Nearest(m[2], keyNames()); near != "" {
				text += ": did you mean " + near + "?"
			}
		} else if m := wrongKind.FindStringSubmatch(text); m != nil {
			text = fmt.Sprintf("%s:%s: %s is no %s", path, m[1], m[2], m[3])
		} else {
			text = path + ": " + text
		}
		problems = append(problems, errors.New(text))
	}
	return errors.Join(problems...)
}

// validatePostgres never shows the connection string, which may hold a password.
func (c Config) validatePostgres(add func(string, ...any)) {
	p := c.Registry.Postgres
	switch {
	case p == "":
	case !strings.Contains(p, "=") && !strings.HasPrefix(p, "postgres://") && !strings.HasPrefix(p, "postgresql://"):
		add("registry.postgres: want postgres://USER@HOST/DATABASE, or key=value pairs")
	default:
		if err := registry.CheckDSN(p); err != nil {
			add("%w", err)
		}
	}
}

// Validate returns every problem of c, joined, each with its key, its value and
// what to do.
func (c Config) Validate() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Data == "" {
		add("data: empty: name a folder")
	}
	c.validateListen(add)
	c.validateKafka(add)
	validateAddrs("redis.addrs", c.Redis.Addrs, add)
	c.Redis.validate("redis", add)
	c.validateOnline(add)
	c.validatePostgres(add)
	c.Gate.validate(add)
	c.Serve.validate(add)
	c.Feast.validate(add)
	if c.Slack.Channel != "" && (c.Slack.TokenEnv == "" || os.Getenv(c.Slack.TokenEnv) == "") {
		add("slack.token_env: %q: no such variable in the environment, and slack.channel is set: put the bot token there", c.Slack.TokenEnv)
	}
	switch c.Log.Level {
	case "debug", "info", "warn", "error":
	default:
		add("log.level: %q: want debug, info, warn or error", c.Log.Level)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		add("log.format: %q: want text or json", c.Log.Format)
	}
	return errors.Join(errs...)
}

func (c Config) validateListen(add func(format string, args ...any)) {
	seen := map[string]string{}
	for _, l := range []struct {
		key, addr string
		optional  bool
	}{
		{"listen.http", c.Listen.HTTP, false}, {"listen.grpc", c.Listen.GRPC, false},
		{"listen.kafka", c.Listen.Kafka, len(c.Kafka.Brokers) > 0}, {"listen.admin", c.Listen.Admin, true},
	} {
		if l.addr == "" && l.optional {
			continue
		}
		host, port, err := splitAddr(l.addr)
		switch {
		case err != nil:
			add("%s: %q: want HOST:PORT", l.key, l.addr)
			continue
		case seen[l.addr] != "" && port != 0:
			add("%s: %s is %s already: choose another port", l.key, l.addr, seen[l.addr])
		case !loopback(host) && l.key == "listen.kafka":
			add("%s: %s is reachable from other machines, and the broker inside the process asks for no token: listen on 127.0.0.1, or use kafka.brokers", l.key, l.addr)
		case !loopback(host) && c.Auth.TokensFile == "":
			add("%s: %s is reachable from other machines, and no tokens are configured: set auth.tokens_file, or listen on 127.0.0.1", l.key, l.addr)
		}
		seen[l.addr] = l.key
	}
}

func splitAddr(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return host, int(n), err
}

// loopback reports whether nobody but this machine reaches host. An empty host is
// every interface.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

func (c Config) validateKafka(add func(format string, args ...any)) {
	validateAddrs("kafka.brokers", c.Kafka.Brokers, add)
	if n := c.Kafka.Partitions; n < 1 || n > 10_000 {
		add("kafka.partitions: %d: want 1 to 10000", n)
	}
	if c.Kafka.Group == "" {
		add("kafka.group: empty: name the consumer group")
	}
	seen := map[string]string{}
	for _, t := range []struct{ key, name string }{
		{"kafka.writes", c.Kafka.Writes}, {"kafka.profiles", c.Kafka.Profiles}, {"kafka.dead_letters", c.Kafka.DeadLetters},
	} {
		switch {
		case !topicName.MatchString(t.name) || t.name == "." || t.name == "..":
			add("%s: %q: a topic has 1 to 249 letters, digits, dots, _ and -", t.key, t.name)
		case seen[t.name] != "":
			add("%s: %s is %s already: name another topic", t.key, t.name, seen[t.name])
		}
		seen[t.name] = t.key
	}
}

func validateAddrs(key string, addrs []string, add func(format string, args ...any)) {
	for _, addr := range addrs {
		if host, port, err := splitAddr(addr); err != nil || host == "" || port == 0 {
			add("%s: %q: want HOST:PORT", key, addr)
		}
	}
}

// Targets are what a process may run.
var Targets = []string{"all", "tap", "gate", "serve"}

// ValidateTarget returns the problems of running only a part of the platform: a
// part in a process of its own shares the log, the registry and the rows with
// the others, so none of them may be embedded.
func (c Config) ValidateTarget(target string) error {
	switch target {
	case "all":
		return nil
	case "tap", "gate", "serve":
	default:
		return fmt.Errorf("target: %q: want all, tap, gate or serve", target)
	}
	type part struct {
		embedded       bool
		what, key, use string
	}
	parts := []part{
		{len(c.Kafka.Brokers) == 0, "the log", "kafka.brokers", "a Kafka server"},
		{c.Registry.Postgres == "", "the registry", "registry.postgres", "a PostgreSQL server"},
		{len(c.Redis.Addrs) == 0, "the online store", "redis.addrs", "a Redis server"},
	}
	for _, name := range c.OnlineStores.names() {
		key := "online_stores." + name
		parts = append(parts, part{len(c.OnlineStores[name].Addrs) == 0, "the online store " + name, key + ".addrs", "a Redis server"})
	}
	var errs []error
	for _, part := range parts {
		if part.embedded {
			errs = append(errs, fmt.Errorf("target %s: %s is embedded, and other processes cannot reach it: set %s to %s, or run -target=all", target, part.what, part.key, part.use))
		}
	}
	return errors.Join(errs...)
}
