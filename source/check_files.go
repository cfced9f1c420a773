package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

// maxJSON bounds the JSON files that are read whole, in bytes. The index of the largest
// open models has about 10 MB.
const maxJSON = 128 << 20

// config checks config.json. GGUF files carry their own, Mistral's format has params.json.
func (c *checker) config(ctx context.Context, weights []File) error {
	f, ok := c.m.File("config.json")
	switch {
	case !ok && (c.has("params.json") || hasGGUF(weights)):
		return nil
	case !ok && slices.ContainsFunc(c.top(), isAdapter):
		return c.missing("config.json", "give the base model as the source, and this one as an adapter",
			"this is a LoRA adapter, not a model")
	case !ok && c.elsewhere() != "":
		dir := c.elsewhere()
		return c.missing("config.json", "give the folder "+strings.TrimSuffix(c.m.URI, "/")+"/"+dir+" as the source",
			"the model seems to lie in the folder %q", dir)
	case !ok:
		return c.missing("config.json", layout, "there is none")
	}
	var object map[string]json.RawMessage
	return c.readJSON(ctx, f, &object)
}

// tokenizers matches the files that one of the known tokenizers is read from.
var tokenizers = regexp.MustCompile(`^(tokenizer\.json|tokenizer(\.mm)?\.model(\.v\d+\w*)?|tekken\.json|vocab\.txt|.*\.tiktoken|tiktoken\.model|spiece\.model|sentencepiece\.bpe\.model|.*\.spm|tokenization_.*\.py)$`)

func (c *checker) tokenizer(weights []File) error {
	if hasGGUF(weights) || slices.ContainsFunc(c.top(), func(f File) bool { return tokenizers.MatchString(f.Path) }) {
		return nil
	}
	switch vocab, merges := c.has("vocab.json"), c.has("merges.txt"); {
	case vocab && merges:
		return nil
	case vocab:
		return c.missing("merges.txt", layout, "vocab.json is there without its merges.txt")
	case merges:
		return c.missing("vocab.json", layout, "merges.txt is there without its vocab.json")
	}
	return c.missing("tokenizer.json", layout, "there is no tokenizer")
}

// readJSON reads all of f, at most maxJSON, into v.
func (c *checker) readJSON(ctx context.Context, f File, v any) error {
	if f.Size > maxJSON {
		return c.corrupt(f.Path, fmt.Errorf("%d bytes are too many for this file", f.Size))
	}
	data, err := c.read(ctx, f, 0, f.Size)
	if err != nil {
		return err
	}
	err = json.Unmarshal(data, v)
	switch syntax, ok := errors.AsType[*json.SyntaxError](err); {
	case err == nil && bytes.Equal(bytes.TrimSpace(data), []byte("null")):
		return c.corrupt(f.Path, errors.New("it is null instead of a JSON object"))
	case err == nil:
		return nil
	case bytes.HasPrefix(data, []byte("version https://git-lfs")):
		return c.corrupt(f.Path, errors.New("it is a Git LFS pointer, not the file itself"))
	case ok:
		return c.corrupt(f.Path, fmt.Errorf("it is not JSON: %w at byte %d of %d", err, syntax.Offset, f.Size))
	default:
		return c.corrupt(f.Path, fmt.Errorf("its JSON has another form: %w", err))
	}
}

// read returns the bytes [off, off+n) of f, which has to have as many. A source that fails ends
// the check: what is left to read would wait for it as long again.
func (c *checker) read(ctx context.Context, f File, off, n int64) ([]byte, error) {
	data := make([]byte, n)
	err := Read(ctx, c.src, f, off, n, func(r io.Reader) error {
		_, err := io.ReadFull(r, data)
		if err == io.EOF || err == io.ErrUnexpectedEOF { // its own: those of src have a kind
			return c.corrupt(f.Path, fmt.Errorf("the file ends before byte %d", off+n))
		}
		return err
	})
	if lifecycle.KindOf(err).Temporary() {
		c.giveUp(err)
	}
	return data, err
}
