// Package reconciliation holds what readers get from the online store against what the
// log says that they should get, entity by entity, and mends what differs.
//
// The log is read as a restore reads it: the rows of every version that readers see, each
// from the records that it was sealed with. Of each entity the newest of these rows is what
// a reader must get. What is compared is the whole record: its version, its time, its
// place in the log and its bytes.
//
// A view goes on being published, rolled back and swept meanwhile. So nothing is called
// different by one look: entities that differ are looked at again, with the vector of
// that moment, until two looks in a row found them so and the vector did not change within
// the last. Mended entities are looked at once more.
//
// Package reconciliation imports feature alone.
package reconciliation
