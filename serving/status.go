package serving

// rowState is what became of one row of a view; it decides the status of each of
// its values.
type rowState uint8

const (
	rowNotFound rowState = iota // no visible row, or a deleted one
	rowFound
	rowExpired  // older than the view's ttl, values sent
	rowWithheld // too old for the request's policy, values not sent
)

// fieldStatus is the status of one value. The numbers are those of
// feast.serving.FieldStatus and sluice.v1.Status.
type fieldStatus uint8

const (
	statusPresent       fieldStatus = 1
	statusNull          fieldStatus = 2
	statusNotFound      fieldStatus = 3
	statusOutsideMaxAge fieldStatus = 4
)

// statusNames are the words of JSON replies.
var statusNames = [...]string{
	statusPresent: "PRESENT", statusNull: "NULL_VALUE",
	statusNotFound: "NOT_FOUND", statusOutsideMaxAge: "OUTSIDE_MAX_AGE",
}

// of returns the status of a value of a row in state r; empty is whether the row
// holds none.
func (r rowState) of(empty bool) fieldStatus {
	switch {
	case r == rowNotFound:
		return statusNotFound
	case r != rowFound:
		return statusOutsideMaxAge
	case empty:
		return statusNull
	}
	return statusPresent
}
