package onnxgraph

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// formats are files that people take for models, by their first bytes.
var formats = []struct{ begin, what string }{
	{"version https://git-lfs.github.com/", "it is a Git LFS pointer: git lfs pull fetches the model"},
	{"<!DOCTYPE", "it is a web page: download the file itself"},
	{"<!doctype", "it is a web page: download the file itself"},
	{"<html", "it is a web page: download the file itself"},
	{"<HTML", "it is a web page: download the file itself"},
	{"<?xml", "it is XML, such as OpenVINO's: export the model as ONNX"},
	{"\x1f\x8b", "it is compressed by gzip: unpack it first"},
	{"BZh", "it is compressed by bzip2: unpack it first"},
	{"\xfd7zXZ\x00", "it is compressed by xz: unpack it first"},
	{"\x28\xb5\x2f\xfd", "it is compressed by zstd: unpack it first"},
	{"7z\xbc\xaf\x27\x1c", "it is a 7z archive: unpack it first"},
	{"\x89HDF\r\n\x1a\n", "it is HDF5, such as Keras's .h5: export the model as ONNX with tf2onnx"},
	{"\x80\x02", pickle}, {"\x80\x03", pickle}, {"\x80\x04", pickle}, {"\x80\x05", pickle},
	{"\x93NUMPY", "it is an array of NumPy"},
	{"GGUF", "it holds weights in GGUF: export the model as ONNX"},
	{"{", "it is JSON: export the model as ONNX"},
}

const (
	pickle = "it is a pickle, such as PyTorch's .pt: load it and export the model as ONNX with torch.onnx.export"
	torch  = "it is an archive of PyTorch: load it and export the model as ONNX with torch.onnx.export"
	keras  = "it is an archive of Keras: export the model as ONNX with tf2onnx"
	saved  = "it is TensorFlow's SavedModel: export it as ONNX with tf2onnx"
)

// otherFormat returns an error that says what data is, if it is known to be no ONNX
// model.
func otherFormat(data []byte) error {
	what := ""
	text := bytes.TrimLeft(data, "\ufeff \t\r\n")
	for _, k := range formats {
		if bytes.HasPrefix(text, []byte(k.begin)) {
			what = k.what
			break
		}
	}
	switch {
	case len(data) == 0:
		what = "the file is empty"
	case len(text) == 0:
		what = "the file is blank"
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		what = archive(data)
	case len(data) > 8 && string(data[4:8]) == "TFL3":
		what = "it is a model of TensorFlow Lite: export it as ONNX with tf2onnx"
	case len(data) > 8 && data[8] == '{' && binary.LittleEndian.Uint64(data) < uint64(len(data)):
		what = "it holds weights in safetensors, and no graph: export the model as ONNX"
	case data[0] == 0:
		what = "it begins with a zero byte, as no model does"
	}
	if what == "" {
		return nil
	}
	return errors.New("not an ONNX model: " + what)
}

// archive says what a zip file is, by the names in it.
func archive(data []byte) string {
	head := data[:min(len(data), 1<<12)]
	switch {
	case bytes.Contains(head, []byte("data.pkl")) || bytes.Contains(data, []byte("/constants.pkl")):
		return torch
	case bytes.Contains(head, []byte("metadata.json")) && bytes.Contains(data, []byte("config.json")):
		return keras
	}
	return "it is a zip file: unpack it first"
}

// isSavedModel reports whether a file without a graph is TensorFlow's.
func isSavedModel(data []byte) bool {
	for _, word := range []string{"saved_model", "StatefulPartitionedCall", "VarHandleOp"} {
		if bytes.Contains(data, []byte(word)) {
			return true
		}
	}
	return false
}
