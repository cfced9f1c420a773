package bench

import "slices"

// Median returns the middle of the values, or the mean of the two in the middle; 0 of none.
func Median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	if n == 0 {
		return 0
	}
	return (s[(n-1)/2] + s[n/2]) / 2
}

// Ratio returns the median of a[i]/b[i]: what was measured in the same round is compared,
// so that it holds when the speed of the machine drifts. Rounds that lack a value (0) do
// not count; 0 means that there was none.
func Ratio(a, b []float64) float64 {
	var ratios []float64
	for i := range min(len(a), len(b)) {
		if a[i] > 0 && b[i] > 0 {
			ratios = append(ratios, a[i]/b[i])
		}
	}
	return Median(ratios)
}

// Order returns the order of n contestants in a round: every second goes backwards, and each
// pair begins with another one, so that none always follows the same one (two: A B B A).
func Order(n, round int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = (i + round/2) % n
	}
	if round%2 == 1 {
		slices.Reverse(order)
	}
	return order
}
