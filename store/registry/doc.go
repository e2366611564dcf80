// Package registry keeps what Sluice knows and has decided: definitions with
// their ids, versions, the vector of visible versions of every view, verdicts
// with what they can be recomputed from, baselines, layouts, history, alerts and
// the audit log.
//
// A Registry is a SQLite file, for one machine (one writing connection, a pool of
// readers), or lies on a PostgreSQL server, for many. What decides is written once,
// in statements that both understand; the interface dialect holds what differs.
// Apply is the only way anything is decided, and it is one transaction. What the
// nouns mean, and the errors that every registry answers with, are in package
// feature; the suite that both pass is in store/storetest.
//
// On PostgreSQL a transaction takes advisory locks before it reads what it decides
// upon: of the view, of the owner's epoch, of the log last of all. It leaves a token,
// by which a commit whose answer was lost is found again, so that writes are tried
// again after a lost connection and still happen once. ErrUncertain is what is left:
// a server that stayed away meanwhile.
//
// The methods are safe for concurrent use, by several processes as well. Rows and
// their slices belong to the caller. Package registry imports feature and
// folder alone.
package registry
