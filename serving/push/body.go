package push

import (
	"fmt"
	"time"

	"sluice/feature"
	"sluice/serving/jsonform"
	"sluice/serving/refusal"
)

// CheckTo refuses what cannot be done: there is one log, which feeds both stores.
func CheckTo(to string) error {
	switch to {
	case "", "online", "online_and_offline":
		return nil
	}
	return refusal.Invalid("want online or online_and_offline", "a push to %s is not possible", refusal.Quoted(to))
}

// ParseBody takes a push body apart: the view, where to, and the object df.
func ParseBody(body []byte, viewMember string) (name, to string, df []byte, err error) {
	if !jsonform.WellFormed(body) {
		return "", "", nil, refusal.At("body", jsonform.Malformed(body, "send JSON in UTF-8"))
	}
	if body = jsonform.Trimmed(body); body[0] != '{' {
		return "", "", nil, refusal.At("body", refusal.Invalid("send an object", "the body is %s", jsonform.Kind(body)))
	}
	text := func(member string, value []byte) (string, error) {
		if value[0] != '"' {
			return "", refusal.At(member, refusal.Invalid("send a string", "%s is %s", member, jsonform.Kind(value)))
		}
		return jsonform.Text(value), nil
	}
	for key, value := range jsonform.Members(body) {
		switch jsonform.Text(key) {
		case viewMember:
			name, err = text(viewMember, value)
		case "to":
			to, err = text("to", value)
		case "df":
			df = value
		}
		if err != nil {
			return "", "", nil, err
		}
	}
	if name == "" {
		return "", "", nil, refusal.At(viewMember, refusal.Invalid("give the name of a view", "%s is missing", viewMember))
	}
	if df == nil || df[0] != '{' {
		return "", "", nil, refusal.At("df", refusal.Invalid(`give {"column":[...]}`, "df is no object of columns"))
	}
	return name, to, df, nil
}

// JSONTable returns an object of columns of equal length as a table.
func JSONTable(df []byte) (*Table, error) {
	t := &Table{}
	var cells [][][]byte
	seen := map[string]bool{}
	for key, value := range jsonform.Members(df) {
		name := jsonform.Text(key)
		if value[0] != '[' {
			return nil, refusal.Invalid("give one value a row", "column %s is %s, not a list", refusal.Quoted(name), jsonform.Kind(value))
		}
		var column [][]byte
		for _, cell := range jsonform.Elements(value) {
			column = append(column, cell)
		}
		if len(cells) > 0 && len(column) != len(cells[0]) {
			return nil, refusal.Invalid("give one value a row", "column %s has %d values, %s has %d", refusal.Quoted(name), len(column), refusal.Quoted(t.names[0]), len(cells[0]))
		}
		if seen[name] {
			return nil, refusal.Invalid("name each column once", "column %s is given twice", refusal.Quoted(name))
		}
		seen[name] = true
		t.names, cells, t.rows = append(t.names, name), append(cells, column), len(column)
	}
	t.value = func(column, row int, typ feature.Type) (feature.Value, error) {
		if cell := cells[column][row]; typ == feature.JSON && cell[0] == '"' {
			return jsonFromText(jsonform.Text(cell))
		}
		return jsonform.ValueOf(typ, cells[column][row])
	}
	t.moment = func(column, row int) (time.Time, error) {
		cell := cells[column][row]
		if cell[0] != '"' {
			return time.Time{}, fmt.Errorf("%s is no event time; write RFC 3339", jsonform.Kind(cell))
		}
		return MomentOf(jsonform.Text(cell))
	}
	return t, nil
}

// jsonFromText reads a string in a column of type json: as Feast has it, the text of
// a JSON value, and not a JSON string.
func jsonFromText(text string) (feature.Value, error) {
	raw := []byte(text)
	if !jsonform.WellFormed(raw) {
		return feature.Null, fmt.Errorf("%s is the text of no JSON value", refusal.Quoted(text))
	}
	if raw = jsonform.Trimmed(raw); string(raw) == "null" {
		return feature.Null, nil
	}
	return jsonform.JSONOf(raw)
}
