// Package materialize is the gate: it gathers the partial profiles of a window,
// has the window judged, and decides what becomes visible.
//
// Board knows which windows are open, closing and complete. Book keeps what a
// view's windows are compared with. Desk is the pure core: from a view's vector,
// its versions above the floor and a verdict it works out what changes, as one
// feature.Commit. Gate runs them; Actions does what people ask for. Whether a
// window is good is for the judge to say, which it is given.
//
// Everything authoritative lies in the registry and every change is a
// compare-and-set there, so two gates are wasteful, not wrong: the one that was
// there first is fenced. A Board and Actions are safe for concurrent use; a Book
// and a Desk belong to one goroutine, and so does a Gate but for Actions.
//
// Package materialize imports feature, quality/sketch and rules.
package materialize
