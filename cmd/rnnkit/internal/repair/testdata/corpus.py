"""What the corpus scripts share: the sizes of the cases, and how one is kept."""

import pathlib
import sys

import numpy
import onnx


def arguments():
    """The folder to write to, and how the names begin of what to write, all by default."""
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    return folder, tuple(sys.argv[2:]) or ("",)


def cases(batch, time):
    """The exported batch and time, and four others."""
    return [(batch, time), (batch + 1, time + 1), (2, 2 * time + 3), (1, max(2, time - 2)), (3, time + 4)]


def save(path, model, answers):
    """Keeps a model without what tells of the machine, and inputs with the answers to them."""
    del model.metadata_props[:], model.graph.value_info[:], model.graph.metadata_props[:]
    for part in [model, model.graph, *nodes(model.graph), *model.graph.initializer, *model.graph.input, *model.graph.output]:
        part.doc_string = ""
        if hasattr(part, "metadata_props"):
            del part.metadata_props[:]
    path.with_suffix(".onnx").write_bytes(model.SerializeToString(deterministic=True))
    arrays = {}
    for k, (given, got) in enumerate(answers):
        arrays |= {f"in{k}_{j}": x for j, x in enumerate(given)}
        arrays |= {f"out{k}_{j}": y for j, y in enumerate(got)}
    numpy.savez(path.with_suffix(".npz"), **arrays)


def nodes(graph):
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from nodes(attribute.g)


def tell(name, error):
    print(f"{name}: not exported: {(str(error) or repr(error)).splitlines()[0][:200]}", file=sys.stderr)
