package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sluice/feature"
	"sluice/internal/auth"
)

// memoryLetters keeps dead letters in memory.
type memoryLetters struct {
	items []DeadLetter
	sent  map[LetterPlace][]LetterPlace
	err   error
	lost  error // of a Replay, after it took effect
}

func (l *memoryLetters) List(_ context.Context, f LetterFilter, _ string, limit int) (items []DeadLetter, next string, err error) {
	for _, d := range l.items {
		if (f.View == "" || f.View == d.View) && (f.Kind == "" || f.Kind == d.Kind) && (f.Reason == "" || f.Reason == d.Reason) && !d.At.Before(f.Since) && len(items) < limit {
			items = append(items, d)
		}
	}
	return items, "", l.err
}

func (l *memoryLetters) Find(_ context.Context, at LetterPlace) (DeadLetter, []LetterPlace, error) {
	for _, d := range l.items {
		if at == (LetterPlace{d.Topic, d.Partition, d.Offset}) {
			return d, l.sent[at], l.err
		}
	}
	return DeadLetter{}, nil, fmt.Errorf("letter %s: %w", at, feature.ErrNotFound)
}

func (l *memoryLetters) Replay(ctx context.Context, r Replay) (letters []ReplayedLetter, next string, err error) {
	items, _, err := l.List(ctx, r.Select, "", 1000)
	var places []LetterPlace
	var sent []ReplayedLetter
	for _, d := range items {
		at := LetterPlace{d.Topic, d.Partition, d.Offset}
		if len(r.Records) > 0 && r.Records[0] != at {
			continue
		}
		out := ReplayedLetter{Record: at.String(), View: d.View, Reason: d.Reason, Outcome: "replayed"}
		if len(l.sent[at]) > 0 && !r.Again {
			out.Outcome = "already"
		} else {
			places, sent = append(places, at), append(sent, out)
		}
		letters = append(letters, out)
	}
	if err != nil || r.DryRun || len(places) == 0 {
		return letters, "", err
	}
	if err := r.Before(ctx, sent); err != nil {
		return nil, "", err
	}
	for i, at := range places {
		to := LetterPlace{at.Topic, at.Partition, 100 + at.Offset}
		l.sent[at] = append(l.sent[at], to)
		at := slices.IndexFunc(letters, func(x ReplayedLetter) bool { return x.Record == sent[i].Record })
		letters[at].To = to.String()
	}
	return letters, "", l.lost
}

func withLetters(t *testing.T, change func(*Deps)) *platform {
	p := newPlatform(t, change)
	p.letters = memoryLetters{sent: map[LetterPlace][]LetterPlace{}, items: []DeadLetter{
		{Topic: "sluice.writes", Offset: 3, Kind: "quarantined", Reason: feature.CodeExpect, View: "pay", Bytes: []byte("x"), Size: 1},
		{Topic: "sluice.writes", Partition: 1, At: minute(9).Start, Kind: "dead_lettered", Reason: feature.CodeDecode},
	}}
	return p
}

func TestDeadLettersEndpoint(t *testing.T) {
	p := withLetters(t, nil)
	letter := `{"topic":"sluice.writes","partition":0,"offset":3,"at":"0001-01-01T00:00:00Z","kind":"quarantined","reason":"expect","view":"pay","feature":"","text":"","bytes":"eA==","size":1`
	p.want("GET", "/api/v1/deadletters?reason=expect&view=pay&kind=quarantined", "", 200, `{"items":[`+letter+`}],"next":""}`)
	p.want("GET", "/api/v1/deadletters?since=2024-01-01T00:10:00Z", "", 200, `{"items":[],"next":""}`)
	p.want("GET", "/api/v1/deadletters?since=lately", "", 400, `{"error":{"code":"invalid_argument","message":"since \"lately\""...`)
	p.want("GET", "/api/v1/deadletters?kind=quarantine", "", 400, `{"error":{"code":"invalid_argument","message":"kind \"quarantine\"","hint":"want quarantined or dead_lettered"}}`)
	p.want("GET", "/api/v1/deadletters?reason=expected", "", 400, `{"error":{"code":"invalid_argument","message":"reason \"expected\"","hint":"want decode, type, invalid_argument, unknown_view, unknown_feature, too_large, future, expect or not_finite"}}`)
	p.want("GET", "/api/v1/deadletters?reason=conflict", "", 400, `{"error":{"code":"invalid_argument","message":"reason \"conflict\""...`) // a code, but of no letter
	p.want("GET", "/api/v1/deadletters/sluice.writes/0/3", "", 200, letter+`,"replays":[]}`)
	p.want("GET", "/api/v1/deadletters/sluice.writes/0/4", "", 404, `{"error":{"code":"invalid_argument","message":"dead letter \"sluice.writes/0/4\": not found"...`)
	p.want("GET", "/api/v1/deadletters/sluice.writes/x/4", "", 400, `{"error":{"code":"invalid_argument","message":"partition \"x\""...`)
	p.want("GET", "/api/v1/deadletters/sluice.writes/0/-1", "", 400, `{"error":{"code":"invalid_argument","message":"offset \"-1\""...`)
}

func TestReplayEndpoint(t *testing.T) {
	p := withLetters(t, nil)
	const path = "/api/v1/deadletters/replay"
	p.want("POST", path, `{"all":true}`, 400, `{"error":{"code":"invalid_argument","message":"reason is missing"...`)
	p.want("POST", path, `{"reason":"mended","select":{"kind":"dead"}}`, 400, `{"error":{"code":"invalid_argument","message":"kind \"dead\""...`)
	p.want("POST", path, `{"reason":"mended","select":{"reason":"expected"}}`, 400, `{"error":{"code":"invalid_argument","message":"reason \"expected\""...`)
	p.want("POST", path, `{"reason":"mended"}`, 400, `{"error":{"code":"invalid_argument","message":"nothing is chosen"...`)
	p.want("POST", path, `{"reason":"mended","records":["a/b"]}`, 400, `{"error":{"code":"invalid_argument","message":"record \"a/b\""...`)
	p.want("POST", path, `{"reason":"mended","all":true,"limit":1001}`, 413, `{"error":{"code":"limit"...`)
	p.want("POST", path, `{"all":true,"dry_run":true}`, 200, `{"replayed":2,"already":0,"failed":0,"audit":"","items":[{"record":"sluice.writes/0/3","view":"pay","reason":"expect","outcome":"replayed","to":"","text":""}...`)
	_, body := p.do("POST", path, `{"records":["sluice.writes/0/3"],"by":"eve","reason":"mended"}`)
	var first struct{ Audit string }
	if err := json.Unmarshal([]byte(body), &first); err != nil || first.Audit == "" || !strings.Contains(body, `"replayed":1`) || !strings.Contains(body, `"to":"sluice.writes/0/103"`) {
		t.Errorf("replay of one = %s, want it replayed and an audit row", body)
	}
	rows, _, err := p.registry.AuditLog(t.Context(), "", 0)
	if err != nil || len(rows) != 1 || rows[0].ID != first.Audit || rows[0].By != "eve" || rows[0].Action != "replay" || rows[0].Reason != "mended" ||
		string(rows[0].After) != `{"again":false,"replayed":["sluice.writes/0/3"]}` {
		t.Errorf("audit log = %+v (%v), want who replayed what and why", rows, err)
	}
	p.want("POST", path, `{"select":{"view":"pay"},"reason":"mended"}`, 200, `{"replayed":0,"already":1,"failed":0,"audit":"","items":[{"record":"sluice.writes/0/3","view":"pay","reason":"expect","outcome":"already"...`)
	p.want("GET", "/api/v1/deadletters/sluice.writes/0/3", "", 200, `{"topic":"sluice.writes",...`)
	if _, body := p.do("GET", "/api/v1/deadletters/sluice.writes/0/3", ""); !strings.HasSuffix(body, `"replays":["sluice.writes/0/103"]}`) {
		t.Errorf("show = %s, want where it was sent again", body)
	}
}

// mute is a registry that takes no audit rows.
type mute struct{ Registry }

func (mute) WriteAudit(context.Context, feature.Audit) error {
	return fmt.Errorf("lost: %w", feature.ErrUnavailable)
}

// Nothing is sent of which the audit log does not say so, also if the process does not come
// to say anything afterwards.
func TestReplayIsNotedBefore(t *testing.T) {
	const path, body = "/api/v1/deadletters/replay", `{"all":true,"by":"eve","reason":"mended"}`
	p := withLetters(t, func(d *Deps) { d.Registry = mute{d.Registry} })
	if status, answer := p.do("POST", path, body); status != http.StatusServiceUnavailable || len(p.letters.sent) != 0 {
		t.Errorf("replay without an audit log = %d %s, and %d letters are sent, want none", status, answer, len(p.letters.sent))
	}
	p = withLetters(t, nil)
	p.letters.lost = fmt.Errorf("lost: %w", feature.ErrUnavailable)
	if status, answer := p.do("POST", path, body); status != http.StatusServiceUnavailable || len(p.letters.sent) != 2 {
		t.Fatalf("replay whose answer is lost = %d %s, and %d letters are sent, want 503 and both", status, answer, len(p.letters.sent))
	}
	rows, _, err := p.registry.AuditLog(t.Context(), "", 0)
	if err != nil || len(rows) != 2 || rows[0].Action != "replay" || rows[0].By != "eve" || !strings.Contains(string(rows[0].After), "sluice.writes/0/3") ||
		rows[1].Action != "replay_failed" || !strings.Contains(rows[1].Reason, rows[0].ID) {
		t.Errorf("audit log = %+v (%v), want who replayed what, and that its end is not known", rows, err)
	}
}

// Readers see dead letters; operators alone send them again.
func TestReplayRoles(t *testing.T) {
	p := withLetters(t, func(d *Deps) {
		d.Authorize = func(token string, need auth.Role) (string, error) {
			has := map[string]auth.Role{"r": auth.Reader, "w": auth.Writer, "o": auth.Operator}[token]
			if has < need || has == 0 {
				return "", &feature.Error{Code: feature.CodeForbidden, Message: "no"}
			}
			return token, nil
		}
	})
	for name, tc := range map[string]struct {
		token, method, path string
		want                int
	}{
		"reader lists":     {"r", "GET", "/api/v1/deadletters", 200},
		"reader shows":     {"r", "GET", "/api/v1/deadletters/sluice.writes/0/3", 200},
		"nobody lists":     {"", "GET", "/api/v1/deadletters", 403},
		"reader replays":   {"r", "POST", "/api/v1/deadletters/replay", 403},
		"writer replays":   {"w", "POST", "/api/v1/deadletters/replay", 403},
		"operator replays": {"o", "POST", "/api/v1/deadletters/replay", 200},
	} {
		t.Run(name, func(t *testing.T) {
			body := ""
			if tc.method == http.MethodPost {
				body = `{"all":true,"reason":"mended","by":"somebody else"}`
			}
			if status, answer := p.do(tc.method, tc.path, body, "Authorization", "Bearer "+tc.token); status != tc.want {
				t.Errorf("%s %s = %d %s, want %d", tc.method, tc.path, status, answer, tc.want)
			}
		})
	}
	rows, _, err := p.registry.AuditLog(t.Context(), "", 0)
	if err != nil || len(rows) != 1 || rows[0].By != "o" {
		t.Errorf("audit log = %+v (%v), want one row by the token's name", rows, err)
	}
}
