package tap

import (
	"bufio"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// listen takes connections until the test ends, and hands each to serve.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			go serve(conn)
		}
	}()
	return l.Addr().String()
}

// What is no broker is named as that at once, or within seconds if it says nothing; one broker
// that answers is enough.
func TestReach(t *testing.T) {
	silent := listen(t, func(net.Conn) {})
	http := listen(t, func(conn net.Conn) {
		if _, err := bufio.NewReader(conn).Peek(1); err == nil {
			conn.Write([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"))
		}
	})
	broker, err := StartBroker(BrokerConfig{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { broker.Close() })
	for name, tc := range map[string]struct {
		at     []string
		want   string // in the error; empty: none
		silent bool
	}{
		"a broker":                  {broker.Addrs(), "", false},
		"one broker beside silence": {[]string{silent, broker.Addrs()[0]}, "", false},
		"HTTP":                      {[]string{http}, "HTTP", false},
		"silence":                   {[]string{silent}, silent + ": no answer in Kafka's protocol", true},
		"silence beside HTTP":       {[]string{http, silent}, "no answer in Kafka's protocol", true},
	} {
		t.Run(name, func(t *testing.T) {
			log, err := NewLog(LogConfig{Brokers: tc.at, Topics: DefaultTopics()})
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			began := time.Now()
			err = log.Reach(t.Context())
			if took := time.Since(began); took > 2*reachTime {
				t.Errorf("Reach took %s", took)
			}
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) || errors.Is(err, ErrSilent) != tc.silent {
				t.Errorf("Reach = %v, want %q, of silence %v", err, tc.want, tc.silent)
			}
		})
	}
}
