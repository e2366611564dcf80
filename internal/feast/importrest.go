package feast

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	feastcore "sluice/api/feast/core"
)

// restKind is a kind of object of a registry that nothing here stands for one by one.
type restKind struct {
	kind, why     string
	spec          bool             // name and project are in a spec, which is field 1
	name, project protowire.Number // of their fields
}

// restKinds are by their fields in feast.core.Registry.
var restKinds = map[protowire.Number]restKind{
	11: {"saved data set", "data sets stay with the offline store", true, 1, 2},
	13: {"validation reference", "what a window is compared with is the view's `baseline`, and its expectations are `expect` of features (`sluice import great-expectations` reads a suite)", false, 1, 3},
	16: {"permission", "what a token may do is its role, reader, writer or operator (`auth.tokens_file`): until tokens are given nobody but this machine is let in", true, 1, 2},
}

// rest lists the objects of the project that are none of the above.
func (in *importer) rest(r *feastcore.Registry) {
	eachField(r.ProtoReflect().GetUnknown(), func(number protowire.Number, text []byte) {
		kind, known := restKinds[number]
		if !known {
			return
		}
		if kind.spec {
			text = textField(text, 1)
		}
		if name := textField(text, kind.name); string(textField(text, kind.project)) == in.Project {
			in.leftOut(kind.kind, string(name), "%s", kind.why)
		}
	})
}

// textField returns the field of a message that is bytes, a text or a message; nil if there
// is none.
func textField(message []byte, number protowire.Number) (found []byte) {
	eachField(message, func(n protowire.Number, text []byte) {
		if n == number {
			found = text
		}
	})
	return found
}

// eachField calls fn with every such field of a message, up to what is none.
func eachField(message []byte, fn func(number protowire.Number, text []byte)) {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return
		}
		if message = message[n:]; kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
				return
			}
			message = message[n:]
			continue
		}
		text, n := protowire.ConsumeBytes(message)
		if n < 0 {
			return
		}
		fn(number, text)
		message = message[n:]
	}
}

// undescribed lists what an object of a kind has that one of ours does not.
func (in *importer) undescribed(kind, name, description, owner string, tags map[string]string) {
	var has []string
	for _, of := range []struct {
		what string
		set  bool
	}{{"description", description != ""}, {"owner", owner != ""}, {"tags", len(tags) > 0}} {
		if of.set {
			has = append(has, of.what)
		}
	}
	if len(has) > 0 {
		in.leftOut(strings.Join(has, ", ")+" of "+kind, name, "views have them: say it there")
	}
}

// serviceRest lists what a service has that ours do not.
func (in *importer) serviceRest(spec *feastcore.FeatureServiceSpec) {
	in.undescribed("service", spec.GetName(), spec.GetDescription(), spec.GetOwner(), spec.GetTags())
	if spec.GetLoggingConfig() != nil {
		in.leftOut("logging of service", spec.GetName(), "a sample of the rows that are served is judged and shown by itself (serve.sample_rate), and not written to a table")
	}
}
