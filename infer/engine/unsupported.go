package engine

// UnsupportedError is what Open's error wraps where the engine lacks the operator of a
// node: by its name, or in the version of the opset that the model imports.
type UnsupportedError struct {
	Engine string // as its String has it
	Node   string // the name of the node, "" where it has none
	Op     string // its operator
	Domain string // of the operator, "" for ONNX's own
	Opset  int64  // the version of the domain that the model imports, 0 if it imports none
	Err    error  // what the engine says
}

func (e *UnsupportedError) Error() string { return e.Err.Error() }
func (e *UnsupportedError) Unwrap() error { return e.Err }
