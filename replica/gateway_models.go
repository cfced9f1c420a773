package replica

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Model is one entry of a Gateway.
type Model struct {
	ID string
	// Aliases are other names that requests may use. Each leads to the model where it has
	// "", else to the adapter of this name.
	Aliases map[string]string
	Created time.Time
	Set     *Set
}

// modelCard is an entry of /v1/models.
type modelCard struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"` // Unix seconds
	OwnedBy string `json:"owned_by"`
	Root    string `json:"root,omitempty"`   // of an alias: what it leads to
	Parent  string `json:"parent,omitempty"` // of an adapter: the model's id
}

func (m *Model) card() modelCard {
	return modelCard{ID: m.ID, Object: "model", Created: m.Created.Unix(), OwnedBy: "spinup"}
}

func (m *Model) adapterCard(name string) modelCard {
	card := m.card()
	card.ID, card.Parent = m.ID+":"+name, m.ID
	return card
}

// cards are the models that r's key may use, their other names, and the adapters that are
// loaded.
func (g *Gateway) cards(r *http.Request) []modelCard {
	cards := []modelCard{}
	for _, m := range g.models {
		if !keyOf(r).allows(m.ID) {
			continue
		}
		cards = append(cards, m.card())
		for _, alias := range slices.Sorted(maps.Keys(m.Aliases)) {
			card := m.card()
			if adapter := m.Aliases[alias]; adapter != "" {
				card = m.adapterCard(adapter)
			}
			card.ID, card.Root = alias, card.ID
			cards = append(cards, card)
		}
		for _, name := range m.Set.adapters() {
			cards = append(cards, m.adapterCard(name))
		}
	}
	return cards
}

func (g *Gateway) list(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": g.cards(r)})
}

// describe answers for adapters that are not loaded, too.
func (g *Gateway) describe(w http.ResponseWriter, r *http.Request) {
	id, cards := r.PathValue("id"), g.cards(r)
	if i := slices.IndexFunc(cards, func(c modelCard) bool { return c.ID == id }); i >= 0 {
		writeJSON(w, http.StatusOK, cards[i])
		return
	}
	to, ok := g.find(id)
	if !ok || !keyOf(r).allows(to.model) {
		g.unknownModel(w, r, id)
		return
	}
	if err := to.router.set.lookUp(r.Context(), to.adapter); err != nil {
		refuseAdapter(w, to.adapter, err)
		return
	}
	i := slices.IndexFunc(g.models, func(m Model) bool { return m.ID == to.model })
	writeJSON(w, http.StatusOK, g.models[i].adapterCard(to.adapter))
}

// longestShown is how many bytes of a name are worth repeating.
const longestShown = 200

func (g *Gateway) unknownModel(w http.ResponseWriter, r *http.Request, id string) {
	badRequest(w, http.StatusNotFound, "model_not_found",
		fmt.Sprintf("the model %q does not exist%s", id[:min(len(id), longestShown)], g.known(r)))
}

// known ends a message with the models that there are.
func (g *Gateway) known(r *http.Request) string {
	var names []string
	for _, c := range g.cards(r) {
		names = append(names, c.ID)
	}
	return "; known models: " + strings.Join(names, ", ")
}
