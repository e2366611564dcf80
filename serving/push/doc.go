// Package push reads the rows of a push in Feast's forms, columns of JSON, one row of text
// or one of typed values, and makes the records of them that a view's topic carries.
//
// A Table is rows whose cells are read once the view says what type they have. Nothing is
// converted: the first cell that is not of its column's type refuses the whole push, with a
// message that names it. What a record looks like is in the design, section 3; whoever
// appends it to the log is not known here.
//
// A Table is of one goroutine; functions are pure. Package push imports feature, api,
// serving/refusal and serving/jsonform.
package push
