package push

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	feasttypes "sluice/api/feast/types"
	"sluice/feature"
	"sluice/serving/jsonform"
)

// view is one of the tests.
var view = &feature.View{
	Name: "users", Entities: []feature.Entity{{Name: "user_id", Type: feature.Int64}},
	Features: []feature.Feature{
		{ID: 1, Name: "seen", Type: feature.Timestamp}, {ID: 2, Name: "tags", Type: feature.ListOf(feature.String)},
		{ID: 3, Name: "visits", Type: feature.ListOf(feature.Timestamp)},
	},
}

// tableOf is a push of rows of which the last one has the event time last.
func tableOf(t *testing.T, rows int, last string) (*Table, Columns) {
	t.Helper()
	ids, times := make([]string, rows), make([]string, rows)
	for i := range rows {
		ids[i], times[i] = fmt.Sprint(i), `"2026-11-23"`
	}
	times[rows-1] = last
	table, err := JSONTable([]byte(`{"user_id":[` + strings.Join(ids, ",") + `],"event_time":[` + strings.Join(times, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	columns, err := table.Columns(view)
	if err != nil {
		t.Fatal(err)
	}
	return table, columns
}

// TestRecordsInBatches pushes more rows than are made records at once: all are sent, in
// order; none, if one of them is wrong; and none after those that could not be sent.
func TestRecordsInBatches(t *testing.T) {
	const rows = 2*batch + 7
	full := errors.New("the log is full")
	for name, tc := range map[string]struct {
		last  string
		calls int // of send that succeed; then it fails
		sent  int
		err   string
	}{
		"all":             {`"2026-11-23"`, 9, rows, ""},
		"the last is bad": {`"soon"`, 9, 0, fmt.Sprintf(`column "event_time", row %d: "soon" is no time`, rows-1)},
		"ahead":           {`"2027-01-01"`, 9, 0, fmt.Sprintf(`column "event_time", row %d: too far`, rows-1)},
		"the log fails":   {`"2026-11-23"`, 1, batch, full.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			table, columns := tableOf(t, rows, tc.last)
			ahead := func(at time.Time) error {
				if at.Year() > 2026 {
					return &feature.Error{Code: feature.CodeFuture, Message: "too far"}
				}
				return nil
			}
			sent, calls := 0, 0
			err := table.Records(view, columns, true, ahead, func(records []Record) error {
				if calls++; calls > tc.calls {
					return full
				}
				for i, r := range records {
					if want := fmt.Sprintf(`{"view":"users","key":{"user_id":%d},`, sent+i); !strings.HasPrefix(string(r.Value), want) || !r.Backfill {
						t.Fatalf("record %d is %s, backfill %v, want %s", sent+i, r.Value, r.Backfill, want)
					}
				}
				if sent += len(records); len(records) > batch {
					t.Errorf("%d records at once, want at most %d", len(records), batch)
				}
				return nil
			})
			if sent != tc.sent || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%d sent, %v; want %d and %q", sent, err, tc.sent, tc.err)
			}
		})
	}
}

// TestManyColumns pushes columns of which there are so many that comparing each with each
// would take minutes.
func TestManyColumns(t *testing.T) {
	const many = 50_000
	df := []byte(`{"user_id":[1],"event_time":["2026-11-23"]`)
	for i := range many {
		df = fmt.Appendf(df, `,"c%d":[1]`, i)
	}
	table, err := JSONTable(append(df, '}'))
	if err != nil {
		t.Fatal(err)
	}
	columns, err := table.Columns(view)
	if err != nil || len(columns.Rest) != many || columns.Known(view) == nil {
		t.Errorf("%d columns are none of the view's, %v; want %d, which are refused", len(columns.Rest), err, many)
	}
	if _, err = JSONTable(append(df, `,"c49999":[1]}`...)); err == nil || !strings.Contains(err.Error(), `column "c49999" is given twice`) {
		t.Errorf("one that is given twice: %v", err)
	}
}

// TestColumnNames wants a hint that names what is needed, and not each of many features.
func TestColumnNames(t *testing.T) {
	wide := *view
	wide.Features = nil
	for i := range 500 {
		wide.Features = append(wide.Features, feature.Feature{ID: uint32(i + 1), Name: fmt.Sprintf("f%d_%s", i, strings.Repeat("x", 55)), Type: feature.Int64})
	}
	_, err := TextTable(map[string]string{"event_timestamp": "2026-11-23"}).Columns(&wide)
	var known *feature.Error
	if !errors.As(err, &known) || !strings.HasPrefix(known.Hint, "the columns are user_id, event_timestamp, f0_") || !strings.HasSuffix(known.Hint, " and 492 more") || len(known.Hint) > 2000 {
		t.Errorf("without a join key: %v (%.100s, of %d bytes)", err, known.Hint, len(known.Hint))
	}
}

// TestTypedLimits gives values at the limits of what the doors take, and beyond them.
func TestTypedLimits(t *testing.T) {
	long := strings.Repeat("x", jsonform.MaxText)
	at := func(n int64) *feasttypes.Value {
		return &feasttypes.Value{Val: &feasttypes.Value_UnixTimestampVal{UnixTimestampVal: n}}
	}
	whole := func(n int64) *feasttypes.Value {
		return &feasttypes.Value{Val: &feasttypes.Value_Int64Val{Int64Val: n}}
	}
	visits := func(n ...int64) *feasttypes.Value {
		return &feasttypes.Value{Val: &feasttypes.Value_UnixTimestampListVal{UnixTimestampListVal: &feasttypes.Int64List{Val: n}}}
	}
	tags := func(text ...string) *feasttypes.Value {
		return &feasttypes.Value{Val: &feasttypes.Value_StringListVal{StringListVal: &feasttypes.StringList{Val: text}}}
	}
	for _, tc := range []struct {
		column string
		value  *feasttypes.Value
		err    string
	}{
		{"seen", at(jsonform.MaxSecond), ""},
		{"seen", at(jsonform.MaxSecond + 1), "outside the years 1 to 9999"},
		{"seen", whole(jsonform.MinSecond), ""},
		{"seen", whole(jsonform.MinSecond - 1), "outside the years 1 to 9999"},
		{"seen", whole(-1 << 63), "outside the years 1 to 9999"},
		{"visits", visits(0, jsonform.MaxSecond), ""},
		{"visits", visits(0, 1<<62), "element 1: 4611686018427387904 seconds"},
		{"tags", tags("", long), ""},
		{"tags", tags(long, long+"x"), "element 1: 65537 bytes, more than 65536"},
	} {
		table := TypedTable(map[string]*feasttypes.Value{"user_id": whole(1), "event_timestamp": at(1_764_000_000), tc.column: tc.value})
		columns, err := table.Columns(view)
		if err != nil {
			t.Fatal(err)
		}
		err = table.Records(view, columns, false, nil, func([]Record) error { return nil })
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s of %.60v: %v, want %q", tc.column, tc.value, err, tc.err)
		}
	}
}
