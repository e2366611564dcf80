// Package feastregistry answers Feast's registry service, feast.registry.RegistryServer,
// from the definitions in force, so that a FeatureStore with registry_type remote lists
// and reads what Sluice serves.
//
// It only reads: what Feast's clients would change is refused, in a form that they
// raise as their own ReadOnlyRegistryException; definitions change by `sluice apply`.
// A Server is safe for concurrent use. Package feastregistry imports feature, api and
// internal/feast, which translates.
package feastregistry
