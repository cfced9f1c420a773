package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spinup-llm/spinup/lifecycle"
	"golang.org/x/text/unicode/norm"
)

// maxID bounds the ids that a file may give, so that a broken one costs no memory.
const maxID = 1 << 24

// A Tokenizer turns text into ids and back. It is safe for concurrent use.
type Tokenizer struct {
	bpe        *bpe
	splitters  []splitter
	nfc        bool
	raw        added // found in the text as it is
	normalized added // found after normalisation
	texts      map[int]string
	special    map[int]bool
	before     []int // what the post-processor puts around a text
	after      []int
}

// Load reads a tokenizer.json.
func Load(path string) (*Tokenizer, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the model's folder is the caller's choice
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &lifecycle.Error{
			Op: "tokenizer.Load", Kind: lifecycle.MissingFile, Target: path, Err: fs.ErrNotExist,
			Hint: "give a model with a tokenizer.json; a tokenizer.model alone (sentencepiece) is not supported",
		}
	}
	if err != nil {
		return nil, &lifecycle.Error{Op: "tokenizer.Load", Kind: lifecycle.Unavailable, Target: path, Err: err}
	}
	t, err := Parse(text)
	if err != nil {
		return nil, &lifecycle.Error{
			Op: "tokenizer.Load", Kind: lifecycle.Invalid, Target: path, Err: err,
			Hint: "use a model with a byte-level BPE tokenizer.json, as Llama 3, Qwen 2 and Qwen 3 have, or another engine",
		}
	}
	return t, nil
}

// Parse builds a Tokenizer from the text of a tokenizer.json.
func Parse(text []byte) (*Tokenizer, error) {
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, err
	}
	if err := f.Model.check(); err != nil {
		return nil, unsupported(err)
	}
	t := &Tokenizer{special: map[int]bool{}}
	var err error
	if t.nfc, err = normalizer(f.Normalizer); err != nil {
		return nil, unsupported(err)
	}
	if t.splitters, err = splitters(f.PreTokenizer); err != nil {
		return nil, unsupported(err)
	}
	if !f.PreTokenizer.byteLevel() || !f.Decoder.byteLevel() {
		return nil, unsupported(errors.New("pre_tokenizer or decoder without ByteLevel"))
	}
	if t.bpe, t.texts, err = newBPE(&f.Model); err != nil {
		return nil, err
	}
	if err = t.addTokens(&f); err != nil {
		return nil, err
	}
	return t, t.postProcess(f.PostProcessor)
}

func unsupported(err error) error { return fmt.Errorf("not supported: %w", err) }

// Encode returns the ids of text. With special, the post-processor's special tokens are
// put around it. Added tokens that stand in the text become their ids.
func (t *Tokenizer) Encode(text string, special bool) []int {
	var ids []int
	if special {
		ids = append(ids, t.before...)
	}
	token := func(id int) { ids = append(ids, id) }
	t.raw.cut(text, func(s string) {
		if t.nfc {
			s = norm.NFC.String(s)
		}
		t.normalized.cut(s, func(s string) {
			for _, p := range t.split(s) {
				ids = t.bpe.encode(ids, p)
			}
		}, token)
	}, token)
	if special {
		ids = append(ids, t.after...)
	}
	return ids
}

// split cuts s by each splitter in turn.
func (t *Tokenizer) split(s string) []string {
	pieces := [][]rune{[]rune(s)}
	for _, first := range t.splitters {
		var next [][]rune
		for _, p := range pieces {
			for len(p) > 0 {
				n := first(p)
				next, p = append(next, p[:n]), p[n:]
			}
		}
		pieces = next
	}
	out := make([]string, len(pieces))
	for i, p := range pieces {
		out[i] = string(p)
	}
	return out
}

// addTokens enters the added tokens; they win over the vocabulary.
func (t *Tokenizer) addTokens(f *file) error {
	for _, a := range f.AddedTokens {
		if a.ID < 0 || a.ID > maxID {
			return fmt.Errorf("added token %.40q has id %d", a.Content, a.ID)
		}
		if a.SingleWord || a.LStrip || a.RStrip {
			return unsupported(fmt.Errorf("added token %.40q with single_word, lstrip or rstrip", a.Content))
		}
		t.texts[a.ID] = a.Content
		t.special[a.ID] = a.Special
		switch {
		case !a.Normalized:
			t.raw.add(a.Content, a.ID)
		case t.nfc:
			t.normalized.add(norm.NFC.String(a.Content), a.ID)
		default:
			t.normalized.add(a.Content, a.ID)
		}
	}
	return nil
}

func normalizer(c *component) (nfc bool, err error) {
	switch {
	case c == nil:
		return false, nil
	case c.Type == "NFC":
		return true, nil
	case c.Type == "Sequence" && len(c.Normalizers) == 0:
		return false, nil
	case c.Type == "Sequence" && len(c.Normalizers) == 1:
		return normalizer(&c.Normalizers[0])
	default:
		return false, fmt.Errorf("normalizer %s", c.Type)
	}
}

// postProcess collects what stands before and after a text. ByteLevel moves only offsets.
func (t *Tokenizer) postProcess(c *component) error {
	switch {
	case c == nil || c.Type == "ByteLevel":
		return nil
	case c.Type == "Sequence":
		for i := range c.Processors {
			if err := t.postProcess(&c.Processors[i]); err != nil {
				return err
			}
		}
		return nil
	case c.Type == "TemplateProcessing":
		return t.template(c)
	default:
		return unsupported(fmt.Errorf("post_processor %s", c.Type))
	}
}

func (t *Tokenizer) template(c *component) error {
	var sides [2][]int
	side := 0
	for _, piece := range c.Single {
		if piece.SpecialToken == nil {
			side++
			continue
		}
		special, ok := c.SpecialTokens[piece.SpecialToken.ID]
		if !ok || side > 1 {
			return fmt.Errorf("post_processor names token %.40q and does not define it", piece.SpecialToken.ID)
		}
		sides[side] = append(sides[side], special.IDs...)
	}
	if side != 1 {
		return unsupported(errors.New("post_processor template without exactly one sequence"))
	}
	t.before, t.after = append(sides[0], t.before...), append(t.after, sides[1]...)
	return nil
}
