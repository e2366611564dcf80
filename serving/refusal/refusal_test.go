package refusal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sluice/feature"
	"sluice/internal/auth"
)

// TestGRPC gives errors of every kind their status, reason and time to wait.
func TestGRPC(t *testing.T) {
	late := fmt.Errorf("%w: %w", Of(feature.CodeUnavailable, "", "the rows cannot be read"), context.DeadlineExceeded)
	for name, tc := range map[string]struct {
		err    error
		code   codes.Code
		reason string
		after  time.Duration
	}{
		"a mistake":            {Invalid("", "no"), codes.InvalidArgument, "invalid_argument", 0},
		"in a member":          {At("df", Of(feature.CodeType, "", "no")), codes.InvalidArgument, "type", 0},
		"not defined":          {Unknown(feature.CodeUnknownView, "view", "a", nil), codes.NotFound, "unknown_view", 0},
		"too many rows":        {&Rows{Limit: OverLimit("entities", 2, 1, "serve.max_entities")}, codes.ResourceExhausted, "limit", 0},
		"shed":                 {&Shed{Problem: Of(feature.CodeLimit, "", "busy"), After: 3 * time.Second}, codes.ResourceExhausted, "limit", 3 * time.Second},
		"too old":              {Final("", "old"), codes.FailedPrecondition, "unavailable", 0},
		"a deadline of ours":   {late, codes.Unavailable, "unavailable", 0},
		"the caller's":         {context.DeadlineExceeded, codes.DeadlineExceeded, "", 0},
		"the caller left":      {fmt.Errorf("read: %w", context.Canceled), codes.Canceled, "", 0},
		"nobody thought of it": {errors.New("oh"), codes.Internal, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			st := status.Convert(GRPC(tc.err))
			reason, after := "", time.Duration(0)
			for _, d := range st.Details() {
				switch d := d.(type) {
				case *errdetails.ErrorInfo:
					reason = d.Reason
				case *errdetails.RetryInfo:
					after = d.RetryDelay.AsDuration()
				}
			}
			if st.Code() != tc.code || reason != tc.reason || after != tc.after {
				t.Errorf("GRPC(%v) = %v, %q, after %v; want %v, %q, after %v", tc.err, st.Code(), reason, after, tc.code, tc.reason, tc.after)
			}
		})
	}
}

// TestHTTP wants the statuses that these kinds have in place of their code's own.
func TestHTTP(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want int
	}{
		{Invalid("", "no"), 400},
		{HTTP(http.StatusUnsupportedMediaType, Invalid("", "no")), 415},
		{At("body", HTTP(431, Of(feature.CodeLimit, "", "no"))), 431},
		{&Shed{Problem: Of(feature.CodeLimit, "", "busy")}, 429},
	} {
		var known *feature.Error
		if !errors.As(tc.err, &known) {
			t.Fatalf("%v wraps no *feature.Error", tc.err)
		}
		if got := auth.HTTPStatus(tc.err, known); got != tc.want {
			t.Errorf("status of %v = %d, want %d", tc.err, got, tc.want)
		}
	}
}

// TestQuoted shows text that is long, and no text at all.
func TestQuoted(t *testing.T) {
	for text, want := range map[string]string{
		"a\n\xff": `"a\n\xff"`, strings.Repeat("x", 64): `"` + strings.Repeat("x", 64) + `"`, strings.Repeat("x", 65): `"` + strings.Repeat("x", 64) + `"...`,
		strings.Repeat("x", 63) + "ü": `"` + strings.Repeat("x", 63) + `\xc3"...`,
	} {
		if got := Quoted(text); got != want {
			t.Errorf("Quoted(%q) = %s, want %s", text, got, want)
		}
	}
	names := strings.Split("a b c d e f g h i j k l", " ")
	if got := SomeOf(names); got != "a, b, c, d, e, f, g, h, i, j and 2 more" {
		t.Errorf("SomeOf of twelve = %s", got)
	}
	if got := SomeOf(names[:2]); got != "a, b" {
		t.Errorf("SomeOf of two = %s", got)
	}
}
