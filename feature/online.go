package feature

import "fmt"

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
