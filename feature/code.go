package feature

// Code is an error code of the contract. Dead-letter reasons use the same words.
type Code string

const (
	CodeInvalidArgument Code = "invalid_argument"
	CodeUnknownView     Code = "unknown_view"
	CodeUnknownFeature  Code = "unknown_feature"
	CodeType            Code = "type"
	CodeFuture          Code = "future"
	CodeDecode          Code = "decode"
	CodeExpect          Code = "expect"
	CodeNotFinite       Code = "not_finite" // only of dead letters
	CodeTooLarge        Code = "too_large"
	CodeLimit           Code = "limit"
	CodeConflict        Code = "conflict"
	CodeCertified       Code = "certified"
	CodeExpired         Code = "expired"
	CodeFrozen          Code = "frozen"
	CodeUnauthenticated Code = "unauthenticated"
	CodeForbidden       Code = "forbidden"
	CodeUnavailable     Code = "unavailable"
)

// LetterCodes returns the codes that a dead letter may have as its reason.
func LetterCodes() []Code {
	return []Code{
		CodeDecode, CodeType, CodeInvalidArgument, CodeUnknownView, CodeUnknownFeature, CodeTooLarge, CodeFuture, CodeExpect, CodeNotFinite,
	}
}

// Error is an error with a code of the contract, a message that says what was
// wrong and where, and a hint that says what to do.
type Error struct {
	Code    Code
	Message string
	Hint    string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Is matches another *Error of the same code.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code == e.Code
}
