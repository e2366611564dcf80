package control

import "sluice/feature"

// codeInternal is the code of an error that is no client's: its text is in the log
// only.
const codeInternal feature.Code = "internal"

// CodeHelp says what an error code of the doors that speak JSON means. Its status
// is Code.HTTPStatus.
type CodeHelp struct {
	Code feature.Code
	Help string
}

// Codes returns every error code, by the mistake that it is about: the request,
// what it names, who asks, what is there, the server.
func Codes() []CodeHelp {
	return []CodeHelp{
		{feature.CodeInvalidArgument, "The request cannot be read, or names something that is not there (404), or with a method that is not answered (405)."},
		{feature.CodeType, "A value is not of the declared type."},
		{feature.CodeDecode, "A record or a value cannot be read."},
		{feature.CodeFuture, "An event time is too far ahead of the clock."},
		{feature.CodeExpect, "A value is outside what its feature expects."},
		{feature.CodeNotFinite, "A value is not-a-number or infinite, which its feature refuses (`not_finite: reject`); of dead letters alone."},
		{feature.CodeUnknownView, "No view has this name."},
		{feature.CodeUnknownFeature, "The view has no feature of this name."},
		{feature.CodeUnknownService, "No feature service has this name."},
		{feature.CodeUnauthenticated, "There is no token, or one that is not known."},
		{feature.CodeForbidden, "The token's role does not allow it."},
		{feature.CodeTooLarge, "A request or a record has too many bytes."},
		{feature.CodeLimit, "A request has too many parts, such as keys or lines."},
		{feature.CodeConflict, "Somebody else changed it first, or it is not in the state that the request takes it for. Nothing was changed."},
		{feature.CodeCertified, "The version is past its probation and cannot be taken out any more."},
		{feature.CodeFrozen, "The view is frozen, and this would change what is visible."},
		{feature.CodeExpired, "What the request needs is no longer kept, as records that the log has removed."},
		{feature.CodeUnavailable, "It cannot be done now, or there was no news in the time that was waited (408). Ask again."},
		{codeInternal, "Something is wrong in the server: its log says what."},
	}
}
