package onnxgraph

import (
	"slices"
	"strings"
)

// StatePair names an input of a graph and the output that is its value for the
// next run.
type StatePair struct {
	Input, Output string
	// Backward tells that the state is of a node that also reads sequences
	// from their end, so that there is no next run to feed.
	Backward bool
}

// StatePairs finds the states of a model, in the order of its inputs. It pairs an input
// with an output of the same type and shape
//
//  1. if one is the initial and the other the final state of a recurrent node, with only
//     moves of elements (Slice, Concat, Transpose, …) between,
//  2. if the output has a part of the input and something new, as a cache does,
//  3. if their names tell of a state, such as "cache_in" and "cache_out".
//
// It leaves at least one input for the sequence.
func StatePairs(m *Model) []StatePair {
	main := NewScope(&m.Graph)
	f := finder{left: maxVisits, begins: map[string][]slot{}}
	f.recurrent(main)
	var inputs, outputs []value
	for _, v := range m.Graph.Inputs {
		if m.IRVersion >= 4 || !main.IsDefault(v.Name) { // before, every weight was an input, and none could be fed
			inputs = append(inputs, value{Value: v, begins: f.begins[v.Name], stem: stateStem(v.Name)})
		}
	}
	for _, v := range m.Graph.Outputs {
		outputs = append(outputs, value{Value: v, from: f.origins(main, v.Name), stem: stateStem(v.Name)})
	}
	found := f.pair(inputs, outputs)
	var pairs []StatePair
	for _, in := range inputs {
		if pair, ok := found[in.Name]; ok {
			pairs = append(pairs, pair)
		}
	}
	return pairs
}

// pair returns the pairs by their inputs. The rules are applied one after the other, the
// surest first. The later ones leave one input for the sequence.
func (f *finder) pair(inputs, outputs []value) map[string]StatePair {
	found := make(map[string]StatePair)
	for i, rule := range []func(in, out value) int{sameNodes, shifted, sameStem} {
		for _, in := range inputs {
			if i > 0 && len(found) == len(inputs)-1 {
				break
			}
			if found[in.Name].Output != "" {
				continue
			}
			if at := f.best(in, outputs, rule); at >= 0 {
				backward := slices.ContainsFunc(in.begins, func(s slot) bool { return s.node.Backward() })
				found[in.Name] = StatePair{in.Name, outputs[at].Name, backward}
				outputs = slices.Delete(outputs, at, at+1)
			}
		}
	}
	return found
}

// best returns the place of the output that fits in best by a rule, -1 for none.
func (f *finder) best(in value, outputs []value, rule func(in, out value) int) int {
	best, at := 0, -1
	for i, out := range outputs {
		if f.left -= 1 + len(in.begins); f.left < 0 {
			break
		}
		if score := rule(in, out); score > best && fits(in.Value, out.Value) {
			best, at = score, i
		}
	}
	return at
}

// ComputedBy returns the operators that compute the elements of an output of m. It
// passes over those that only move elements, and last states of recurrent nodes.
func ComputedBy(m *Model, output string) []string {
	f := finder{left: maxVisits}
	return f.origins(NewScope(&m.Graph), output).computed
}

// value is an input or an output of a model.
type value struct {
	Value
	begins []slot  // with this input
	from   origins // of an output
	stem   string
}

// sameNodes counts the recurrent nodes that begin with in, if all of them end in out.
func sameNodes(in, out value) (score int) {
	for _, s := range in.begins {
		if !out.from.slots[s] {
			return 0
		}
		score++
	}
	if score > 0 && score == len(out.from.slots) {
		score++ // these and no others
	}
	return score
}

// shifted is 1 where out, of the same shape, holds something of in and something
// else.
func shifted(in, out value) int {
	if out.from.inputs[in.Name] && slices.Equal(in.Shape, out.Shape) && len(out.from.slots)+len(out.from.inputs)+len(out.from.computed) > 1 {
		return 1
	}
	return 0
}

// sameStem is 1 for names of one state.
func sameStem(in, out value) int {
	if in.stem != "" && in.stem == out.stem {
		return 1
	}
	return 0
}

// fits reports whether two values may be of the same type and shape.
func fits(v, o Value) bool {
	if v.Type != o.Type {
		return false
	}
	if v.Shape == nil || o.Shape == nil {
		return true
	}
	return slices.EqualFunc(v.Shape, o.Shape, func(a, b Dim) bool {
		free := func(d Dim) bool { return d.Symbol != "" || d.Size < 0 }
		return free(a) || free(b) || a.Size == b.Size
	})
}

// Backward reports whether a recurrent node of g, or of a graph within, reads
// sequences from their end.
func (g *Graph) Backward() bool {
	for _, n := range g.Nodes {
		if n.Backward() || slices.ContainsFunc(n.Subgraphs(), (*Graph).Backward) {
			return true
		}
	}
	return false
}

// slot is a state of a recurrent node: 0 for h, 1 for c.
type slot struct {
	node  *Node
	state int
}

// origins is where the elements of a value come from.
type origins struct {
	slots    map[slot]bool   // last states of recurrent nodes
	inputs   map[string]bool // inputs of the model
	computed []string        // operators of other nodes
}

// maxVisits bounds the search in graphs that are made to be searched for long.
const maxVisits = 1 << 20

type finder struct {
	left   int               // visits
	begins map[string][]slot // by the input that they begin with
}

// recurrent collects the initial states of the recurrent nodes of a graph.
func (f *finder) recurrent(main *Scope) {
	for s, n := range main.All() {
		if !n.Is(Recurrent) {
			continue
		}
		for state, input := range []int{RecurrentH, RecurrentC} {
			for name := range f.origins(s, n.Input(input)).inputs {
				f.begins[name] = append(f.begins[name], slot{n, state})
			}
		}
	}
}

// origins follows a value backwards as long as elements are only moved.
func (f *finder) origins(s *Scope, name string) origins {
	type place struct {
		*Scope
		name string
	}
	found := origins{slots: map[slot]bool{}, inputs: map[string]bool{}}
	visited := map[place]bool{}
	next := []place{{s, name}}
	for ; len(next) > 0 && f.left > 0; f.left-- {
		at := next[len(next)-1]
		next = next[:len(next)-1]
		if at.name == "" || visited[at] {
			continue
		}
		visited[at] = true
		from := at.Writer(at.name)
		switch n := from.Node; {
		case n == nil && at.Outer != nil:
			next = append(next, place{at.Outer, at.name})
		case n == nil && at.IsInput(at.name):
			found.inputs[at.name] = true
		case n == nil || n.OpType == "Constant":
		case n.Is(Recurrent) && from.Index > 0:
			found.slots[slot{n, from.Index - 1}] = true
		case n.OpType == "If":
			for _, g := range n.Subgraphs() {
				if from.Index < len(g.Outputs) {
					next = append(next, place{at.Inner(g), g.Outputs[from.Index].Name})
				}
			}
		case !n.Is(Moves):
			found.computed = append(found.computed, n.OpType)
		default:
			for _, input := range n.Moved() {
				next = append(next, place{at.Scope, input})
			}
		}
	}
	return found
}

// inOut are the words that tell an input from an output.
var inOut = strings.Fields("0 n in out input output init initial prev previous next new old past present last final t tm1")

// ofState are the words of which the name of a state has one.
var ofState = strings.Fields("h c hidden cell state states cache caches mem memory buf buffer carry ctx context rnn lstm gru")

// stateStem returns the name of a state without what tells its input from its
// output, or "" for a name that does not sound like a state.
func stateStem(name string) string {
	var stem []string
	isState := false
	for _, word := range nameWords(name) {
		word = strings.ToLower(word)
		if len(word) == 2 && strings.Contains("hc", word[:1]) && strings.Contains("nxy", word[1:]) {
			word = word[:1] // hn, cx and the like: before or after a step
		}
		isState = isState || slices.Contains(ofState, word)
		if !slices.Contains(inOut, word) {
			stem = append(stem, word)
		}
	}
	if !isState {
		return ""
	}
	return strings.Join(stem, " ")
}

// nameWords splits a name into words: "tm1", lower-case letters that a capital may
// precede, capitals, and digits. What lies between them is left out. A regular
// expression would do the same, but its package is a large part of a small program.
func nameWords(name string) (words []string) {
	for name != "" {
		n := wordLen(name)
		if n > 0 {
			words = append(words, name[:n])
		}
		name = name[max(n, 1):]
	}
	return words
}

// wordLen returns the length of the word that s begins with, 0 if there is none.
func wordLen(s string) int {
	if strings.HasPrefix(s, "tm1") {
		return len("tm1")
	}
	capitals := span(s, 'A', 'Z')
	first := min(capitals, 1)
	if letters := span(s[first:], 'a', 'z'); letters > 0 {
		return first + letters
	}
	return max(capitals, span(s, '0', '9'))
}

// span returns the number of characters from low to high that s begins with.
func span(s string, low, high byte) int {
	n := 0
	for n < len(s) && low <= s[n] && s[n] <= high {
		n++
	}
	return n
}
