// Package rehearsal runs a gate on windows that are made up, to see what it says of them
// before real ones come: scripted windows with expected verdicts (Parse, Run), as
// `sluice rules test` reads them from files.
//
// It is the gate of package materialize, on a registry of its own in a temporary file,
// with the judges of package court: history, layouts, probation, holds and rollbacks are
// those of the platform. Only tap and row store are left out: a window's rows are checked
// and profiled here, and staged nowhere.
//
// A Stage belongs to one goroutine. Run reads files and writes nothing but the temporary
// registry, which it removes.
package rehearsal
