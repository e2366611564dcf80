// Package jsonform reads and writes feature values as JSON: in the platform's own style and
// in Feast's.
//
// JSON is taken apart where it lies and not decoded: what WellFormed accepts is walked by
// Members and Elements, whose keys and values share its memory, and a value becomes one of
// the type that a view declares by ValueOf, which converts nothing from text that is not
// written so. Values are written from their serialized form, as the store keeps them, by
// Append. What reads and writes by hand is held against encoding/json by fuzz tests.
//
// All functions are pure and safe for concurrent use. Readers other than WellFormed, Parse
// and Malformed panic on what is not well formed. Package jsonform imports feature and
// serving/refusal.
package jsonform
