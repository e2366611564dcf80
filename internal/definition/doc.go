// Package definition reads the files that define entities, views, services and
// rules, says everything that is wrong with them, and compares them with what
// is in force.
//
// The files are YAML (so JSON as well) and strict: an unknown key, a key given
// twice, an alias bomb or a value of the wrong kind is an error with its file
// and line. All problems are found at once, each with the key, the value and
// what to do. Of a view only name, entities and features are required; the rest
// has defaults, which NewView documents.
//
// Whether an expression of an expectation compiles is for package quality to
// say; ids are given by the registry. All functions are pure but Load and
// ReadDir, which read files, and safe for concurrent use. Package definition
// imports feature and rules.
package definition
