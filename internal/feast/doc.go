// Package feast translates between Sluice's definitions and Feast's registry.
//
// Export gives the definitions in force as the objects that Feast's clients know.
// Decode and Import read the registry file of Feast projects and make definitions of
// one, with a list of what has no counterpart and why. Pickled Python is never read.
//
// The functions are pure and safe for concurrent use. Package feast imports feature
// and the messages of api.
package feast
