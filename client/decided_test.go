package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// answers is a server that a client asks in this process.
type answers func(*http.Request) (string, error)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	text, err := a(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

// lateClient is a client of a server that answers for a window when the caller's time is
// just over, with page, and for its verdict after thinking.
func lateClient(t *testing.T, page string, thinking time.Duration) *Client {
	c, err := Dial(Config{Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	c.http.Transport = answers(func(r *http.Request) (string, error) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/windows"):
			<-r.Context().Done()
			return page, nil
		case strings.Contains(r.URL.Path, "/verdicts/"):
			select {
			case <-time.After(thinking):
				return `{"id":"vd_1","state":"fail","decision":"reject"}`, r.Context().Err()
			case <-r.Context().Done():
				return "", r.Context().Err()
			}
		}
		return `{"name":"v","window":{"lateness":"0s"}}`, nil
	})
	return c
}

const judgedPage = `{"items":[{"state":"judged","version":7,"verdict":"vd_1"}]}`

// TestJudgedAtTheDeadline prefers a judgement that comes with the end of the time that was
// waited to saying that there is none.
func TestJudgedAtTheDeadline(t *testing.T) {
	for name, tc := range map[string]struct {
		page     string
		thinking time.Duration
		decision string
		none     bool
	}{
		"judged":                 {judgedPage, 0, "reject", false},
		"the verdict takes time": {judgedPage, lastRead / 2, "reject", false},
		"no row was accepted":    {`{"items":[],"partitions":{"0":{"offset":9,"watermark":"2027-01-01T00:00:00Z"}}}`, 0, "none", false},
		"open":                   {`{"items":[{"state":"open"}]}`, 0, "", true},
		"not known":              {`{"items":[],"partitions":{"0":{"offset":1,"watermark":"2026-01-01T00:00:00Z"}}}`, 0, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := lateClient(t, tc.page, tc.thinking)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				pushed := &Pushed{View: "v", Offsets: map[string][2]int64{"0": {1, 3}}, Windows: []PushedWindow{{Start: time.Unix(0, 0), End: time.Unix(300, 0)}}}
				err := c.Judged(ctx, pushed)
				if errors.Is(err, ErrNoNews) != tc.none || (err != nil) != tc.none || pushed.Windows[0].Decision != tc.decision {
					t.Errorf("Judged: %v, %+v, want decision %q, no news %t", err, pushed.Windows[0], tc.decision, tc.none)
				}
			})
		})
	}
}

// TestJudgedEnds does not outlast a caller that cancels, nor wait for a verdict for ever.
func TestJudgedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := lateClient(t, judgedPage, time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begun := time.Now()
		err := c.Judged(ctx, &Pushed{View: "v", Windows: []PushedWindow{{}}})
		if took := time.Since(begun); !errors.Is(err, ErrNoNews) || !strings.Contains(err.Error(), "its verdict was not read") || took != time.Minute+lastRead {
			t.Errorf("Judged of a server that does not give the verdict: %v after %s", err, took)
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		begun = time.Now()
		err = c.Judged(ctx, &Pushed{View: "v", Windows: []PushedWindow{{}}})
		if took := time.Since(begun); !errors.Is(err, context.Canceled) || took != time.Second {
			t.Errorf("Judged that was cancelled: %v after %s", err, took)
		}
	})
}
