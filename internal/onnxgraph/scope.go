package onnxgraph

import (
	"iter"

	"github.com/rnnkit/rnnkit/infer/tensor"
)

// Scope tells what the names of a graph stand for: which node writes a value, which
// nodes read it, and what is constant. The scope of a graph within a node sees the
// values of the graph around it too.
type Scope struct {
	Graph *Graph
	Node  *Node  // that Graph is an attribute of, nil for the model's own graph
	Outer *Scope // of the graph around, nil for the model's own graph

	writers   map[string]Output
	readers   map[string][]*Node // nil until somebody asks
	inputs    map[string]bool
	constants map[string]Tensor
	inner     map[*Graph]*Scope
}

// Output is an output of a node: its place among all.
type Output struct {
	Node  *Node
	Index int
}

// NewScope returns the scope of a model's own graph. The graph must not change after.
func NewScope(g *Graph) *Scope { return newScope(g, nil, nil) }

func newScope(g *Graph, n *Node, outer *Scope) *Scope {
	s := &Scope{
		Graph: g, Node: n, Outer: outer, inner: make(map[*Graph]*Scope),
		writers: make(map[string]Output), inputs: make(map[string]bool), constants: make(map[string]Tensor),
	}
	for _, v := range g.Inputs {
		s.inputs[v.Name] = true
	}
	for _, t := range g.Initializers {
		s.constants[t.Name] = t
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		for k, name := range n.Outputs {
			s.writers[name] = Output{n, k}
		}
		if t, ok := n.Constant(); ok && len(n.Outputs) == 1 {
			s.constants[n.Outputs[0]] = t
		}
		for _, sub := range n.Subgraphs() {
			s.inner[sub] = newScope(sub, n, s)
		}
	}
	return s
}

// Inner returns the scope of a graph within a node of s.
func (s *Scope) Inner(g *Graph) *Scope { return s.inner[g] }

// All ranges over the nodes of the graph in their order, each with its scope, and after
// each over those of the graphs within it.
func (s *Scope) All() iter.Seq2[*Scope, *Node] {
	return func(yield func(*Scope, *Node) bool) { s.each(yield) }
}

func (s *Scope) each(yield func(*Scope, *Node) bool) bool {
	for i := range s.Graph.Nodes {
		n := &s.Graph.Nodes[i]
		if !yield(s, n) {
			return false
		}
		for _, g := range n.Subgraphs() {
			if !s.inner[g].each(yield) {
				return false
			}
		}
	}
	return true
}

// Writer returns the output of a node of the graph that has that name. Its Node is nil
// for an input, for an initializer and for what is of the graph around.
func (s *Scope) Writer(name string) Output { return s.writers[name] }

// Producer returns the node of the graph that writes a value, nil where [Scope.Writer]
// has none.
func (s *Scope) Producer(name string) *Node { return s.writers[name].Node }

// Readers returns the nodes of the graph that read a value, themselves or by a graph
// within them, in their order. The outputs of the graph are no readers.
func (s *Scope) Readers(name string) []*Node {
	if s.readers == nil {
		s.readers = make(map[string][]*Node)
		for i := range s.Graph.Nodes {
			n := &s.Graph.Nodes[i]
			for _, read := range n.Reads() {
				if list := s.readers[read]; len(list) == 0 || list[len(list)-1] != n {
					s.readers[read] = append(list, n)
				}
			}
		}
	}
	return s.readers[name]
}

// IsInput reports whether the graph has an input of that name.
func (s *Scope) IsInput(name string) bool { return s.inputs[name] }

// IsDefault reports whether the graph has an initializer for its input of that name.
func (s *Scope) IsDefault(name string) bool {
	_, ok := s.constants[name]
	return ok && s.inputs[name]
}

// Constant returns an initializer or what a Constant writes, of the graph or one around
// it, and whether the name is of such a value.
func (s *Scope) Constant(name string) (Tensor, bool) {
	for ; s != nil && name != ""; s = s.Outer {
		if t, ok := s.constants[name]; ok {
			return t, true
		}
		if s.inputs[name] || s.writers[name].Node != nil {
			break
		}
	}
	return Tensor{}, false
}

// Constant returns what a Constant writes. It is not ok for another operator, and
// where the value is sparse or of strings.
func (n *Node) Constant() (t Tensor, ok bool) {
	if !n.IsOp("Constant") {
		return Tensor{}, false
	}
	for _, a := range n.Attributes {
		switch v := a.Value.(type) {
		case Tensor:
			return v, true
		case int64:
			return Tensor{Tensor: tensor.Of([]int64{v})}, true
		case []int64:
			return Tensor{Tensor: tensor.Of(v, len(v))}, true
		case float32:
			return Tensor{Tensor: tensor.Of([]float32{v})}, true
		case []float32:
			return Tensor{Tensor: tensor.Of(v, len(v))}, true
		}
	}
	return Tensor{}, false
}
