"""Many images: embeddings of whole folders, and what can be asked of them without looking at a picture again.

For the heads that have an embedding, the metric is the Euclidean distance between embeddings. So a folder is
embedded once (:func:`embed_folder`), and matrices, nearest neighbours and near-duplicates are arithmetic on rows.
"""

from __future__ import annotations

from invariant_lpips.indexing.duplicates import Group, near_duplicates
from invariant_lpips.indexing.embedding import embed_folder
from invariant_lpips.indexing.index import Index, open_index
from invariant_lpips.indexing.matrix import distance_matrix, write_matrix
from invariant_lpips.indexing.neighbours import Neighbours, nearest
from invariant_lpips.indexing.search import Answer, search
from invariant_lpips.pictures.images import Reading

__all__ = [
    "Answer",
    "Group",
    "Index",
    "Neighbours",
    "Reading",
    "distance_matrix",
    "embed_folder",
    "near_duplicates",
    "nearest",
    "open_index",
    "search",
    "write_matrix",
]
