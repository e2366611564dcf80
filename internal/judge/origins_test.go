package judge

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"sluice/rules"
)

// Origins are stored beside a verdict and survive; what is no reason of it is passed over.
func TestOrigins(t *testing.T) {
	o := Origins{Format: originsFormat, First: map[int]map[string]int64{1: {"w/0": 7}, 9: {"w/0": 8}}}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeOrigins(text)
	if err != nil || !reflect.DeepEqual(again, o) {
		t.Fatalf("DecodeOrigins(%s) = %+v, %v", text, again, err)
	}
	v := rules.Verdict{Reasons: make([]rules.Reason, 2)}
	again.Write(&v)
	if v.Reasons[0].FirstOffset != nil || v.Reasons[1].FirstOffset["w/0"] != 7 || v.FirstOffsetNote != "" {
		t.Errorf("written: %+v", v)
	}
	none := NoOrigins("gone")
	none.Write(&v)
	if v.FirstOffsetNote != "gone" {
		t.Errorf("note %q", v.FirstOffsetNote)
	}
	for _, text := range []string{"", "[]", "{}", `{"format":2}`, `{"format":1,"first":{"x":{}}}`} {
		if _, err := DecodeOrigins([]byte(text)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("DecodeOrigins(%q) = %v, want ErrCorrupt", text, err)
		}
	}
}
