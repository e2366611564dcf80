// Package feast translates between Sluice's definitions and Feast's registry.
//
// Export gives the definitions in force as the objects that Feast's clients know.
//
// The functions are pure and safe for concurrent use. Package feast imports feature
// and the messages of api.
package feast
