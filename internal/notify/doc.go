// Package notify tells people about incidents: a view that is blocked, held,
// rolled back, stale, frozen or blind, and its recovery.
//
// What they are to be told waits in an outbox, which the registry keeps: it is
// recorded with the decision, and forgotten once it was told. So it is told at least
// once, if not within a day then in the log alone; what is told twice, since a
// process died or an answer was lost in between, has the same notice id. One process
// at a time, that of the gate that leads, runs a Notifier.
//
// An incident is one Slack message, updated in place while it lasts; what
// happened in detail goes into the message's thread. Messages are sent one a second;
// events of one incident that wait become one message, and one that could not be sent
// waits while others go on. Without a token the same events go to the log.
//
// Where the messages of open incidents are is kept in memory: after a restart an
// incident that is still open gets a new message. The list of alerts is for the
// registry to keep. Names and texts of an event come from outside: they are escaped,
// and shown as plain text. The token is never logged. Package notify imports feature
// only, and is the only one that imports slack-go.
package notify
