package feature

// SourceMinute is what a partition has read of one minute of a source, by the records' own
// times, so that whoever reads them again counts the same.
type SourceMinute struct {
	At   int64  `json:"at"` // Unix minutes
	N    uint64 `json:"n"`  // records, but for those of views that are not defined
	Dead uint64 `json:"dead,omitempty"`
}
