package tap

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

const testCard = "4111111111111111" // of Visa's own tests

// cards is a view whose rows must hold tokens.
func cards() feature.View {
	v := delays()
	v.Name = "cards"
	v.Features = []feature.Feature{
		{Name: "card", Type: feature.String, Expect: feature.Expect{Token: true}},
		{Name: "blob", Type: feature.Bytes, Expect: feature.Expect{Token: true}},
		{Name: "amount", Type: feature.Float64, Expect: feature.Expect{Min: ptr(0)}},
	}
	v.Expect = []feature.Expectation{{Name: "known", Expr: `card == null || card != "unknown"`}}
	return v
}

// No card number is in any part of a dead letter of a topic with a view that wants
// tokens, whatever the record was refused for, and what is replayed is the record
// itself.
func TestLettersShowNoCard(t *testing.T) {
	r := newRig(t, 1, cards(), delays())
	r.start()
	record := func(view, values string) Out {
		return Out{
			Key: []byte("k" + testCard), Headers: []Header{{"trace", []byte("of 4111 1111 1111 1111")}},
			Value: fmt.Appendf(nil, `{"view":%q,"key":{"carrier":"UA"},"event_time":"2024-05-06T12:00:01Z","values":{%s}}`, view, values),
		}
	}
	cases := []struct {
		out    Out
		reason feature.Code
		masked string
		text   string
	}{
		{record("cards", `"card":"`+testCard+`"`), feature.CodeExpect, maskedDigits, "view cards, feature card: card: holds what may be a payment card number, and must be a token"},
		{record("cards", `"card":"4111 1111 1111 1111"`), feature.CodeExpect, maskedDigits, "must be a token"},
		{record("cards", `"card":"\u0034111111111111111"`), feature.CodeExpect, maskedValue, "must be a token"},
		{record("cards", `"blob":"NDExMTExMTExMTExMTExMQ=="`), feature.CodeExpect, maskedValue, "feature blob"},
		{record("cards", `"card":"tok_1","amount":-1`), feature.CodeExpect, maskedDigits, "amount: -1 is below min 0"},
		{record("cards", `"card":"unknown"`), feature.CodeExpect, maskedDigits, "view cards: expectation known: expr"},
		{record("cards", `"amount":"`+testCard+`"`), feature.CodeType, maskedDigits, "amount"},
		{record("delays", `"delay":"`+testCard+`"`), feature.CodeType, maskedDigits, "delay"},
		{record(testCard, `"x":1`), feature.CodeUnknownView, maskedDigits, "not defined"},
	}
	for _, c := range cases {
		r.send("sluice.writes", c.out)
	}
	r.send("sluice.writes", record("cards", `"card":"tok_9f2c","amount":1`))
	if counts := r.drain(); counts.Accepted != 1 || counts.Quarantined+counts.DeadLettered != uint64(len(cases)) {
		t.Fatalf("counts = %+v, want 1 accepted and %d refused", counts, len(cases))
	}
	letters := r.letters()
	for i, l := range letters {
		c := cases[i]
		if l.Masked != c.masked || l.Reason != c.reason || !strings.Contains(l.Text, c.text) {
			t.Errorf("letter %d is masked %q for %s: %s, want %q for %s: %s", i, l.Masked, l.Reason, l.Text, c.masked, c.reason, c.text)
		}
		if (l.Masked == maskedValue) != (len(l.Bytes) == 0) || l.Size != len(c.out.Value) {
			t.Errorf("letter %d holds %d bytes of %d", i, len(l.Bytes), l.Size)
		}
	}
	err := r.log.readRange(r.ctx, r.log.cfg.Topics.DeadLetters, 0, 0, int64(len(cases)), func(k *kgo.Record) error {
		for _, h := range k.Headers {
			noCard(t, h.Value)
		}
		noCard(t, k.Key)
		noCard(t, k.Value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range r.resend(Resend{}) {
		if l.Outcome != Resent {
			t.Errorf("replay of %s: %s %s", l.Letter.Place(), l.Outcome, l.Text)
			continue
		}
		r.same(l)
	}
}

func noCard(t *testing.T, b []byte) {
	t.Helper()
	for _, form := range []string{testCard, "4111 1111", "NDExMTEx", "0034111111111111111"} {
		if bytes.Contains(b, []byte(form)) {
			t.Errorf("%q holds a card number", b)
		}
	}
}

// A topic without such a view keeps its letters as they came.
func TestLettersKeepBytes(t *testing.T) {
	r := newRig(t, 1, delays())
	r.start()
	r.send("sluice.writes", Out{Value: []byte(`{"view":"delays","key":{"carrier":"UA"},"event_time":"2024-05-06T12:00:01Z","values":{"delay":"` + testCard + `"}}`)})
	r.drain()
	if l := r.letters()[0]; l.Masked != "" || !bytes.Contains(l.Bytes, []byte(testCard)) || strings.Contains(l.Text, testCard) {
		t.Errorf("letter %+v, want the record's bytes and a text that shows no card", l)
	}
}
