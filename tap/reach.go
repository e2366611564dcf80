package tap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// reachTime is how long brokers may take for their first answer.
const reachTime = 5 * time.Second

// ErrSilent reports addresses that take connections and do not answer as brokers do.
var ErrSilent = errors.New("no answer in Kafka's protocol: something else may be listening there, or a broker that wants TLS or stands still")

// Reach asks all brokers that the log was opened with at once, and returns when one has
// answered: without it what is no Kafka is asked again and again before anybody is told. The
// error is ErrSilent if some were connected to and said nothing for 5 s.
func (l *Log) Reach(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	seeds := l.client.SeedBrokers()
	answers := make(chan error, len(seeds))
	for _, broker := range seeds {
		go func() {
			_, err := broker.Request(asking, kmsg.NewPtrApiVersionsRequest())
			answers <- err
		}()
	}
	var last error
	for range seeds {
		err := <-answers
		if err == nil {
			return nil
		}
		if last == nil || errors.Is(err, context.DeadlineExceeded) {
			last = err
		}
	}
	at := strings.Join(l.cfg.Brokers, ",")
	if ctx.Err() == nil && errors.Is(last, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w (waited %s)", at, ErrSilent, reachTime)
	}
	return fmt.Errorf("reach %s: %w", at, last)
}
