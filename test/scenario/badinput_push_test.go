package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

// card is a row of the view strict as a file has it.
type card struct {
	ID        string    `parquet:"id"`
	EventTime time.Time `parquet:"event_time,timestamp(microsecond)"`
	Amount    float64   `parquet:"amount"`
	Country   string    `parquet:"country"`
	Score     float64   `parquet:"score"`
	EventID   string    `parquet:"event_id"`
}

const cardHeader = "id,event_time,amount,country,score,event_id\n"

// cards returns good rows of window i.
func cards(i int) (rows []card) {
	for j := range cleanRows {
		rows = append(rows, card{fmt.Sprintf("c%d", j), windowStart(i).Add(time.Duration(j) * time.Second), float64(j % 100), []string{"DE", "FR"}[j%2], .5, fmt.Sprintf("w%d-%d", i, j)})
	}
	return rows
}

func parquetOf(rows []card) []byte {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[card](&b)
	if _, err := w.Write(rows); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func csvOf(rows []card) string {
	text := cardHeader
	for _, r := range rows {
		text += fmt.Sprintf("%s,%s,%v,%s,%v,%s\n", r.ID, r.EventTime.Format(time.RFC3339), r.Amount, r.Country, r.Score, r.EventID)
	}
	return text
}

func jsonlOf(rows []card) string {
	text := ""
	for _, r := range rows {
		text += fmt.Sprintf(`{"id":%q,"event_time":%q,"amount":%v,"country":%q,"score":%v,"event_id":%q}`+"\n", r.ID, r.EventTime.Format(time.RFC3339), r.Amount, r.Country, r.Score, r.EventID)
	}
	return text
}

// lying returns a Parquet file whose footer says that it is n bytes long.
func lying(file []byte, n uint32) string {
	file = bytes.Clone(file)
	copy(file[len(file)-8:], []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
	return string(file)
}

// pushed is what `push --format json` prints.
type pushed struct {
	View    string
	Sent    int
	Offsets map[string][2]int64
	Windows []struct {
		Start, End               time.Time
		Version                  int
		State, Decision, Verdict string
	}
}

// pushFile runs push and reads what it prints; a push that prints nothing gives zero.
func (h *house) pushFile(t *testing.T, args ...string) (outcome, pushed) {
	t.Helper()
	o := h.command(t, append([]string{"push", "--format", "json"}, args...)...)
	var p pushed
	if o.out == "" {
		return o, p
	}
	dec := json.NewDecoder(strings.NewReader(o.out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil || dec.More() {
		t.Errorf("push %v: %s, want one document of the contract's form (%v)", args, o, err)
	}
	return o, p
}

// TestBadPush pushes files that cannot be read, or hold bad rows.
func TestBadPush(t *testing.T) {
	h := openHouse(t)
	h.apply(badDefinitions)
	var want tally
	t.Run("refused", func(t *testing.T) { h.refusedFiles(t) })
	if got := h.counts(t); got != want {
		t.Errorf("accounting after files that were refused %+v, want nothing", got)
	}
	t.Run("bad rows", func(t *testing.T) { h.badRowsOfFiles(t, &want) })
	t.Run("judged", func(t *testing.T) { h.judgedFiles(t, &want) })
	t.Run("again", func(t *testing.T) { h.pushedAgain(t, &want) })
}

// refusedFiles pushes what counts nothing.
func (h *house) refusedFiles(t *testing.T) {
	good := parquetOf(cards(0))
	page := bytes.Clone(good)
	for i := 40; i < len(page)/2; i++ {
		page[i] ^= 0x5a
	}
	for name, tc := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"missing":                 {[]string{"strict", h.dir + "/none.csv"}, 1, []string{"none.csv", "no such file"}},
		"a folder":                {[]string{"strict", h.dir}, 1, []string{"unsupported format"}},
		"another extension":       {[]string{"strict", h.write("rows.xlsx", "PK")}, 1, []string{"rows.xlsx"}},
		"empty Parquet":           {[]string{"strict", h.write("empty.parquet", "")}, 1, []string{"empty.parquet"}},
		"no Parquet":              {[]string{"strict", h.write("text.parquet", csvOf(cards(0)))}, 1, []string{"text.parquet"}},
		"only the marks":          {[]string{"strict", h.write("marks.parquet", "PAR1PAR1")}, 1, []string{"marks.parquet"}},
		"truncated":               {[]string{"strict", h.write("half.parquet", string(good[:len(good)/2]))}, 1, []string{"half.parquet"}},
		"last byte missing":       {[]string{"strict", h.write("last.parquet", string(good[:len(good)-1]))}, 1, []string{"last.parquet"}},
		"footer beyond the file":  {[]string{"strict", h.write("beyond.parquet", lying(good, 1<<31-1))}, 1, []string{"beyond.parquet"}},
		"footer of 4 GiB":         {[]string{"strict", h.write("huge.parquet", lying(good, 1<<32-1))}, 1, []string{"huge.parquet"}},
		"footer of nothing":       {[]string{"strict", h.write("zero.parquet", lying(good, 0))}, 1, []string{"zero.parquet"}},
		"footer of the body":      {[]string{"strict", h.write("body.parquet", lying(good, uint32(len(good)-12)))}, 1, []string{"body.parquet"}},
		"damaged pages":           {[]string{"strict", h.write("pages.parquet", string(page))}, 1, []string{"pages.parquet"}},
		"empty CSV":               {[]string{"strict", h.write("empty.csv", "")}, 1, []string{"empty.csv", "header"}},
		"CSV with a column twice": {[]string{"strict", h.write("twice.csv", "id,id\na,b\n")}, 1, []string{"twice.csv", "twice"}},
		"CSV column of no name":   {[]string{"strict", h.write("unnamed.csv", "id,,amount\na,b,1\n")}, 1, []string{"unnamed.csv", "column 2"}},
		"unknown view":            {[]string{"stritc", h.write("good.csv", csvOf(cards(0)))}, 1, []string{"stritc", "strict"}},
		"no file named":           {[]string{"strict"}, 2, []string{"--help"}},
		"timeout of no duration":  {[]string{"strict", h.dir, "--timeout", "soon"}, 2, []string{"timeout"}},
		"no server":               {[]string{"strict", h.write("good.csv", csvOf(cards(0))), "--server", "http://127.0.0.1:9"}, 1, []string{"127.0.0.1:9", "is it running?"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"push", "--server", *h.base.Load(), "--format", "json"}, tc.args...)
			o := once(t, args...)
			if o.code != tc.code || o.out != "" || strings.Contains(o.errout, "goroutine ") {
				t.Errorf("push %v: %s, want exit %d and no output", tc.args, o, tc.code)
			}
			for _, part := range tc.says {
				if !strings.Contains(o.errout, part) {
					t.Errorf("push %v: %s, want %q in its errors", tc.args, o, part)
				}
			}
		})
	}
}

// badRowsOfFiles pushes files whose rows become dead letters.
func (h *house) badRowsOfFiles(t *testing.T, want *tally) {
	for _, tc := range []struct {
		name, file, text string
		code, sent       int
		fates            map[string]int
		warns            string
	}{
		{"CSV with a wrong column", "wrong.csv", strings.Replace(csvOf(cards(0)[:3]), "amount", "amuont", 1), 0, 3, map[string]int{deadLettered: 3}, "amuont"},
		{"CSV without the key", "nokey.csv", "event_time,amount\n2026-05-01T00:00:00Z,1\n", 0, 1, map[string]int{deadLettered: 1}, ""},
		{"CSV with garbage for a number", "garbage.csv", cardHeader + "a,2026-05-01T00:00:00Z,much,DE,0,\n" + "b,2026-05-01T00:00:00Z,1,DE,0,\n", 0, 2, map[string]int{deadLettered: 1, accepted: 1}, ""},
		{"CSV with a row too short", "short.csv", cardHeader + "a,2026-05-01T00:00:00Z,1,DE,0,x1\nb,2026\n", 1, 1, map[string]int{accepted: 1}, "line 3"},
		{"CSV with an open quote", "quote.csv", cardHeader + "a,2026-05-01T00:00:00Z,1,DE,0,x2\n\"b,2026", 1, 1, map[string]int{accepted: 1}, "quote.csv"},
		{"JSONL with bad lines", "bad.jsonl", "{}\nhello\n" + jsonlOf(cards(0)[:2]) + "{\"id\":\"a\"\n[]\n\n" + jsonlOf(cards(0)[2:3]) + "\xff\xfe\n", 0, 8, map[string]int{deadLettered: 5, accepted: 3}, ""},
		{"JSONL with a broken expectation", "expect.jsonl", `{"id":"a","event_time":"2026-05-01T00:00:00Z","amount":-5,"country":"DE","score":0}`, 0, 1, map[string]int{quarantined: 1}, ""},
		{"JSONL of nothing", "empty.jsonl", "", 0, 0, nil, ""},
		{"JSONL without a time", "notime.jsonl", `{"id":"a"}`, 0, 1, map[string]int{deadLettered: 1}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o, _ := h.pushFile(t, "strict", h.write(tc.file, tc.text))
			if o.code != tc.code || !strings.Contains(o.errout, tc.warns) || strings.Contains(o.errout, "goroutine ") {
				t.Errorf("push of %.80q: %s, want exit %d and %q in its errors", tc.text, o, tc.code, tc.warns)
			}
			for fate, n := range tc.fates {
				for range n {
					want.count(fate)
				}
			}
		})
	}
}

// judgedFiles waits for the windows of good and of bad files.
func (h *house) judgedFiles(t *testing.T, want *tally) {
	for i, tc := range []struct {
		name, file, text string
		code             int
		decision         string
		fate             string
	}{
		{"good CSV", "good.csv", csvOf(cards(1)), 0, "publish", accepted},
		{"good Parquet", "good.parquet", string(parquetOf(cards(2))), 0, "publish", accepted},
		{"good JSONL", "good.jsonl", jsonlOf(cards(3)), 0, "publish", accepted},
		{"broken expectations", "broken.csv", strings.ReplaceAll(csvOf(cards(4)), ",DE,", ",UK,"), 3, "reject", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o, p := h.pushFile(t, "strict", h.write(tc.file, tc.text), "--seal", "--wait", "--timeout", "30s")
			if o.code != tc.code || p.View != "strict" || p.Sent != cleanRows || len(p.Offsets) == 0 || len(p.Windows) != 1 || p.Windows[0].Decision != tc.decision ||
				p.Windows[0].Verdict == "" || p.Windows[0].Version == 0 || !p.Windows[0].Start.Equal(windowStart(i+1)) {
				t.Errorf("push of %s: %s, want exit %d, %d rows, window %d, %s", tc.file, o, tc.code, cleanRows, i+1, tc.decision)
			}
			for j := range cleanRows {
				fate := accepted
				if tc.fate == "" && j%2 == 0 {
					fate = quarantined
				}
				want.count(fate)
			}
			if tc.code == 3 && !strings.Contains(o.errout, "sluice explain") {
				t.Errorf("push of %s: %s, want it to say how to go on", tc.file, o)
			}
		})
	}
	t.Run("no row accepted", func(t *testing.T) {
		text := strings.ReplaceAll(jsonlOf(cards(5)[:3]), `"amount":`, `"amuont":`)
		o, p := h.pushFile(t, "strict", h.write("none.jsonl", text), "--seal", "--wait", "--timeout", "30s")
		if o.code != 3 || len(p.Windows) != 1 || p.Windows[0].Decision != "none" || !strings.Contains(o.errout, "deadletters") {
			t.Errorf("push of rows that are all dead letters: %s, want exit 3, decision none and where to look", o)
		}
		want.Received, want.DeadLettered = want.Received+3, want.DeadLettered+3
	})
	h.addsUpTo(t, *want)
	t.Run("not sealed", func(t *testing.T) {
		o, _ := h.pushFile(t, "strict", h.write("open.csv", csvOf(cards(6))), "--wait", "--timeout", "1s")
		if o.code != 1 || !strings.Contains(o.errout, "--seal") {
			t.Errorf("push --wait of a window that stays open: %s, want exit 1 after a second that names --seal", o)
		}
		want.Received, want.Accepted = want.Received+cleanRows, want.Accepted+cleanRows
	})
}

// pushedAgain pushes files a second time.
func (h *house) pushedAgain(t *testing.T, want *tally) {
	versions := h.versionsOf(t, "strict")
	for i, file := range []string{"good.csv", "good.parquet", "good.jsonl"} {
		t.Run(file, func(t *testing.T) {
			var before []verdict
			if v := h.verdictOf(t, "strict", i+1); v.ID != "" {
				before = append(before, v)
			}
			o, p := h.pushFile(t, "strict", h.dir+"/files/"+file, "--seal", "--wait", "--timeout", "30s")
			if o.code != 0 || p.Sent != cleanRows || len(p.Windows) != 1 || len(before) != 1 || p.Windows[0].Verdict != before[0].ID || p.Windows[0].Decision != "publish" {
				t.Errorf("push of %s again: %s, want exit 0 with the verdict there is, %+v", file, o, before)
			}
			want.Received, want.Duplicate = want.Received+cleanRows, want.Duplicate+cleanRows
		})
	}
	h.addsUpTo(t, *want)
	if after := h.versionsOf(t, "strict"); after != versions {
		t.Errorf("versions after files were pushed again\n%s\nwant them as before\n%s", after, versions)
	}
}
