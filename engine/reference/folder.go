package reference

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spinup-llm/spinup/engine/reference/internal/chat"
	"github.com/spinup-llm/spinup/engine/reference/internal/generate"
	"github.com/spinup-llm/spinup/engine/reference/internal/model"
	"github.com/spinup-llm/spinup/lifecycle"
)

// A folder is what the small files of a model say.
type folder struct {
	dir    string
	config *model.Config
	eos    []int
	// defaults are for requests that say nothing else.
	defaults generate.Sampling
	tokens   chat.Tokens
	template string // "" means that there is none
}

// generationFile is the part of a generation_config.json that is used.
type generationFile struct {
	EOS         model.IDs `json:"eos_token_id"`
	Temperature *float64  `json:"temperature"`
	TopP        float64   `json:"top_p"`
	TopK        int       `json:"top_k"`
}

// tokenizerFile is the part of a tokenizer_config.json that is used.
type tokenizerFile struct {
	BOS      specialToken  `json:"bos_token"`
	EOS      specialToken  `json:"eos_token"`
	UNK      specialToken  `json:"unk_token"`
	PAD      specialToken  `json:"pad_token"`
	Template templateField `json:"chat_template"`
}

// specialToken is written as a string or as an object.
type specialToken string

// UnmarshalJSON implements json.Unmarshaler.
func (t *specialToken) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		var v struct{ Content string }
		err := json.Unmarshal(b, &v)
		*t = specialToken(v.Content)
		return err
	}
	return json.Unmarshal(b, (*string)(t))
}

// templateField is one template, or several with names of which "default" counts.
type templateField string

// UnmarshalJSON implements json.Unmarshaler.
func (t *templateField) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '[' {
		return json.Unmarshal(b, (*string)(t))
	}
	var list []struct{ Name, Template string }
	err := json.Unmarshal(b, &list)
	for _, v := range list {
		if v.Name == "default" {
			*t = templateField(v.Template)
		}
	}
	return err
}

// readFolder reads config.json and, where they are, the files beside it.
func readFolder(dir string) (*folder, error) {
	if info, err := os.Stat(dir); dir == "" || err != nil || !info.IsDir() {
		return nil, &lifecycle.Error{
			Op: "reference.Check", Kind: lifecycle.MissingFile, Target: dir, Err: errors.Join(errors.New("there is no such folder"), err),
			Hint: "give a folder in Hugging Face layout: config.json, tokenizer.json and safetensors",
		}
	}
	f := &folder{dir: dir}
	var err error
	if f.config, err = model.ReadConfig(f.path("config.json")); err != nil {
		return nil, err
	}
	f.eos = f.config.EOS
	if err = f.readGeneration(); err != nil {
		return nil, err
	}
	return f, f.readTokenizer()
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f *folder) readGeneration() error {
	var g generationFile
	if err := f.readJSON("generation_config.json", &g); err != nil {
		return err
	}
	if len(g.EOS) > 0 {
		f.eos = g.EOS
	}
	f.defaults = generate.Sampling{Temperature: 1, TopP: g.TopP, TopK: g.TopK}
	if g.Temperature != nil {
		f.defaults.Temperature = *g.Temperature
	}
	return nil
}

// readTokenizer finds the special tokens and the chat template. A chat_template.jinja wins,
// as it does in transformers.
func (f *folder) readTokenizer() error {
	var t tokenizerFile
	for _, name := range []string{"special_tokens_map.json", "tokenizer_config.json"} {
		if err := f.readJSON(name, &t); err != nil {
			return err
		}
	}
	f.tokens = chat.Tokens{BOS: string(t.BOS), EOS: string(t.EOS), UNK: string(t.UNK), PAD: string(t.PAD)}
	f.template = string(t.Template)
	text, err := os.ReadFile(f.path("chat_template.jinja"))
	switch {
	case err == nil:
		f.template = string(text)
	case !errors.Is(err, fs.ErrNotExist):
		return unreadable(f.path("chat_template.jinja"), err)
	}
	return nil
}

// readJSON decodes a file that need not be there.
func (f *folder) readJSON(name string, v any) error {
	text, err := os.ReadFile(f.path(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return unreadable(f.path(name), err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return &lifecycle.Error{
			Op: "reference.Check", Kind: lifecycle.Invalid, Target: f.path(name), Err: err,
			Hint: "repair the file, or download it again",
		}
	}
	return nil
}

func unreadable(path string, err error) error {
	return &lifecycle.Error{
		Op: "reference.Check", Kind: lifecycle.AccessDenied, Target: path, Err: err, Hint: "make the file readable for this user",
	}
}
