package replica

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Model is one entry of a Gateway.
type Model struct {
	ID      string
	Aliases []string // other names that requests may use
	Created time.Time
	Set     *Set
}

// modelCard is an entry of /v1/models.
type modelCard struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"` // Unix seconds
	OwnedBy string `json:"owned_by"`
	Root    string `json:"root,omitempty"` // of an alias: the model's id
}

// cards are the models, and their other names, that r's key may use.
func (g *Gateway) cards(r *http.Request) []modelCard {
	cards := []modelCard{}
	for _, m := range g.models {
		if !keyOf(r).allows(m.ID) {
			continue
		}
		card := modelCard{ID: m.ID, Object: "model", Created: m.Created.Unix(), OwnedBy: "spinup"}
		cards = append(cards, card)
		for _, alias := range m.Aliases {
			card.ID, card.Root = alias, m.ID
			cards = append(cards, card)
		}
	}
	return cards
}

func (g *Gateway) list(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": g.cards(r)})
}

func (g *Gateway) describe(w http.ResponseWriter, r *http.Request) {
	id, cards := r.PathValue("id"), g.cards(r)
	i := slices.IndexFunc(cards, func(c modelCard) bool { return c.ID == id })
	if i < 0 {
		g.unknownModel(w, r, id)
		return
	}
	writeJSON(w, http.StatusOK, cards[i])
}

func (g *Gateway) unknownModel(w http.ResponseWriter, r *http.Request, id string) {
	const longest = 200 // bytes of a name that are worth repeating
	badRequest(w, http.StatusNotFound, "model_not_found",
		fmt.Sprintf("the model %q does not exist%s", id[:min(len(id), longest)], g.known(r)))
}

// known ends a message with the models that there are.
func (g *Gateway) known(r *http.Request) string {
	var names []string
	for _, c := range g.cards(r) {
		names = append(names, c.ID)
	}
	return "; known models: " + strings.Join(names, ", ")
}
