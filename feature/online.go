package feature

import (
	"fmt"
	"strings"
)

// DefaultOnline is the online store of views that name none.
const DefaultOnline = "default"

// OnlineStore returns the name of the online store that the view's rows are in.
func (v *View) OnlineStore() string {
	if v.Online == "" {
		return DefaultOnline
	}
	return v.Online
}

// MovedError is the refusal of a definition by which the rows of a view would be looked
// for in another online store than they are in.
func MovedError(view, from, to string) error {
	return &Error{
		Code:    CodeConflict,
		Message: fmt.Sprintf("the rows of view %s are in online store %s, and a definition does not move them to %s; nothing was changed", view, from, to),
		Hint:    fmt.Sprintf("keep `online: %s`; or define the view under another name, where it starts anew", from),
	}
}

// MaxGroup is how many views a group may have, with those that were in it and are defined
// no more: their rows lie among the others' until their entity expires.
const MaxGroup = 10

// LongestChain is how many records of a view an entity has at most, as a rule: those
// listed and passed (MaxVisible + 3), those of open windows (MaxVisible), and the one up
// to the floor. docs/reliability.md counts them. MaxGroup times as many are in the hash of
// a group, which Redis keeps in its compact form up to 128.
const LongestChain = 2*MaxVisible + 4

// RegroupedError is the refusal of a definition by which the rows of a view would be
// looked for in another group than they are in; empty is none.
func RegroupedError(view, from, to string) error {
	say := func(group string) string {
		if group == "" {
			return "in no group"
		}
		return "in group " + group
	}
	hint := "leave `group` out, and `precompute` of the services that read it"
	if from != "" {
		hint = fmt.Sprintf("keep `group: %s`", from)
	}
	return &Error{
		Code:    CodeConflict,
		Message: fmt.Sprintf("the rows of view %s are %s, and a definition does not move them to be %s; nothing was changed", view, say(from), say(to)),
		Hint:    hint + "; or define the view under another name, where it starts anew",
	}
}

// RekeyedError is the refusal of a definition by which the rows of a view would be looked
// for by other join keys than they were written under.
func RekeyedError(from, to *View) error {
	return &Error{
		Code:    CodeConflict,
		Message: fmt.Sprintf("the rows of view %s were written under the join keys %s, and nothing finds them by %s; nothing was changed", from.Name, from.JoinKeys(), to.JoinKeys()),
		Hint:    "keep the join keys, their order and types; or define the view under another name, where it starts anew",
	}
}

// JoinKeys writes the join keys of a view as driver_id (int64), user_id (string).
func (v *View) JoinKeys() string {
	texts := make([]string, len(v.Entities))
	for i, e := range v.Entities {
		texts[i] = e.Name + " (" + e.Type.String() + ")"
	}
	return strings.Join(texts, ", ")
}

// FullGroupError is the refusal of a view more in a group that has MaxGroup.
func FullGroupError(view, group string) error {
	return &Error{
		Code:    CodeConflict,
		Message: fmt.Sprintf("view %s would be one more than the %d views that group %s may have, counting those that were defined before; nothing was changed", view, MaxGroup, group),
		Hint:    "choose another group, or leave `group` out",
	}
}
