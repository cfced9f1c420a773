package tokenizer

// Split cuts text by the pre-tokenizer alone.
func (t *Tokenizer) Split(text string) []string { return t.split(text) }
