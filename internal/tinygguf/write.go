package tinygguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
)

// Options change what is written; nil means the defaults.
type Options struct {
	Shards       int    // files; 0 means 1. Of more, each has -0000N-of-0000M before its .gguf
	Architecture string // "" means llama
}

// Write makes file of the model in dir.
func Write(file, dir string, o *Options) error {
	if o == nil {
		o = &Options{}
	}
	m, err := read(dir)
	if err != nil {
		return fmt.Errorf("tinygguf: %w", err)
	}
	architecture := o.Architecture
	if architecture == "" {
		architecture = "llama"
	}
	shards := max(1, o.Shards)
	for i := range shards {
		var keys entries
		if i == 0 {
			keys = m.metadata(architecture)
		}
		name := file
		if shards > 1 {
			name = fmt.Sprintf("%s-%05d-of-%05d.gguf", strings.TrimSuffix(file, ".gguf"), i+1, shards)
			keys = append(keys, entry{"split.no", uint16(i)}, entry{"split.count", uint16(shards)}, //nolint:gosec // a few
				entry{"split.tensors.count", int32(len(m.tensors))}) //nolint:gosec // a few
		}
		part := m.tensors[i*len(m.tensors)/shards : (i+1)*len(m.tensors)/shards]
		if err := os.WriteFile(name, encode(keys, part), 0o600); err != nil {
			return fmt.Errorf("tinygguf: %w", err)
		}
	}
	return nil
}

type (
	entry struct {
		key   string
		value any
	}
	entries []entry
)

func (m *model) metadata(architecture string) entries {
	keys := entries{{"general.architecture", architecture}, {"general.name", "tiny"}, {"general.file_type", uint32(32)}} // mostly BF16
	for _, n := range []struct {
		name  string
		value int
	}{
		{"context_length", m.Positions},
		{"embedding_length", m.Hidden},
		{"block_count", m.Layers},
		{"feed_forward_length", m.Intermediate},
		{"attention.head_count", m.Heads},
		{"attention.head_count_kv", m.KVHeads},
		{"rope.dimension_count", m.HeadDim},
		{"attention.key_length", m.HeadDim},
		{"attention.value_length", m.HeadDim},
		{"vocab_size", m.VocabSize},
	} {
		keys = append(keys, entry{architecture + "." + n.name, uint32(n.value)}) //nolint:gosec // a tiny model's
	}
	keys = append(keys,
		entry{architecture + ".attention.layer_norm_rms_epsilon", m.Epsilon}, entry{architecture + ".rope.freq_base", m.Theta})
	return append(keys, m.tokenizer()...)
}

// tokenizer is Llama 3's. Tokens that the file does not name fill the vocabulary up.
func (m *model) tokenizer() entries {
	const normal, control, unused = 1, 3, 5
	tokens, types := make([]string, m.VocabSize), make([]int32, m.VocabSize)
	for i := range tokens {
		tokens[i], types[i] = fmt.Sprintf("[PAD%d]", i), unused
	}
	for token, id := range m.Model.Vocab {
		tokens[id], types[id] = token, normal
	}
	eos := 0
	for _, added := range m.Added {
		tokens[added.ID], types[added.ID] = added.Content, control
		if added.Content == m.eos {
			eos = added.ID
		}
	}
	merges := make([]string, len(m.Model.Merges))
	for i, pair := range m.Model.Merges {
		merges[i] = pair[0] + " " + pair[1]
	}
	return entries{
		{"tokenizer.ggml.model", "gpt2"},
		{"tokenizer.ggml.pre", "llama-bpe"},
		{"tokenizer.ggml.tokens", tokens},
		{"tokenizer.ggml.token_type", types},
		{"tokenizer.ggml.merges", merges},
		{"tokenizer.ggml.bos_token_id", uint32(m.BOS)}, //nolint:gosec // a tiny vocabulary's
		{"tokenizer.ggml.eos_token_id", uint32(eos)},
		{"tokenizer.chat_template", m.template},
	}
}

const alignment = 32

// encode is a file of version 3.
func encode(keys entries, tensors []tensor) []byte {
	le := binary.LittleEndian
	b := append([]byte("GGUF"), 3, 0, 0, 0)
	b = le.AppendUint64(le.AppendUint64(b, uint64(len(tensors))), uint64(len(keys)))
	for _, e := range keys {
		b = appendValue(appendText(b, e.key), e.value)
	}
	var offset uint64
	for _, t := range tensors {
		b = le.AppendUint32(appendText(b, t.name), uint32(len(t.dims))) //nolint:gosec // one or two
		for _, n := range t.dims {
			b = le.AppendUint64(b, n)
		}
		b = le.AppendUint64(le.AppendUint32(b, t.kind), offset)
		offset += uint64(len(padded(t.data)))
	}
	b = padded(b)
	for _, t := range tensors {
		b = append(b, padded(t.data)...)
	}
	return b
}

func padded(b []byte) []byte {
	return append(slices.Clip(b), make([]byte, -len(b)&(alignment-1))...)
}

func appendText(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

// appendValue writes the type and the value.
func appendValue(b []byte, v any) []byte {
	le := binary.LittleEndian
	switch v := v.(type) {
	case uint16:
		return le.AppendUint16(le.AppendUint32(b, 2), v)
	case uint32:
		return le.AppendUint32(le.AppendUint32(b, 4), v)
	case int32:
		return le.AppendUint32(le.AppendUint32(b, 5), uint32(v)) //nolint:gosec // its bits are meant
	case float32:
		return le.AppendUint32(le.AppendUint32(b, 6), math.Float32bits(v))
	case string:
		return appendText(le.AppendUint32(b, 8), v)
	case []string:
		b = le.AppendUint64(le.AppendUint32(le.AppendUint32(b, 9), 8), uint64(len(v)))
		for _, s := range v {
			b = appendText(b, s)
		}
	case []int32:
		b = le.AppendUint64(le.AppendUint32(le.AppendUint32(b, 9), 5), uint64(len(v)))
		for _, n := range v {
			b = le.AppendUint32(b, uint32(n)) //nolint:gosec // its bits are meant
		}
	}
	return b
}
