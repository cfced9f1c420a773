package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// file is the part of a tokenizer.json that decides about ids.
type file struct {
	AddedTokens []struct {
		ID         int    `json:"id"`
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
		Special    bool   `json:"special"`
	} `json:"added_tokens"`
	Normalizer    *component `json:"normalizer"`
	PreTokenizer  *component `json:"pre_tokenizer"`
	PostProcessor *component `json:"post_processor"`
	Decoder       *component `json:"decoder"`
	Model         bpeModel   `json:"model"`
}

// component is any of the typed parts; each type uses a few of the fields.
type component struct {
	Type             string      `json:"type"`
	Pretokenizers    []component `json:"pretokenizers"`
	Normalizers      []component `json:"normalizers"`
	Processors       []component `json:"processors"`
	Decoders         []component `json:"decoders"`
	AddPrefixSpace   bool        `json:"add_prefix_space"`
	UseRegex         *bool       `json:"use_regex"` // absent means true
	IndividualDigits bool        `json:"individual_digits"`
	Behavior         string      `json:"behavior"`
	Invert           bool        `json:"invert"`
	Pattern          struct {
		Regex  *string
		String *string
	} `json:"pattern"`
	Single        []templatePiece `json:"single"`
	SpecialTokens map[string]struct {
		IDs []int `json:"ids"`
	} `json:"special_tokens"`
}

// templatePiece is one step of a TemplateProcessing: a special token or the sequence.
type templatePiece struct {
	SpecialToken *struct {
		ID string `json:"id"`
	}
	Sequence *struct {
		ID string `json:"id"`
	}
}

type bpeModel struct {
	Type                    string          `json:"type"`
	Dropout                 *float64        `json:"dropout"`
	UnkToken                *string         `json:"unk_token"`
	ContinuingSubwordPrefix *string         `json:"continuing_subword_prefix"`
	EndOfWordSuffix         *string         `json:"end_of_word_suffix"`
	ByteFallback            bool            `json:"byte_fallback"`
	IgnoreMerges            bool            `json:"ignore_merges"`
	Vocab                   json.RawMessage `json:"vocab"`
	Merges                  []merge         `json:"merges"`
}

// merge is one rule, written as "a b" in older files and as ["a", "b"] in newer ones.
type merge [2]string

// UnmarshalJSON implements json.Unmarshaler.
func (m *merge) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		var pair []string
		if err := json.Unmarshal(b, &pair); err != nil {
			return err
		}
		if len(pair) != 2 {
			return fmt.Errorf("a merge of %d tokens", len(pair))
		}
		*m = merge(pair)
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	a, z, ok := strings.Cut(s, " ")
	if !ok {
		return fmt.Errorf("merge %.40q has no space", s)
	}
	*m = merge{a, z}
	return nil
}

// check refuses models that this package would tokenize wrongly.
func (m *bpeModel) check() error {
	switch {
	case m.Type == "" && len(m.Vocab) == 0:
		return errors.New("model is missing")
	case m.Type != "BPE" && m.Type != "":
		return fmt.Errorf("model.type %q", m.Type)
	case m.ByteFallback:
		return errors.New("model.byte_fallback (a sentencepiece tokenizer)")
	case m.Dropout != nil && *m.Dropout != 0:
		return errors.New("model.dropout")
	case m.ContinuingSubwordPrefix != nil && *m.ContinuingSubwordPrefix != "":
		return errors.New("model.continuing_subword_prefix")
	case m.EndOfWordSuffix != nil && *m.EndOfWordSuffix != "":
		return errors.New("model.end_of_word_suffix")
	}
	return nil
}
