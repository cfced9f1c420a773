package strictyaml

import (
	"errors"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A scalar is what a plain text means: YAML 1.1 (https://yaml.org/type/) with PyYAML's
// choices, which asks for a sign in exponents and for a dot in floats.
type scalar struct {
	kind kind
	data any
}

var (
	trueWords  = []string{"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}
	falseWords = []string{"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}
	nullWords  = []string{"", "~", "null", "Null", "NULL"}

	wholeNumber = regexp.MustCompile(`^[-+]?(` + strings.Join([]string{
		`0b[01_]+`,
		`0x[0-9a-fA-F_]+`,
		`0[0-7_]*`,
		`[1-9][0-9_]*`,
		`[1-9][0-9_]*(:[0-5]?[0-9])+`, // base 60
	}, "|") + `)$`)
	floatNumber = regexp.MustCompile(`^(` + strings.Join([]string{
		`[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?`,
		`\.[0-9][0-9_]*([eE][-+][0-9]+)?`,
		`[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*`, // base 60
		`[-+]?\.(inf|Inf|INF)`,
		`\.(nan|NaN|NAN)`,
	}, "|") + `)$`)
	timestamp = regexp.MustCompile(`^[0-9]{4}-([0-9]{2}-[0-9]{2}|` +
		`[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?` +
		`([ \t]*(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?)$`)
)

var (
	errNumber  = errors.New("it looks like a number but is none")
	errSpecial = errors.New("it has a special meaning in YAML and is no value")
	errBool    = errors.New("it is tagged as a boolean but is none")
	errTime    = errors.New("it is tagged as a date but is none")
	errTag     = errors.New("its tag is not supported")
)

// plain gives the meaning of an unquoted, untagged scalar.
func plain(text string) (scalar, error) {
	switch {
	case slices.Contains(nullWords, text):
		return scalar{kind: nullKind}, nil
	case slices.Contains(trueWords, text):
		return scalar{boolKind, true}, nil
	case slices.Contains(falseWords, text):
		return scalar{boolKind, false}, nil
	case floatNumber.MatchString(text):
		return parseFloat(text)
	case wholeNumber.MatchString(text):
		return parseInt(text)
	case timestamp.MatchString(text):
		return scalar{timeKind, text}, nil
	case text == "<<" || text == "=":
		return scalar{}, errSpecial
	default:
		return scalar{textKind, text}, nil
	}
}

// tagged gives the meaning of a scalar with an explicit tag, quoted or not.
func tagged(tag, text string) (scalar, error) {
	switch tag {
	case "!!str":
		return scalar{textKind, text}, nil
	case "!!null":
		return scalar{kind: nullKind}, nil
	case "!!int":
		return parseInt(text)
	case "!!float":
		return parseFloat(text)
	case "!!bool":
		if s, err := plain(strings.ToLower(text)); err == nil && s.kind == boolKind {
			return s, nil
		}
		return scalar{}, errBool
	case "!!timestamp":
		if timestamp.MatchString(text) {
			return scalar{timeKind, text}, nil
		}
		return scalar{}, errTime
	default:
		return scalar{}, errTag
	}
}

func parseInt(text string) (scalar, error) {
	digits, negative := unsigned(text)
	n, ok := new(big.Int), true
	switch {
	case strings.HasPrefix(digits, "0b"):
		n, ok = n.SetString(digits[2:], 2)
	case strings.HasPrefix(digits, "0x"):
		n, ok = n.SetString(digits[2:], 16)
	case strings.HasPrefix(digits, "0"):
		n, ok = n.SetString(strings.TrimPrefix(digits, "0o"), 8)
	default:
		for part := range strings.SplitSeq(digits, ":") {
			var d *big.Int
			if d, ok = new(big.Int).SetString(part, 10); !ok {
				break
			}
			n.Add(n.Mul(n, big.NewInt(60)), d)
		}
	}
	if !ok {
		return scalar{}, errNumber
	}
	if negative {
		n.Neg(n)
	}
	return scalar{intKind, integer(n)}, nil
}

func parseFloat(text string) (scalar, error) {
	digits, negative := unsigned(text)
	digits = strings.ToLower(digits)
	sum, base := 0.0, 1.0
	switch digits {
	case ".inf":
		sum = math.Inf(1)
	case ".nan":
		sum = math.NaN()
	default:
		parts := strings.Split(digits, ":")
		for _, part := range slices.Backward(parts) {
			f, err := strconv.ParseFloat(part, 64)
			if err != nil && !errors.Is(err, strconv.ErrRange) || strings.Contains(part, "x") {
				return scalar{}, errNumber
			}
			sum += f * base
			base *= 60
		}
	}
	if negative {
		sum = -sum
	}
	return scalar{floatKind, sum}, nil
}

// unsigned removes the underscores between digits, and the sign.
func unsigned(text string) (digits string, negative bool) {
	digits = strings.TrimSpace(strings.ReplaceAll(text, "_", ""))
	if rest, ok := strings.CutPrefix(digits, "-"); ok {
		return rest, true
	}
	return strings.TrimPrefix(digits, "+"), false
}
