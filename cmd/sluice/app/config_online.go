package app

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sluice/feature"
	"sluice/store/redis"
)

// OnlineStores are the online stores beside the one that redis names, by the name that
// views choose them by with `online`. One without addresses is embedded.
type OnlineStores map[string]RedisConfig

// UnmarshalText reads the stores from a flag, in the form of the file:
// {critical: {addrs: [HOST:PORT]}}.
func (s *OnlineStores) UnmarshalText(text []byte) error {
	if err := yaml.Unmarshal(text, s); err != nil {
		return fmt.Errorf("want {NAME: {addrs: [HOST:PORT]}}: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return nil
}

// UnmarshalYAML reads each store over the defaults of redis, so that what is left out is as
// usual, and what is 0 is 0. Keys that do not exist are refused, as in all of the file.
func (s *OnlineStores) UnmarshalYAML(node *yaml.Node) error {
	var stores map[string]yaml.Node
	if err := node.Decode(&stores); err != nil {
		return err
	}
	known := yamlKeys(reflect.TypeFor[RedisConfig]())
	*s = make(OnlineStores, len(stores))
	for name, node := range stores {
		for i := 0; node.Kind == yaml.MappingNode && i < len(node.Content); i += 2 {
			if key := node.Content[i]; !known[key.Value] {
				return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: field %s not found in type %s", key.Line, key.Value, reflect.TypeFor[RedisConfig]())}}
			}
		}
		store := defaultOnline(nil)
		if err := node.Decode(&store); err != nil {
			return err
		}
		(*s)[name] = store
	}
	return nil
}

// yamlKeys are the keys of the fields of a struct.
func yamlKeys(of reflect.Type) map[string]bool {
	keys := map[string]bool{}
	for i := range of.NumField() {
		key, _, _ := strings.Cut(of.Field(i).Tag.Get("yaml"), ",")
		keys[key] = true
	}
	return keys
}

// online returns the configuration of a named store: its rows have a prefix, always.
func (c Config) online(name string) RedisConfig {
	r := c.OnlineStores[name]
	if r.Prefix == "" {
		r.Prefix = defaultPrefix
	}
	return r
}

// names lists the stores.
func (s OnlineStores) names() []string { return slices.Sorted(maps.Keys(s)) }

// embedded reports whether any store lives in the data folder.
func (s OnlineStores) embedded() bool {
	for _, c := range s {
		if len(c.Addrs) == 0 {
			return true
		}
	}
	return false
}

// servers reports whether any online store is on servers.
func (c Config) servers() bool {
	for _, store := range c.OnlineStores {
		if len(store.Addrs) > 0 {
			return true
		}
	}
	return len(c.Redis.Addrs) > 0
}

// hasOnline returns an error unless a store of that name is configured.
func (c Config) hasOnline(v *feature.View) error {
	if _, ok := c.OnlineStores[v.Online]; ok || v.Online == "" {
		return nil
	}
	text := "it has none"
	if names := c.OnlineStores.names(); len(names) > 0 {
		text = "it has " + strings.Join(names, ", ")
	}
	return fmt.Errorf("online: %s: no such store in online_stores of the server's configuration: %s", v.Online, text)
}

// maxOnline bounds the stores: each takes connections, and a goroutine at start.
const maxOnline = 16

func (c Config) validateOnline(add func(format string, args ...any)) {
	if n := len(c.OnlineStores); n > maxOnline {
		add("online_stores: %d, and at most %d are opened", n, maxOnline)
	}
	seen := map[string]string{}
	if len(c.Redis.Addrs) > 0 {
		seen[c.Redis.place()] = "redis"
	}
	for _, name := range c.OnlineStores.names() {
		store, key := c.online(name), "online_stores."+name
		if !feature.ValidName(name) {
			add("online_stores: %q: a name has up to 63 of a-z, 0-9 and _, and begins with a letter", name)
		}
		if name == feature.DefaultOnline {
			add("%s: that is the name of the store of views that name none: it is configured by redis", key)
		}
		validateAddrs(key+".addrs", store.Addrs, add)
		store.validate(key, add)
		if len(store.Addrs) == 0 {
			continue
		}
		if other := seen[store.place()]; other != "" {
			add("%s: the same servers and prefix as %s: one store would hold the rows of both, and neither would be dedicated: give it servers of its own", key, other)
		}
		seen[store.place()] = key
	}
}

// validate returns what is wrong with the settings of a store, by the key of the store.
func (r RedisConfig) validate(key string, add func(format string, args ...any)) {
	if r.Cluster && len(r.Addrs) == 0 {
		add("%s.cluster: true without %s.addrs: name the cluster's servers", key, key)
	}
	if name := r.PasswordEnv; name != "" && os.Getenv(name) == "" {
		add("%s.password_env: %q: no such variable in the environment: put the password there", key, name)
	}
	if len(r.Addrs) == 0 {
		return
	}
	var joined interface{ Unwrap() []error }
	if err := r.store().Validate(); errors.As(err, &joined) {
		for _, one := range joined.Unwrap() {
			add("%s.%w", key, one)
		}
	}
}

// place tells stores apart.
func (r RedisConfig) place() string {
	return strings.Join(slices.Sorted(slices.Values(r.Addrs)), ",") + " " + r.MasterName + " " + r.Prefix
}

// defaultOnline is an online store at addrs whose other keys are left out.
func defaultOnline(addrs []string) RedisConfig {
	c := redis.DefaultConfig()
	return RedisConfig{Addrs: addrs, Prefix: defaultPrefix, HedgeBudget: c.HedgeBudget, MemoryLimit: c.MemoryLimit, OfflineLimit: c.OfflineLimit, ClusterFailover: c.ClusterFailover}
}

// store is the configuration of the row store.
func (r RedisConfig) store() redis.Config {
	out := redis.DefaultConfig()
	out.Addrs, out.Cluster, out.MasterName, out.Username, out.Prefix = r.Addrs, r.Cluster, r.MasterName, r.Username, r.Prefix
	out.MemoryLimit, out.OfflineLimit = r.MemoryLimit, r.OfflineLimit
	out.SyncReplicas, out.HedgeBudget, out.ClusterFailover = r.SyncReplicas, r.HedgeBudget, cmp.Or(r.ClusterFailover, out.ClusterFailover)
	if r.PasswordEnv != "" {
		out.Password = os.Getenv(r.PasswordEnv)
	}
	return out
}

// onlineFolder is where an embedded store of a name lives.
func onlineFolder(data, name string) string { return filepath.Join(data, "online", name) }
