package match

import (
	"slices"
	"strings"
)

// automaton is an Aho–Corasick automaton over bytes in double-array form: the
// child of state s by a byte of code c is the cell base[s]+c, if that cell's
// check is s. Only bytes that occur in patterns have a code; 0 is for all
// others. Patterns begin with a boundary byte, so failure chains are as short
// as phrases have words.
type automaton struct {
	code [256]uint8
	cell []cell
	fail []int32 // the state of the longest proper suffix
	also []int32 // by state where a pattern ends: the next such on the failure chain
	term []int32 // by state where a pattern ends: the index of the pattern
}

// cell holds what a step reads together.
type cell struct {
	base, check int32
	hit         int32 // the nearest state, itself included, where a pattern ends; 0 is none
}

// root is the start state; cell 0 stays unused so that 0 can mean none.
const root = 1

// next steps from state by byte c.
func (a *automaton) next(state int32, c byte) int32 {
	code := int32(a.code[c])
	for {
		t := a.cell[state].base + code
		if a.cell[t].check == state {
			return t
		}
		if state == root {
			return root
		}
		state = a.fail[state]
	}
}

// node is a state under construction: the patterns that share its prefix.
type node struct {
	state  int32
	lo, hi int // range of the sorted patterns
	depth  int
	parent int32
	by     byte // the byte that leads here from parent
}

// buildAutomaton builds the automaton of patterns, which are distinct and not
// empty.
func buildAutomaton(patterns []string) automaton {
	order := make([]int32, len(patterns))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(x, y int32) int { return strings.Compare(patterns[x], patterns[y]) })

	a := automaton{}
	a.assignCodes(patterns)
	grid := newGrid(a.codes())
	queue := []node{{state: root, hi: len(order)}}
	for i := 0; i < len(queue); i++ {
		queue = append(queue, a.expand(queue[i], grid, patterns, order)...)
	}
	a.cell = grid.cells
	a.fail = make([]int32, len(a.cell))
	a.also = make([]int32, len(a.cell))
	a.term = make([]int32, len(a.cell))
	for _, n := range queue[1:] { // breadth first: shallower states are complete
		if n.parent == root {
			a.fail[n.state] = root
		} else {
			a.fail[n.state] = a.next(a.fail[n.parent], n.by)
		}
		fail := a.fail[n.state]
		a.cell[n.state].hit = a.cell[fail].hit
		if first := order[n.lo]; len(patterns[first]) == n.depth {
			a.cell[n.state].hit = n.state
			a.also[n.state] = a.cell[fail].hit
			a.term[n.state] = first
		}
	}
	return a
}

// assignCodes gives a code to each byte that occurs in patterns.
func (a *automaton) assignCodes(patterns []string) {
	var used [256]bool
	for _, p := range patterns {
		for i := range len(p) {
			used[p[i]] = true
		}
	}
	n := uint8(0)
	for b := range used {
		if used[b] {
			n++
			a.code[b] = n
		}
	}
}

// codes gives the largest code in use.
func (a *automaton) codes() int { return int(slices.Max(a.code[:])) }

// expand places the children of n in the grid and returns them.
func (a *automaton) expand(n node, g *grid, patterns []string, order []int32) []node {
	var children []node
	var codes []int32
	for i := n.lo; i < n.hi; {
		p := patterns[order[i]]
		if len(p) == n.depth { // the pattern that ends here sorts first
			i++
			continue
		}
		by, j := p[n.depth], i+1
		for j < n.hi && patterns[order[j]][n.depth] == by {
			j++
		}
		children = append(children, node{lo: i, hi: j, depth: n.depth + 1, parent: n.state, by: by})
		codes = append(codes, int32(a.code[by]))
		i = j
	}
	base := g.place(n.state, codes)
	for i := range children {
		children[i].state = base + codes[i]
	}
	return children
}

// grid is the double array while it is being filled.
type grid struct {
	cells []cell
	free  []int32 // free[i] leads to the first free cell at or after i (union-find)
	width int32   // the largest code
}

func newGrid(codes int) *grid {
	g := &grid{width: int32(codes)}
	g.grow(root + 1)
	g.take(0)
	g.take(root)
	return g
}

// grow makes sure that cells up to n, and all children of a base below n, exist.
func (g *grid) grow(n int32) {
	for int32(len(g.cells)) < n+g.width+1 {
		g.free = append(g.free, int32(len(g.cells)))
		g.cells = append(g.cells, cell{})
	}
}

func (g *grid) take(i int32) { g.free[i] = i + 1 }

// firstFree gives the first free cell at or after i.
func (g *grid) firstFree(i int32) int32 {
	g.grow(i + 1)
	for g.free[i] != i {
		next := g.free[i]
		g.grow(next + 1)
		g.free[i] = g.free[next] // halve the path
		i = next
	}
	return i
}

// place finds a base where every code falls on a free cell and claims them.
func (g *grid) place(state int32, codes []int32) int32 {
	if len(codes) == 0 {
		return 0
	}
	for at := g.firstFree(codes[0] + 1); ; at = g.firstFree(at + 1) {
		base := at - codes[0]
		g.grow(base + g.width)
		if !g.fits(base, codes) {
			continue
		}
		g.cells[state].base = base
		for _, c := range codes {
			g.cells[base+c].check = state
			g.take(base + c)
		}
		return base
	}
}

func (g *grid) fits(base int32, codes []int32) bool {
	for _, c := range codes {
		if g.free[base+c] != base+c {
			return false
		}
	}
	return true
}
