package model

// A Cache holds the keys and values of one sequence. It is not safe for concurrent use.
type Cache struct {
	k, v     [][]float32 // per layer, a row per position
	len, cap int
}

// NewCache returns an empty cache for up to positions tokens.
func (m *Model) NewCache(positions int) *Cache {
	c := &Cache{cap: positions}
	for range m.layers {
		c.k = append(c.k, make([]float32, positions*m.Config.kv()))
		c.v = append(c.v, make([]float32, positions*m.Config.kv()))
	}
	return c
}

// Len is the number of tokens in the cache.
func (c *Cache) Len() int { return c.len }

// Free is the number of tokens that the cache can still take.
func (c *Cache) Free() int { return c.cap - c.len }

// Reset empties the cache for another sequence.
func (c *Cache) Reset() { c.len = 0 }

// CacheBytes is the memory that a cache of one position takes.
func (c *Config) CacheBytes() int64 { return 2 * 4 * int64(c.Layers) * int64(c.kv()) }

func (c *Config) kv() int { return c.KVHeads * c.HeadDim }
