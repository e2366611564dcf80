package serving

// rowState is what became of one row of a view; it decides the status of each of
// its values.
type rowState uint8

const (
	rowNotFound rowState = iota // no visible row, or a deleted one
	rowFound
	rowExpired  // older than the ttl of a feature, values sent
	rowWithheld // too old for the request's policy, values not sent
	rowUnread   // the store did not give it
	rowFailed   // of a computed value: its expression could not be evaluated
)

// hasTime reports whether a row in state r has an event time.
func (r rowState) hasTime() bool { return r != rowNotFound && r != rowUnread }

// returned reports whether the values of a row in state r are sent.
func (r rowState) returned() bool { return r == rowFound || r == rowExpired }

// state returns what became of the value of a slot: what became of its row, unless
// the row is too old for other features alone, or the value is computed.
func (a *partAnswer) state(row, slot int) rowState {
	if a.part.computed != nil {
		if made := a.made[row*len(a.part.features)+slot]; made > 0 {
			return made - 1
		}
	}
	r := &a.rows[row]
	if r.state != rowExpired || a.part.ttls == nil {
		return r.state
	}
	if ttl := a.part.ttls[slot]; ttl == 0 || age(a.now, r.eventTime) <= ttl {
		return rowFound
	}
	return rowExpired
}

// fieldStatus is the status of one value. The numbers are those of
// sluice.v1.Status, and of feast.serving.FieldStatus but for feastUnavailable.
type fieldStatus uint8

const (
	statusPresent       fieldStatus = 1
	statusNull          fieldStatus = 2
	statusNotFound      fieldStatus = 3
	statusOutsideMaxAge fieldStatus = 4
	statusUnavailable   fieldStatus = 5
	statusFailed        fieldStatus = 6
)

// feastUnavailable is what Feast's replies say where the platform's own say
// UNAVAILABLE or FAILED: Feast has no words for them, and INVALID is the one that its
// servers never give for an entity that does not exist.
const (
	feastUnavailable     fieldStatus = 0
	feastUnavailableName             = "INVALID"
)

// statusNames are the words of JSON replies.
var statusNames = [...]string{
	statusPresent: "PRESENT", statusNull: "NULL_VALUE",
	statusNotFound: "NOT_FOUND", statusOutsideMaxAge: "OUTSIDE_MAX_AGE", statusUnavailable: "UNAVAILABLE",
	statusFailed: "FAILED",
}

// of returns the status of a value of a row in state r; empty is whether the row
// holds none.
func (r rowState) of(empty bool) fieldStatus {
	switch {
	case r == rowNotFound:
		return statusNotFound
	case r == rowUnread:
		return statusUnavailable
	case r == rowFailed:
		return statusFailed
	case r != rowFound:
		return statusOutsideMaxAge
	case empty:
		return statusNull
	}
	return statusPresent
}
