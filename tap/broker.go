package tap

import (
	"fmt"
	"net"
	"strconv"

	"github.com/twmb/franz-go/pkg/kfake"
)

// BrokerConfig says how the in-process broker runs.
type BrokerConfig struct {
	Listen     string `yaml:"listen"` // host:port; port 0 takes a free one
	Data       string `yaml:"data"`   // directory; empty keeps everything in memory
	SyncWrites bool   `yaml:"sync"`   // writes are on the disk before they are acknowledged
}

// Broker is a Kafka broker in this process: one node, no replicas, every client
// of the protocol may use it. It is for trials and tests.
type Broker struct {
	cluster *kfake.Cluster
	addrs   []string
}

// StartBroker starts a broker on what cfg.Data holds. It creates no topics.
func StartBroker(cfg BrokerConfig) (*Broker, error) {
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("start broker: listen %q: %w", cfg.Listen, err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("start broker: listen %q: port: %w", cfg.Listen, err)
	}
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(n),
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return net.Listen(network, net.JoinHostPort(host, port))
		}),
		kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": "60000"}),
	}
	if cfg.Data != "" {
		if err := mendIndexes(cfg.Data); err != nil {
			return nil, fmt.Errorf("start broker in %q: %w", cfg.Data, err)
		}
		opts = append(opts, kfake.DataDir(cfg.Data))
	}
	if cfg.SyncWrites {
		opts = append(opts, kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("start broker on %s in %q: %w", cfg.Listen, cfg.Data, err)
	}
	return &Broker{cluster, cluster.ListenAddrs()}, nil
}

// Addrs returns the addresses that the broker listens on, as host:port.
func (b *Broker) Addrs() []string { return b.addrs }

// Close stops the broker and writes its state to the data directory. Clients
// should be closed first.
func (b *Broker) Close() error {
	b.cluster.Close()
	return nil
}
