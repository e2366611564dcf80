package feature

// CodeUnknownService names a service that no definition has.
const CodeUnknownService Code = "unknown_service"

// HTTPStatus returns the HTTP status that goes with c on every door that speaks
// JSON; 500 for a word that is not a code. A client's mistake is never 429 or
// above 499, which clients retry.
func (c Code) HTTPStatus() int {
	switch c {
	case CodeInvalidArgument, CodeType, CodeFuture, CodeDecode, CodeExpect, CodeNotFinite:
		return 400
	case CodeUnauthenticated:
		return 401
	case CodeForbidden:
		return 403
	case CodeUnknownView, CodeUnknownFeature, CodeUnknownService:
		return 404
	case CodeConflict, CodeCertified, CodeFrozen:
		return 409
	case CodeExpired:
		return 410
	case CodeTooLarge, CodeLimit:
		return 413
	case CodeUnavailable:
		return 503
	}
	return 500
}
