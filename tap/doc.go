// Package tap reads feature writes from Kafka, decodes and checks them, sorts them
// into event-time windows, and keeps the state of every source partition in the
// log itself.
//
// A Tap owns its partitions through a consumer group; one goroutine owns one
// partition, with a transactional producer named after it. At a checkpoint the
// partial profiles of changed windows, the newest event ids and the progress of
// the partition go to the compacted topic of profiles in one transaction. The
// progress is its last record and alone is truth: a new owner fences the former
// one, settles what that one left unfinished, reads the state back and seeks to
// the progress. So every record counts once, whatever is stopped when:
//
//	received = accepted + quarantined + dead_lettered + duplicate
//
// holds for each partition, across restarts. Rows are staged and dead
// letters acknowledged before the checkpoint that covers them.
//
// A Log is the client of the broker: it makes topics, appends, follows the topic
// of profiles, and lists dead letters. A Reader reads the records of a window
// again. A Broker is an in-process broker for trials.
//
// Judging windows is left to others. Package tap imports feature, quality and
// quality/sketch, and is the only package that imports franz-go.
package tap
