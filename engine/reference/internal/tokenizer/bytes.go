package tokenizer

// byteOf maps the printable character that stands for a byte in a byte-level vocabulary to
// that byte: printable Latin-1 stands for itself, the rest is moved above U+0100.
var byteOf = byteAlphabet()

func byteAlphabet() map[rune]byte {
	bytes := make(map[rune]byte, 256)
	moved := rune(0x100)
	for b := range 256 {
		r := rune(b)
		printable := (r >= '!' && r <= '~') || (r >= 0xa1 && r <= 0xff && r != 0xad)
		if !printable {
			r, moved = moved, moved+1
		}
		bytes[r] = byte(b)
	}
	return bytes
}

// rawBytes returns the bytes that a vocabulary entry stands for, or reports false when it
// has a character outside the alphabet.
func rawBytes(entry string) (string, bool) {
	out := make([]byte, 0, len(entry))
	for _, r := range entry {
		b, ok := byteOf[r]
		if !ok {
			return entry, false
		}
		out = append(out, b)
	}
	return string(out), true
}
