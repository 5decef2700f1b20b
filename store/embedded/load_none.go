//go:build noengine

package embedded

// built tells whether this binary can load the engine.
const built = false

func loadChdb(string) (*chdb, error) { return nil, errNotBuilt }
