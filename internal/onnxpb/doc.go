// Package onnxpb holds the protobuf messages of an ONNX file, generated from
// onnx.proto. Only package onnxgraph imports it.
package onnxpb

//go:generate go run -C _gen . ../onnx.proto ../onnx.pb.go
