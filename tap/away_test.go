package tap

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/feature"
)

// A log whose broker is gone says that it does not answer now, which is no fault of who
// asks and not of the platform either.
func TestBrokerAway(t *testing.T) {
	broker, err := StartBroker(BrokerConfig{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	log, err := NewLog(LogConfig{Brokers: broker.Addrs(), Topics: DefaultTopics()})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if err := broker.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, _, err := log.FindLetters(ctx, LetterFilter{}, "", 10); !errors.Is(err, feature.ErrUnavailable) {
		t.Errorf("FindLetters without a broker = %v, want %v", err, feature.ErrUnavailable)
	}
}
