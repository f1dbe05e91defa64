"""Products on several threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semantic_router_lora.engines.products import add_product, multiply

pytestmark = pytest.mark.usefixtures("thread_count_put_back")
# (in, out) of the layers of an encoder, and of adapters beside them; how they lie in memory
WEIGHTS = [((384, 1152), "in"), ((384, 384), "in"), ((1536, 384), "in"), ((384, 1000), "in")]
WEIGHTS += [((384, rank), order) for rank in (4, 8, 12, 16, 24, 48) for order in ("in", "out")]
WEIGHTS += [((12, 1152), "in"), ((4, 384), "in")]


@pytest.mark.parametrize("threads", [2, 3, 4, 8])
@pytest.mark.parametrize(("shape", "order"), WEIGHTS, ids=str)
def test_products_of_few_rows_have_the_same_bits_on_all_threads(shape, order, threads):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(shape, generator=generator)
    if order == "out":
        weight = weight.t().contiguous().t()
    for rows in (2, 3, 4, 5, 8, 9, 16, 17, 33, 64):
        x = torch.randn(rows, shape[0], generator=generator)
        found = []
        for number in (1, threads):
            torch.set_num_threads(number)
            added = torch.ones(rows, shape[1])
            add_product(added, x, weight)
            found.append((multiply(x, weight, torch.empty(rows, shape[1])), added))
        np.testing.assert_array_equal(*(product for product, _ in found))
        np.testing.assert_array_equal(*(added for _, added in found))
        np.testing.assert_allclose(found[0][0], x.double() @ weight.double(), atol=1e-3)


def test_products_of_no_rows_and_of_many():
    weight = torch.randn(8, 16)
    for rows in (0, 65):
        x = torch.randn(rows, 8)
        for threads in (1, 2):
            torch.set_num_threads(threads)
            product = multiply(x, weight, torch.empty(rows, 16))
            np.testing.assert_allclose(product, x @ weight, atol=1e-5)
