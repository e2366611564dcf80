package scenario

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// badDefinitions has a view of every type, one with expectations, one with a
// number in its key, and one on a topic of its own.
const badDefinitions = `
project: bad
entities:
  - {name: id, type: string}
  - {name: n, type: int64}
views:
  - name: typed
    entities: [id]
    features:
      - {name: i32, type: int32}
      - {name: i64, type: int64}
      - {name: f32, type: float32}
      - {name: f64, type: float64}
      - {name: text, type: string}
      - {name: raw, type: bytes}
      - {name: flag, type: bool}
      - {name: moment, type: timestamp}
      - {name: many, type: "list<int64>"}
      - {name: doc, type: json}
    window: {size: 1h, lateness: 0s}
  - name: strict
    entities: [id]
    features:
      - {name: amount, type: float64, expect: {min: 0, max: 100}}
      - {name: country, type: string, expect: {in: [DE, FR]}}
      - {name: score, type: float64, expect: {expr: "score <= 1.0"}}
    window: {size: 1h, lateness: 0s}
  - name: pair
    entities: [id, n]
    features: [{name: v, type: float64}]
    window: {size: 1h, lateness: 0s}
  - name: flat
    entities: [id]
    source: {topic: flat.writes, event_time: ts, map: {v: value}}
    features: [{name: v, type: float64}]
    window: {size: 1h, lateness: 0s}
services:
  - {name: model, features: ["typed:f64", "strict:amount"]}
`

// What becomes of a record.
const (
	accepted     = "accepted"
	duplicate    = "duplicate"
	quarantined  = "quarantined"
	deadLettered = "dead_lettered"
)

// badWrite is one record, and what must become of it.
type badWrite struct {
	name    string
	record  string
	fate    string
	reason  string   // of the dead letter
	feature string   // that the dead letter names
	says    []string // parts of its text: what, where, what to do
}

// typedRecord is a record of the view typed in the first window.
func typedRecord(id, values string) string {
	return fmt.Sprintf(`{"view":"typed","key":{"id":%s},"event_time":%q,"values":{%s}}`, quote(id), first.Add(time.Minute).Format(time.RFC3339), values)
}

func strictRecord(id, values string) string {
	return strings.Replace(typedRecord(id, values), `"typed"`, `"strict"`, 1)
}

// timed is a record of the view typed with an event time as it stands.
func timed(at string) string {
	return `{"view":"typed","key":{"id":"t"},"event_time":` + at + `,"values":{"f64":1}}`
}

func quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

// notJSON are records that are no strict JSON.
func notJSON() []badWrite {
	const at = `,"event_time":"2026-05-01T00:01:00Z"`
	cases := []badWrite{
		{name: "no JSON", record: `hello`, says: []string{"byte 0"}},
		{name: "cut off", record: `{"view":"typed","key":{"id":"a"`, says: []string{"byte "}},
		{name: "a list", record: `[1,2]`, says: []string{"object"}},
		{name: "a number", record: `7`, says: []string{"object"}},
		{name: "single quotes", record: `{'view':'typed'}`, says: []string{"string"}},
		{name: "trailing comma", record: `{"view":"typed","key":{"id":"a"}` + at + `,"values":{"f64":1,}}`, says: []string{"string"}},
		{name: "trailing bytes", record: typedRecord("a", `"f64":1`) + `x`, says: []string{"bytes after the value"}},
		{name: "two objects", record: typedRecord("a", `"f64":1`) + typedRecord("b", `"f64":1`), says: []string{"bytes after the value"}},
		{name: "duplicate field", record: `{"view":"typed","view":"typed","key":{"id":"a"}` + at + `,"values":{}}`, says: []string{"duplicate key"}},
		{name: "duplicate feature", record: typedRecord("a", `"f64":1,"f64":2`), says: []string{"duplicate key"}},
		{name: "duplicate join key", record: `{"view":"typed","key":{"id":"a","id":"b"}` + at + `,"values":{}}`, says: []string{"duplicate key"}},
		{name: "duplicate by escape", record: typedRecord("a", `"f64":1,"f\u00364":2`), says: []string{"duplicate key"}},
		{name: "duplicate in a document", record: typedRecord("a", `"doc":{"a":1,"a":2}`), says: []string{"duplicate key"}},
		{name: "nested too deep", record: typedRecord("a", `"doc":`+nested(65)), says: []string{"deeper than 64"}},
		{name: "nested much too deep", record: typedRecord("a", `"doc":`+nested(100_000)), says: []string{"deeper than 64"}},
		{name: "objects nested too deep", record: strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70), says: []string{"deeper than 64"}},
		{name: "invalid UTF-8 in a value", record: typedRecord("a", "\"text\":\"\xff\xfe\""), says: []string{"UTF-8"}},
		{name: "invalid UTF-8 in a name", record: typedRecord("a", "\"\xc3\x28\":1"), says: []string{"UTF-8"}},
		{name: "half a surrogate pair", record: typedRecord("a", `"text":"\ud800"`), says: []string{"escape"}},
		{name: "control character", record: typedRecord("a", "\"text\":\"a\x00b\""), says: []string{"control character"}},
		{name: "bare NaN", record: typedRecord("a", `"f64":NaN`), says: []string{"value"}},
		{name: "hexadecimal", record: typedRecord("a", `"i64":0x10`), says: []string{"byte "}},
		{name: "leading zero", record: typedRecord("a", `"i64":007`), says: []string{"byte "}},
		{name: "leading plus", record: typedRecord("a", `"i64":+7`), says: []string{"byte "}},
		{name: "no digit before the point", record: typedRecord("a", `"f64":.5`), says: []string{"byte "}},
		{name: "a comment", record: `/* */ ` + typedRecord("a", `"f64":1`), says: []string{"byte 0"}},
		{name: "byte order mark", record: "\ufeff" + typedRecord("a", `"f64":1`), says: []string{"byte 0"}},
	}
	for i := range cases {
		cases[i].fate, cases[i].reason = deadLettered, "decode"
		cases[i].says = append(cases[i].says, "strict JSON", "send one JSON object")
	}
	return cases
}

// wrongForm are records of JSON that say no write.
func wrongForm() []badWrite {
	const at = `,"event_time":"2026-05-01T00:01:00Z"`
	invalid := func(name, record string, says ...string) badWrite {
		return badWrite{name: name, record: record, fate: deadLettered, reason: "invalid_argument", says: says}
	}
	return []badWrite{
		invalid("empty object", `{}`, "id"),
		{name: "unknown view", record: `{"view":"typo","key":{"id":"a"}` + at + `,"values":{}}`, fate: deadLettered, reason: "unknown_view", says: []string{"typo", "apply its definition"}},
		{name: "hostile view", record: `{"view":"<!channel>\u001b[2J{}:*","key":{"id":"a"}` + at + `,"values":{}}`, fate: deadLettered, reason: "unknown_view", says: []string{"not defined"}},
		invalid("view is a number", `{"view":7,"key":{"id":"a"}`+at+`,"values":{}}`, "view", "string"),
		{name: "unknown feature", record: typedRecord("a", `"f46":1`), fate: deadLettered, reason: "unknown_feature", says: []string{"typed", `"f46"`, `did you mean`}},
		{name: "hostile feature", record: typedRecord("a", `"<!channel>\n{}":1`), fate: deadLettered, reason: "unknown_feature", says: []string{"typed", "not defined"}},
		{name: "unknown field", record: `{"view":"typed","key":{"id":"a"}` + at + `,"values":{},"colour":1}`, fate: deadLettered, reason: "decode", says: []string{"colour", "leave it out"}},
		invalid("unknown join key", `{"view":"typed","key":{"id":"a","x":1}`+at+`,"values":{}}`, "typed", `"x"`),
		invalid("no key", `{"view":"typed"`+at+`,"values":{"f64":1}}`, "join key id", "missing"),
		invalid("key is null", `{"view":"typed","key":null`+at+`,"values":{"f64":1}}`, "key"),
		invalid("key is a string", `{"view":"typed","key":"a"`+at+`,"values":{"f64":1}}`, "key", "object"),
		invalid("join key is null", `{"view":"typed","key":{"id":null}`+at+`,"values":{"f64":1}}`, "join key id", "null"),
		invalid("one of two join keys", `{"view":"pair","key":{"id":"a"}`+at+`,"values":{"v":1}}`, "join key n", "missing"),
		{name: "join key of a wrong type", record: `{"view":"typed","key":{"id":5}` + at + `,"values":{"f64":1}}`, fate: deadLettered, reason: "type", says: []string{"join key id", "want a string", "5"}},
		{name: "join key with a point", record: `{"view":"pair","key":{"id":"a","n":1.5}` + at + `,"values":{"v":1}}`, fate: deadLettered, reason: "type", says: []string{"join key n", "1.5"}},
		invalid("values missing", `{"view":"typed","key":{"id":"a"}`+at+`}`, "values", "send {}"),
		invalid("values are a list", `{"view":"typed","key":{"id":"a"}`+at+`,"values":[1]}`, "values", "object"),
		invalid("op unknown", strings.Replace(typedRecord("a", `"f64":1`), `{"view"`, `{"op":"drop","view"`, 1), "op", "drop", "delete"),
		invalid("op is a number", strings.Replace(typedRecord("a", `"f64":1`), `{"view"`, `{"op":1,"view"`, 1), "op", "string"),
		invalid("event time missing", `{"view":"typed","key":{"id":"a"},"values":{"f64":1}}`, "event time", "RFC 3339"),
		invalid("event time null", timed(`null`), "event time", "RFC 3339"),
		invalid("event time garbage", timed(`"yesterday"`), "event time", "yesterday", "RFC 3339"),
		invalid("event time without zone", timed(`"2026-05-01T00:01:00"`), "event time", "RFC 3339"),
		invalid("event time with a fraction of a second", timed(`1777593600.5`), "event time", "1777593600.5"),
		invalid("event time an object", timed(`{"s":1}`), "event time"),
		{name: "event time negative", record: timed(`-5`), fate: quarantined, reason: "invalid_argument", says: []string{"event time", "before 1970"}},
		{name: "event time of 1901", record: timed(`"1901-01-01T00:00:00Z"`), fate: quarantined, reason: "invalid_argument", says: []string{"event time", "before 1970"}},
		{name: "event time in milliseconds", record: timed(`1777593600000`), fate: quarantined, reason: "future", says: []string{"event time", "check the unit"}},
		{name: "event time in nanoseconds", record: timed(`1777593600000000000`), fate: quarantined, reason: "future", says: []string{"event time", "check the unit"}},
		{name: "event time of year 9999", record: timed(`"9999-12-31T23:59:59Z"`), fate: quarantined, reason: "future", says: []string{"event time", "9999"}},
		invalid("event time beyond int64", timed(`99999999999999999999`), "event time"),
		{name: "flat row on the default topic", record: `{"id":"a","event_time":"2026-05-01T00:01:00Z","f46":1}`, fate: deadLettered, reason: "unknown_feature", says: []string{"typed", `"f46"`, "did you mean"}},
		invalid("flat row without key", `{"event_time":"2026-05-01T00:01:00Z","f64":1}`, "join key id", "missing"),
		{name: "flat row of a wrong type", record: `{"id":"a","event_time":"2026-05-01T00:01:00Z","f64":"much"}`, fate: deadLettered, reason: "type", feature: "f64", says: []string{"typed", "f64", "much"}},
	}
}

// wrongValues are writes with values that are not of their feature's type, or too
// large, or broke an expectation.
func wrongValues() []badWrite {
	typed := func(name, feature, value string, says ...string) badWrite {
		return badWrite{name: name, record: typedRecord("a", fmt.Sprintf("%q:%s", feature, value)), fate: deadLettered, reason: "type", feature: feature, says: append(says, "typed", feature)}
	}
	large := func(name, feature, value string) badWrite {
		c := typed(name, feature, value, "65536")
		c.fate, c.reason = quarantined, "too_large"
		return c
	}
	broken := func(name, feature, values string, says ...string) badWrite {
		return badWrite{name: name, record: strictRecord("bad", values), fate: quarantined, reason: "expect", feature: feature, says: append(says, "strict")}
	}
	long := strings.Repeat("x", 65_537)
	cases := []badWrite{
		typed("string for a float", "f64", `"1"`, "number", `"1"`),
		typed("string for an integer", "i64", `"1"`, "whole number"),
		typed("fraction for int64", "i64", `1.5`, "1.5"),
		typed("exponent for int64", "i64", `1e3`, "1e3"),
		typed("fraction for int32", "i32", `1.0`, "1.0"),
		typed("overflow of int32", "i32", `2147483648`, "2147483648", "does not fit int32"),
		typed("underflow of int32", "i32", `-2147483649`, "does not fit int32"),
		typed("overflow of int64", "i64", `9223372036854775808`, "does not fit int64"),
		typed("underflow of int64", "i64", `-9223372036854775809`, "does not fit int64"),
		typed("integer beyond 2^53 for a float64", "f64", `9007199254740993`, "not exact", "int64 or string"),
		typed("integer beyond 2^24 for a float32", "f32", `16777217`, "not exact"),
		typed("overflow of float64", "f64", `1e309`, "does not fit float64"),
		typed("overflow of float32", "f32", `1e39`, "does not fit float32"),
		typed("number for a string", "text", `5`, "want a string", "5"),
		typed("object for a string", "text", `{"a":1}`, "want a string"),
		typed("true for a number", "f64", `true`, "want a number"),
		typed("number for a bool", "flag", `1`, "true or false"),
		typed("string for a bool", "flag", `"true"`, "true or false"),
		typed("no base64", "raw", `"%%%"`, "base64"),
		typed("base64 without padding", "raw", `"QQ"`, "base64"),
		typed("number for bytes", "raw", `5`, "base64"),
		typed("garbage for a timestamp", "moment", `"soon"`, "RFC 3339"),
		typed("milliseconds for a timestamp", "moment", `1777593600000`, "milliseconds"),
		typed("number for a list", "many", `1`, "want a list"),
		typed("list with a string", "many", `[1,"2"]`, "element 1"),
		typed("list with null", "many", `[1,null]`, "element 1", "null"),
		typed("other names of infinity", "f64", `"inf"`, "Infinity", "inf"),
		typed("control characters", "f64", `"\u001b[2J\u0000"`, "number"),
		large("string above 64 KiB", "text", quote(long)),
		large("bytes above 64 KiB", "raw", quote(base64.StdEncoding.EncodeToString([]byte(long)))),
		large("document above 64 KiB", "doc", quote(long)),
		broken("below min", "amount", `"amount":-1,"country":"DE","score":0`, "amount", "-1"),
		broken("above max", "amount", `"amount":101,"country":"DE","score":0`, "amount", "101"),
		broken("not in the list", "country", `"amount":1,"country":"UK","score":0`, "country", "UK"),
		broken("not in the list, hostile", "country", `"amount":1,"country":"<!channel>\u001b[2J","score":0`, "country"),
		broken("expression false", "score", `"amount":1,"country":"DE","score":1.5`, "score"),
		broken("null where an expression needs a value", "score", `"amount":1,"country":"DE"`, "score"),
		broken("NaN against min", "amount", `"amount":"NaN","country":"DE","score":0`, "amount"),
		broken("infinity against max", "amount", `"amount":"Infinity","country":"DE","score":0`, "amount"),
	}
	both := badWrite{name: "broken and undecodable", record: strictRecord("bad", `"amount":-1,"score":"x"`), fate: deadLettered, reason: "type", feature: "score", says: []string{"score"}}
	return append(cases, both)
}

// oddButGood are writes that look suspicious and are good.
func oddButGood() []badWrite {
	good := func(name, record string) badWrite { return badWrite{name: name, record: record, fate: accepted} }
	return []badWrite{
		good("NaN as a string", typedRecord("nan", `"f64":"NaN","f32":"Infinity"`)),
		good("minus zero", typedRecord("zero", `"f64":-0.0,"i64":-0`)),
		good("subnormal", typedRecord("tiny", `"f64":5e-324`)),
		good("underflow to zero", typedRecord("none", `"f64":1e-400`)),
		good("the largest integers", typedRecord("max", `"i32":2147483647,"i64":9223372036854775807`)),
		good("the smallest integers", typedRecord("min", `"i32":-2147483648,"i64":-9223372036854775808`)),
		good("2^53 as float", typedRecord("exact", `"f64":9007199254740992`)),
		good("only nulls", typedRecord("nulls", ``)),
		good("values are null", `{"view":"typed","key":{"id":"vn"},"event_time":"2026-05-01T00:01:00Z","values":null}`),
		good("64 levels", typedRecord("deep", `"doc":`+nested(60))),
		good("64 KiB exactly", typedRecord("long", `"text":`+quote(strings.Repeat("x", 65_536)))),
		good("hostile key", typedRecord("{}:*\x00\x1b[2J\n<!channel>\\\"", `"text":"<script>alert(1)</script>\u0000\u2028"`)),
		good("very long key", typedRecord(strings.Repeat("k", 1000), `"f64":1`)),
		good("empty key", typedRecord("", `"f64":1`)),
		good("fields in another order", `{"values":{"f64":1},"event_time":"2026-05-01T00:01:00Z","key":{"id":"o"},"view":"typed"}`),
		good("white space", " \t"+`{ "view" : "typed" , "key":{ "id":"w" },"event_time":"2026-05-01T00:01:00Z" , "values" : { } } `+"\r"),
		good("event time with an offset", strings.Replace(typedRecord("off", `"f64":1`), "00:01:00Z", "02:01:00+02:00", 1)),
		good("delete", `{"op":"delete","view":"typed","key":{"id":"gone"},"event_time":"2026-05-01T00:02:00Z"}`),
		good("delete of what never was", `{"op":"delete","view":"typed","key":{"id":"never"},"event_time":"2026-05-01T00:02:00Z","values":{"f64":1}}`),
		good("first of an event", `{"event_id":"e1","view":"typed","key":{"id":"e"},"event_time":"2026-05-01T00:01:00Z","values":{"f64":1}}`),
		{name: "second of an event", record: `{"event_id":"e1","view":"typed","key":{"id":"e"},"event_time":"2026-05-01T00:03:00Z","values":{"f64":2}}`, fate: duplicate},
		good("bounds of an expectation", strictRecord("edge", `"amount":0,"country":"FR","score":1`)),
		good("nulls against min, max and in", strictRecord("blank", `"score":0`)),
	}
}
