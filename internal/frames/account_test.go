package frames

import (
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// script writes frames to memory and gives them to an account in parts of any size.
type script struct {
	account *account
	framer  *http2.Framer
	at      time.Time
	part    int
	ended   bool
}

func newScript(most, part int) *script {
	s := &script{at: time.Unix(1e9, 0), part: part}
	s.account = newAccount(most, func() time.Time { return s.at })
	s.framer = http2.NewFramer(s, nil)
	_, _ = s.Write([]byte(http2.ClientPreface))
	return s
}

func (s *script) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n := min(s.part, len(rest))
		s.ended = s.ended || !s.account.read(rest[:n])
		rest = rest[n:]
	}
	return len(b), nil
}

// TestAccount sends what clients and attackers send, n times.
func TestAccount(t *testing.T) {
	type step func(s *script, f *http2.Framer, i uint32) error
	call := func(_ *script, f *http2.Framer, i uint32) error {
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: make([]byte, 60), EndHeaders: true})
	}
	all := func(steps ...step) step {
		return func(s *script, f *http2.Framer, i uint32) error {
			for _, step := range steps {
				if err := step(s, f, i); err != nil {
					return err
				}
			}
			return nil
		}
	}
	data := func(n int) step {
		return func(_ *script, f *http2.Framer, i uint32) error { return f.WriteData(2*i+1, false, make([]byte, n)) }
	}
	reset := func(_ *script, f *http2.Framer, i uint32) error { return f.WriteRSTStream(2*i+1, http2.ErrCodeCancel) }
	update := func(_ *script, f *http2.Framer, i uint32) error { return f.WriteWindowUpdate(0, 1000) }
	ping := func(_ *script, f *http2.Framer, i uint32) error { return f.WritePing(false, [8]byte{}) }
	settings := func(_ *script, f *http2.Framer, i uint32) error { return f.WriteSettings() }
	answered := func(n int64) step {
		return func(s *script, _ *http2.Framer, _ uint32) error { s.account.sent.Add(n); return nil }
	}
	after := func(d time.Duration) step {
		return func(s *script, _ *http2.Framer, _ uint32) error { s.at = s.at.Add(d); return nil }
	}
	every := func(n uint32, step step) step {
		return func(s *script, f *http2.Framer, i uint32) error {
			if i%n == 0 {
				return step(s, f, i)
			}
			return nil
		}
	}
	for name, tc := range map[string]struct {
		n    uint32
		step step
		ends bool
	}{
		"calls":                               {3_000, all(call, data(100)), false},
		"calls with all that clients add":     {3_000, all(call, data(100), data(0), update, update, ping), false},
		"one call in four is reset":           {3_000, all(call, data(100), every(4, reset)), false},
		"a long message":                      {3_000, data(16 << 10), false},
		"long answers":                        {3_000, all(update, update, answered(16<<10)), false},
		"frames at their rate":                {20_000, all(ping, after(10*time.Millisecond)), false},
		"calls that are reset, seldom":        {5_000, all(call, reset, after(100*time.Millisecond)), false},
		"calls that are reset as they arrive": {1_000, all(call, reset), true},
		"headers of one and a half KiB": {3_000, func(_ *script, f *http2.Framer, i uint32) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: make([]byte, 1500), EndHeaders: true})
		}, false},
		"headers that fill their frames": {30, func(_ *script, f *http2.Framer, i uint32) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: make([]byte, 16<<10), EndHeaders: true})
		}, true},
		"settings":                          {1_500, settings, true},
		"pings, a hundred times their rate": {1_500, all(ping, after(100*time.Microsecond)), true},
		"window updates":                    {1_500, update, true},
		"data of a byte":                    {1_500, data(1), true},
		"a header without end": {1_500, func(_ *script, f *http2.Framer, i uint32) error {
			if i == 0 {
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1})
			}
			return f.WriteContinuation(1, false, nil)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, part := range []int{1, 7, 8 << 10} {
				s := newScript(1000, part)
				for i := range tc.n {
					if err := tc.step(s, s.framer, i); err != nil {
						t.Fatal(err)
					}
				}
				if s.ended != tc.ends {
					t.Errorf("in parts of %d bytes: ended %v, want %v; %d left", part, s.ended, tc.ends, s.account.left)
				}
			}
		})
	}
}

// BenchmarkAccount takes account of the frames of a call.
func BenchmarkAccount(b *testing.B) {
	s := newScript(1000, 8<<10)
	frames := []byte{0, 0, 60, kindHeaders, 4, 0, 0, 0, 1}
	frames = append(frames, make([]byte, 60)...)
	frames = append(append(frames, 0, 0, 50, kindData, 1, 0, 0, 0, 1), make([]byte, 50)...)
	b.ReportAllocs()
	for b.Loop() {
		s.account.read(frames)
	}
}
