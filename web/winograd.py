"""Convolutions of a model with fewer multiplications, at the same values: Winograd's minimal filtering.

A 3 x 3 convolution takes 9 products for each value, and 36 / 16 where 4 x 4 values are made together out of the 6 x 6
that they read (Lavin and Gray, arXiv:1509.09308): on a processor without a fast routine for convolutions, as in
WebAssembly, that is what AlexNet's time follows. Only what ONNX has anyway is used, products of matrices above all:

    overlapping tiles -> transformed -> for each place in a tile a product with filters -> transformed back

Filters are transformed when the model is loaded, so a file doesn't grow by it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

#: Values that are made together along an axis.
TILE = 4
#: Where polynomials are evaluated, besides infinity. Small and simple, or rounding grows.
POINTS = (0, 1, -1, 2, -2, 1 / 2, -1 / 2)
#: Widths of filters that it is worth it for, and that POINTS suffice for.
WIDTHS = (3, 5)

Matrix = NDArray[np.floating[Any]]


def transforms(tile: int, width: int) -> tuple[Matrix, Matrix, Matrix]:
    """Matrices A, G, B with which `tile` values of a filter g of `width` over data d are A (G g * B d).

    Polynomials are multiplied by their values: with V_k the values of k coefficients at n = tile + width - 1 points,
    V_n (u times g) = V_tile u * V_width g. Filtering is the transposed map of u.
    """
    n = tile + width - 1

    def values(coefficients: int) -> Matrix:
        finite = np.vander(np.array(POINTS[: n - 1], float), coefficients, increasing=True)
        return np.vstack([finite, np.eye(coefficients)[-1]])  # at infinity: the leading one

    data = np.linalg.inv(values(n)).T
    scale = np.abs(data).max(1, keepdims=True)
    return values(tile).T, values(width) * scale, data / scale


def both_axes(matrix: Matrix) -> Matrix:
    """The same along rows and columns, of values that are listed row by row."""
    return np.kron(matrix, matrix)


class _Nodes:
    """The nodes and constants that take a convolution's place."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"{self.name}/{operator}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, values: Any) -> str:
        name = f"{self.name}/constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def matrix(self, values: Matrix) -> str:
        return self.constant(values.astype(np.float32))

    def whole(self, *numbers: int) -> str:
        return self.constant(np.array(numbers, np.int64))

    def joined(self, *shapes: str) -> str:
        return self.add("Concat", *shapes, axis=0)


def convolution(image: str, filters: NDArray[np.float32], bias: NDArray[np.float32], output: str) -> _Nodes:
    """Nodes for a convolution with (K, C, R, R) filters that keeps the size of its (1, C, H, W) image."""
    count, channels, width, _ = filters.shape
    n = TILE + width - 1
    a, g, b = transforms(TILE, width)
    to = _Nodes(output)
    # Tiles overlap: each reads `n` places, which reach `beyond` tiles further.
    beyond = -(-(n - TILE) // TILE)
    size = to.add("Slice", to.add("Shape", image), to.whole(2), to.whole(4))
    tiles = to.add("Div", to.add("Add", size, to.whole(TILE - 1)), to.whole(TILE))
    cut = to.add("Add", tiles, to.whole(beyond))
    margin = width // 2
    after = to.add("Sub", to.add("Sub", to.add("Mul", cut, to.whole(TILE)), size), to.whole(margin))
    x = to.add("Pad", image, to.joined(to.whole(0, 0, margin, margin, 0, 0), after))
    down, across = (to.add("Slice", cut, to.whole(axis), to.whole(axis + 1)) for axis in (0, 1))
    x = to.add("Reshape", x, to.joined(to.whole(channels), down, to.whole(TILE), across, to.whole(TILE)))
    x = to.add("Transpose", x, perm=[2, 4, 0, 1, 3])  # place in a tile, channel, tile
    parts, places = [], []
    for p in range(beyond + 1):
        for q in range(beyond + 1):
            rows, columns = (min(TILE, n - TILE * at) for at in (p, q))
            ends = to.joined(to.whole(rows, columns), to.add("Add", tiles, to.whole(p, q)))
            part = to.add("Slice", x, to.whole(0, 0, p, q), ends, to.whole(0, 1, 3, 4))
            parts.append(to.add("Reshape", part, to.whole(rows * columns, -1)))
            places += [(TILE * p + i) * n + TILE * q + j for i in range(rows) for j in range(columns)]
    x = to.add("MatMul", to.matrix(both_axes(b)[:, places]), to.add("Concat", *parts, axis=0))
    x = to.add("Reshape", x, to.whole(n * n, channels, -1))
    flat = to.constant(np.ascontiguousarray(filters.transpose(2, 3, 0, 1)).reshape(width * width, -1))
    transformed = to.add("MatMul", to.matrix(both_axes(g)), flat)
    x = to.add("MatMul", to.add("Reshape", transformed, to.whole(n * n, count, channels)), x)
    x = to.add("MatMul", to.matrix(both_axes(a)), to.add("Reshape", x, to.whole(n * n, -1)))
    x = to.add("Reshape", x, to.joined(to.whole(TILE, TILE, count), tiles))
    x = to.add("Transpose", x, perm=[2, 3, 0, 4, 1])
    x = to.add("Reshape", x, to.joined(to.whole(1, count), to.add("Mul", tiles, to.whole(TILE))))
    x = to.add("Slice", x, to.whole(0, 0), size, to.whole(2, 3))
    to.add("Add", x, to.constant(bias.reshape(1, -1, 1, 1)), output=output)
    return to


def replace_convolutions(model: onnx.ModelProto) -> None:
    """Put :func:`convolution` in place of every one in a model that it can stand for."""
    graph = model.graph
    constants = {constant.name: constant for constant in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type != "Conv" or not _fits(node, constants):
            nodes.append(node)
            continue
        filters, bias = (numpy_helper.to_array(constants[name]) for name in node.input[1:])
        made = convolution(node.input[0], filters, bias, node.output[0])
        nodes.extend(made.nodes)
        graph.initializer.extend(made.constants)
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [constant for constant in graph.initializer if constant.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _fits(node: Any, constants: dict[str, Any]) -> bool:
    if len(node.input) != 3 or any(name not in constants for name in node.input[1:]):
        return False
    *_, height, width = constants[node.input[1]].dims
    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return (
        height == width
        and width in WIDTHS
        and given.get("group", 1) == 1
        and set(given.get("strides", [1])) == {1} == set(given.get("dilations", [1]))
        and set(given.get("pads", [0])) == {width // 2}
    )
