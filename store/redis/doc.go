// Package redis is the online store on Redis 7 or newer: one server, a Cluster, or
// a primary that Sentinel watches. It passes the suite in store/storetest, and
// keeps records as store/embedded does.
//
// # Layout
//
// Entities are spread over 128 buckets by a hash of their key. The keys of a bucket
// share a hash tag, so all views of an entity are in one slot, and so is everything
// that has to change together with a row:
//
//	{tag} r view u32 | entity key          hash: version → stored record
//	{tag} v view u32 | version u64         list: entity keys with a record in that version
//	{tag} m                                hash: source → mark of the last write
//	{tag} s view u32 | version/8192 u64    bitmap: versions that were folded
//	{tag} p                                whose rows the bucket has: without it, and with no word of a restore, they are lost
//
// Views of a group, see Store.Group, have one hash an entity for all of them in place of
// one each, and are otherwise as others are:
//
//	{tag} g length u8 | group | entity key hash: view uvarint | version → stored record
//
// Such a hash lives as long as the view that needs it for longest, and the lists of
// versions do not expire: a row may outlive what its own view asks for, and has to be
// found then by whoever drops its version.
//
// A record's field is its version in as few bytes as it needs, big-endian; its
// value is feature.AppendRecord. The list of a version is the index that Drop, Fold
// and Stat go by. One call of a Function adds a row and its place in the list, so
// there is no row without one, whatever crashes. A list lives until its version is
// dropped or folded: memory for it is taken by the few versions that are not
// certified, about 16 bytes an entity. Where a folded version is counted or dropped
// after all, which a gate never does, the key space is scanned.
//
// # Faults
//
// Every call goes to each shard by itself, with a deadline of its own, and what one
// shard fails to do leaves the others alone: the error is a *PartialError with the
// positions that failed. Rows that a failover lost are found by the marks behind
// them: see StageMarked and Lost. A bucket that comes back without any of its rows is told
// from one that never had some by its mark: see Presence. Guard has a Cluster replace a
// primary that is lost sooner than it does by itself.
//
// A Store is safe for concurrent use by any number of processes. Package redis
// imports feature alone.
package redis
