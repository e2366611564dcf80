// Package tabular reads the files that people push: JSON lines, CSV and
// Parquet, each row as one line of flat JSON.
//
// It changes no value. What a row cannot be as JSON (an infinity, a text that is
// no number, broken UTF-8) is handed on in a form that the tap refuses and puts
// with the dead letters, never in one that it would take for something else.
//
// Parquet files are not trusted: a few bytes of them can make the reading library
// ask for gigabytes, which no recover catches. Open therefore reads them in a
// child process, the same program started again, under a limit of memory; a
// program that calls Open must call ServeChild first thing in main. Columns reads
// a file that the caller trusts, such as one that is part of the program. A Writer writes
// Parquet.
//
// A Reader belongs to one goroutine. Package tabular imports feature only.
package tabular
