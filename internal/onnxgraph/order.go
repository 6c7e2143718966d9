package onnxgraph

import (
	"fmt"
)

// sortNodes puts the nodes of g, where they are not so already, in an order in which
// each comes after those whose outputs it reads, itself or by a graph within it. What
// can stay in the file's order does. Nodes that read each other in a circle are an
// error.
func (g *Graph) sortNodes() error {
	writers := make(map[string]int)
	for i := range g.Nodes {
		for _, name := range g.Nodes[i].Outputs {
			if _, ok := writers[name]; !ok && name != "" {
				writers[name] = i
			}
		}
	}
	for _, v := range g.Inputs { // who writes these too is refused where the graph is run
		delete(writers, v.Name)
	}
	for _, t := range g.Initializers {
		delete(writers, t.Name)
	}
	s := sorter{after: make([][]int, len(g.Nodes)), done: make([]progress, len(g.Nodes))}
	sorted := true
	for i := range g.Nodes {
		for _, name := range g.Nodes[i].Reads() {
			if w, ok := writers[name]; ok {
				s.after[i] = append(s.after[i], w)
				sorted = sorted && w < i
			}
		}
	}
	if sorted {
		return nil
	}
	for i := range g.Nodes {
		if reader, writer := s.visit(i); reader >= 0 {
			n := &g.Nodes[reader]
			return fmt.Errorf("node %d (op %q, name %q) reads what node %d makes, %q, of its outputs: the nodes form a cycle", reader, n.OpType, n.Name, writer, g.Nodes[writer].Outputs)
		}
	}
	nodes := make([]Node, len(g.Nodes))
	for to, from := range s.order {
		nodes[to] = g.Nodes[from]
	}
	g.Nodes = nodes
	return nil
}

// progress is how far a node has got.
type progress byte

const (
	waiting progress = iota
	begun
	ended
)

// sorter sorts nodes, of each of which it knows which come before it.
type sorter struct {
	after [][]int
	done  []progress
	order []int
}

// visit appends a node to the order, after those that come before it. In a circle it
// returns a node and another that comes before and after it, else -1.
func (s *sorter) visit(first int) (node, other int) {
	path := []int{first}
	for len(path) > 0 {
		i := path[len(path)-1]
		s.done[i] = max(s.done[i], begun)
		if len(s.after[i]) == 0 {
			path = path[:len(path)-1]
			if s.done[i] == begun {
				s.done[i] = ended
				s.order = append(s.order, i)
			}
			continue
		}
		next := s.after[i][0]
		s.after[i] = s.after[i][1:]
		switch s.done[next] {
		case begun:
			return i, next
		case waiting:
			path = append(path, next)
		}
	}
	return -1, -1
}
