package quality

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/feature"
)

// The numbers that the schemes publish for tests of their systems.
const (
	visa       = "4111111111111111"
	mastercard = "5555555555554444"
	amex       = "378282246310005"
)

func TestMaskCards(t *testing.T) {
	for name, tc := range map[string]struct {
		text, want string
		found      int
	}{
		"nothing":                {"", "", 0},
		"no digits":              {"tok_9f2c", "tok_9f2c", 0},
		"visa":                   {visa, "****************", 1},
		"visa of 13 digits":      {"4222222222222", "*************", 1},
		"mastercard":             {mastercard, "****************", 1},
		"mastercard, 2 series":   {"2223003122003222", "****************", 1},
		"american express":       {amex, "***************", 1},
		"diners club":            {"30569309025904", "**************", 1},
		"discover":               {"6011111111111117", "****************", 1},
		"jcb":                    {"3530111333300000", "****************", 1},
		"unionpay":               {"6240008631401148", "****************", 1},
		"maestro":                {"6759649826438453", "****************", 1},
		"mir":                    {"2201382000000013", "****************", 1},
		"groups":                 {"card 4111 1111 1111 1111 of 3", "card **** **** **** **** of 3", 1},
		"dashes":                 {"3782-822463-10005", "****-******-*****", 1},
		"expiry behind":          {"4111 1111 1111 1111 12/27", "**** **** **** **** 12/27", 1},
		"number in front":        {"12 4111111111111111", "12 ****************", 1},
		"between letters":        {"x" + visa + "y", "x****************y", 1},
		"two":                    {visa + "," + amex, "****************,***************", 2},
		"check digit":            {"4111111111111112", "4111111111111112", 0},
		"no scheme":              {"1111111111111117", "1111111111111117", 0},
		"too long":               {"411111111111111111111111", "411111111111111111111111", 0},
		"too short":              {"41111111", "41111111", 0},
		"two spaces":             {"4111  1111 1111 1111", "4111  1111 1111 1111", 0},
		"behind a point":         {"0." + visa, "0." + visa, 0},
		"JSON":                   {`{"card":"` + visa + `","n":4111111111111111}`, `{"card":"****************","n":****************}`, 2},
		"time in milliseconds":   {"1732849200000", "1732849200000", 0},
		"bytes that are no text": {"\xff" + visa + "\xff", "\xff****************\xff", 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got, found := MaskCards(tc.text); got != tc.want || found != tc.found {
				t.Errorf("MaskCards(%q) = %q, %d, want %q, %d", tc.text, got, found, tc.want, tc.found)
			}
			if HoldsCard(tc.text) != (tc.found > 0) {
				t.Errorf("HoldsCard(%q) = %t", tc.text, HoldsCard(tc.text))
			}
		})
	}
}

// How often a number drawn at random is taken for a card's: a token that is a number
// of 16 digits meets that. The share is part of the documentation.
func TestHoldsCardOfRandomNumbers(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	const n = 400_000
	taken := 0
	for range n {
		if HoldsCard(fmt.Sprintf("%016d", rng.Uint64N(1e16))) {
			taken++
		}
	}
	share := float64(taken) / n
	t.Logf("%.2f %% of random numbers of 16 digits", 100*share)
	if share < .027 || share > .031 { // a tenth of the share of first digits that are assigned
		t.Errorf("%.2f %% of random numbers of 16 digits are taken for a card's, want about 2.9 %%", 100*share)
	}
}

// A value that must be a token is never shown where it is a card number, whatever it
// breaks, nor is one that an expression's error tells of.
func TestReasonsShowNoCard(t *testing.T) {
	token := feature.Expect{Token: true}
	list := feature.ListValue(feature.String, []feature.Value{feature.StringValue("tok"), feature.StringValue(visa)})
	const refusal = "holds what may be a payment card number, and must be a token"
	for name, tc := range map[string]struct {
		typ    feature.Type
		expect feature.Expect
		value  feature.Value
		reason string
	}{
		"token":                   {feature.String, token, feature.StringValue("tok_9f2c"), ""},
		"null":                    {feature.String, token, feature.Null, ""},
		"text":                    {feature.String, token, feature.StringValue("pay " + visa), "a: " + refusal},
		"bytes":                   {feature.Bytes, token, feature.BytesValue([]byte(mastercard)), "a: " + refusal},
		"integer":                 {feature.Int64, token, feature.Int64Value(4111111111111111), "a: " + refusal},
		"other integer":           {feature.Int64, token, feature.Int64Value(4111111111111112), ""},
		"negative":                {feature.Int64, token, feature.Int64Value(-4111111111111111), ""},
		"json":                    {feature.JSON, token, feature.JSONValue(`{"card":"` + visa + `"}`), "a: " + refusal},
		"list":                    {feature.ListOf(feature.String), token, list, "a: " + refusal},
		"in, without token":       {feature.String, feature.Expect{In: []string{"x"}}, feature.StringValue(visa), `a: "****************" is not in [x]`},
		"max, without token":      {feature.Int64, feature.Expect{Max: new(9.0)}, feature.Int64Value(4111111111111111), "a: **************** is above max 9"},
		"pattern, without token":  {feature.String, feature.Expect{Pattern: "tok_.*"}, feature.StringValue(visa), `a: "****************" does not match pattern "tok_.*"`},
		"cut in the midst":        {feature.String, feature.Expect{Pattern: "tok_.*"}, feature.StringValue(strings.Repeat("x", 56) + visa), `a: "` + strings.Repeat("x", 56) + `********" does not match pattern "tok_.*"`},
		"expression's comparison": {feature.String, feature.Expect{Expr: `a == "x"`}, feature.StringValue(visa), `a: expr "a == \"x\"" is false; a = "****************"`},
	} {
		t.Run(name, func(t *testing.T) {
			checkOne(t, one(tc.typ, tc.expect), []feature.Value{tc.value}, tc.reason)
		})
	}
}

func FuzzMaskCards(f *testing.F) {
	f.Add("card 4111 1111-1111 1111, 378282246310005")
	f.Fuzz(func(t *testing.T, text string) {
		masked, found := MaskCards(text)
		if len(masked) != len(text) || HoldsCard(masked) || (found == 0) != (masked == text) {
			t.Fatalf("MaskCards(%q) = %q, %d", text, masked, found)
		}
	})
}
