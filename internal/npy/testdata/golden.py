"""Writes *.npy: make goldens."""

import pathlib

import numpy as np

here = pathlib.Path(__file__).parent
values = np.arange(6).reshape(2, 3) - 1.5
for kind in ["<f2", "<f4", "<f8", ">f4", "<i4", "<i8", ">i8", "|u1", "|b1"]:
    name = kind.replace("<", "little_").replace(">", "big_").replace("|", "")
    np.save(here / (name + ".npy"), np.abs(values).astype(kind) if kind == "|u1" else values.astype(kind))
np.save(here / "fortran.npy", np.asfortranarray(np.arange(24, dtype=np.float32).reshape(2, 3, 4)))
np.save(here / "scalar.npy", np.float32(7))
np.save(here / "vector.npy", np.arange(3, dtype=np.int64))
np.save(here / "empty.npy", np.zeros((0, 3), np.float32))
with open(here / "version2.npy", "wb") as f:
    np.lib.format.write_array(f, np.arange(3, dtype=np.int64), version=(2, 0))
