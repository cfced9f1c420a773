package vllm

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// architectures are names of models' classes.
type architectures map[string]bool

// fewestArchitectures is below what any vLLM has: a list that is shorter was misread.
const fewestArchitectures = 40

var (
	registryKey = regexp.MustCompile(`(?m)^    ["'](\w+)["']: \(`)
	mappedClass = regexp.MustCompile(`["']([A-Z]\w+)["']\s*\)`)
)

// readArchitectures reads vLLM's own list; nil where it cannot be read.
func readArchitectures(inst install) architectures {
	src, err := os.ReadFile(filepath.Join(inst.pkg, "model_executor", "models", "registry.py"))
	if err != nil || inst.pkg == "" {
		return nil
	}
	found := scanClasses(registryKey, src)
	if len(found) < fewestArchitectures {
		return nil
	}
	return found
}

// readTransformers reads the list of the installed transformers, whose models vLLM runs
// too; nil where it cannot be read.
func readTransformers(inst install) architectures {
	src, err := os.ReadFile(filepath.Join(filepath.Dir(inst.pkg), "transformers", "models", "auto", "modeling_auto.py"))
	if err != nil {
		return nil
	}
	found := scanClasses(mappedClass, src)
	if len(found) < fewestArchitectures {
		return nil
	}
	return found
}

func scanClasses(re *regexp.Regexp, src []byte) architectures {
	found := architectures{}
	for _, m := range re.FindAllSubmatch(src, -1) {
		found[string(m[1])] = true
	}
	return found
}

// roleSuffixes are what vLLM exchanges to run one model in another role.
var roleSuffixes = []string{
	"ForCausalLM", "ForConditionalGeneration", "ChatModel", "LMHeadModel", "ForTextEncoding", "EmbeddingModel",
	"ForSequenceClassification", "ForTokenClassification", "ForAudioClassification", "ForImageClassification",
	"ForVideoClassification", "ClassificationModel", "ForRewardModeling", "RewardModel", "Model",
}

// hasAny reports whether one of the names, or its like in another role, is in the list.
func (a architectures) hasAny(names []string) bool {
	for _, name := range names {
		if a[name] {
			return true
		}
		for _, from := range roleSuffixes {
			base, ok := strings.CutSuffix(name, from)
			for _, to := range roleSuffixes {
				if ok && a[base+to] {
					return true
				}
			}
		}
	}
	return false
}

func (a architectures) names() []string { return slices.Collect(maps.Keys(a)) }

// supports reports whether an installation can run one of the architectures, as far as
// its lists tell: what cannot be read may hold it.
func (i install) supports(names []string) (ok bool, known architectures) {
	known = readArchitectures(i)
	if known == nil || known.hasAny(names) {
		return true, known
	}
	more := readTransformers(i)
	if more == nil || more.hasAny(names) || i.hasPlugins() {
		return true, known
	}
	maps.Copy(known, more)
	return false, known
}
