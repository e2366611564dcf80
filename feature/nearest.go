package feature

// Nearest returns the name among known that name was most likely meant to be:
// the one with the fewest letters to insert, delete or replace, the first of
// equals. It is empty if even that one differs in more than a third of its
// letters (at least two may differ). Names longer than 255 bytes have none.
func Nearest(name string, known []string) string {
	best, bestAt := "", 1<<30
	for _, k := range known {
		if len(name) > 255 || len(k) > 255 {
			continue
		}
		d := edits(name, k)
		if d <= max(2, len(k)/3) && d < len(k) && d < bestAt {
			best, bestAt = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance of a and b in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := min(row[j], row[j+1]) + 1
			if a[i] == b[j] {
				next = min(next, diagonal)
			} else {
				next = min(next, diagonal+1)
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
