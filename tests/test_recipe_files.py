"""What a recipe may name as train and dev, and what its record says of them."""

from __future__ import annotations

import shutil

import pytest

from semantic_router_lora.base_models import file_sha256
from semantic_router_lora.benchmark.suite import bundled_file
from semantic_router_lora.errors import DataError
from semantic_router_lora.training.data_files import file_digests
from semantic_router_lora.training.recipe import Recipe, TrainFile


@pytest.fixture
def files(tmp_path):
    for name, domain in (("train", "law"), ("dev", "medical")):
        (tmp_path / name).mkdir()
        shutil.copy(bundled_file(domain, "dev"), tmp_path / name / f"{name}.jsonl")
    return tmp_path


def recipe_of(train, *dev) -> Recipe:
    return Recipe("x", (TrainFile(str(train)),), tuple(map(str, dev)))


def test_every_file_is_recorded_by_its_name(files):
    train, dev = files / "train/train.jsonl", files / "dev/dev.jsonl"
    assert file_digests(recipe_of(train, dev)) == {
        "train.jsonl": file_sha256(train),
        "dev.jsonl": file_sha256(dev),
    }


def test_train_and_dev_of_one_name_are_refused(files):
    dev = (files / "dev/dev.jsonl").rename(files / "dev/train.jsonl")
    with pytest.raises(DataError, match=r"two files of train and dev are called train\.jsonl"):
        file_digests(recipe_of(files / "train/train.jsonl", dev))


def test_what_is_trained_on_chooses_no_checkpoint(files):
    train = files / "train/train.jsonl"
    with pytest.raises(DataError, match="is a file of train and of dev: what chooses"):
        file_digests(recipe_of(train, train))
    shutil.copy(train, files / "dev/copy.jsonl")
    with pytest.raises(DataError, match=r"copy\.jsonl of dev is .*train\.jsonl of train"):
        file_digests(recipe_of(train, files / "dev/copy.jsonl"))


@pytest.mark.parametrize("part", ["train", "dev"])
def test_a_bundled_test_suite_is_refused(files, part):
    shutil.copy(bundled_file("general", "test"), files / part / f"{part}.jsonl")
    with pytest.raises(DataError, match=r"is the bundled test suite general\.test\.jsonl"):
        file_digests(recipe_of(files / "train/train.jsonl", files / "dev/dev.jsonl"))


def test_a_file_that_is_gone(files):
    with pytest.raises(DataError, match=r"gone\.jsonl: cannot be read"):
        file_digests(recipe_of(files / "train/train.jsonl", files / "gone.jsonl"))
