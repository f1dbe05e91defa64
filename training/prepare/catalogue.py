"""Every source: where its originals are, under which licence, and what reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prepare.archives import Originals
from prepare.hub import Records
from prepare.rows import Rows
from prepare.sources import (
    code_search_net,
    counsel_chat,
    faithdial,
    lex_glue,
    medquad,
    nl2bash,
    rqe,
    staqc,
    tldr,
)

GITHUB = "https://github.com"


@dataclass(frozen=True)
class GitHubSource:
    """One source on GitHub.

    Attributes:
        name: of its output, too.
        repository: owner and name on GitHub.
        snapshot: commit that the originals are taken from.
        licence: of the originals, as the repository states it.
        wanted: regular expression that finds the files in an archive or folder.
        make: turns originals into rows.
        single: paths of the files, if they are fetched one by one because the rest is large.
    """

    name: str
    repository: str
    snapshot: str
    licence: str
    wanted: str
    make: Callable[[Originals, Rows], None]
    single: tuple[str, ...] = ()

    @property
    def urls(self) -> tuple[str, ...]:
        """What is downloaded: the archive of the snapshot, or single files."""
        base = f"{GITHUB}/{self.repository}"
        if not self.single:
            return (f"{base}/archive/{self.snapshot}.tar.gz",)
        return tuple(f"{base}/raw/{self.snapshot}/{path}" for path in self.single)


@dataclass(frozen=True)
class HubSource:
    """One data set of the Hugging Face Hub.

    Attributes:
        name: of its output and of the folder of local files.
        repository: data set on the Hub.
        configuration: subset, if the data set has several.
        snapshot: revision; a branch where no commit could be looked up.
        licence: as the data set's card states it.
        make: turns records into rows.
        files: pattern of the files in the repository, where the Hub cannot tell by itself.
    """

    name: str
    repository: str
    configuration: str | None
    snapshot: str
    licence: str
    make: Callable[[Records, Rows], None]
    files: str | None = None


_TITLES = "sql_how_to_do_it_by_classifier_multiple_qid_to_title.pickle"
_GITHUB = (
    GitHubSource(
        "nl2bash",
        "TellinaTool/nl2bash",
        "466c5fe873",
        "MIT",
        nl2bash.FILES,
        nl2bash.make,
        ("data/bash/all.nl", "data/bash/all.cm"),
    ),
    GitHubSource(
        "rqe",
        "abachaa/RQE_Data_AMIA2016",
        "9302fb9a55",
        "CC-BY-4.0",
        rqe.FILES,
        rqe.make,
        ("RQE_Train_8588_AMIA2016.xml", "RQE_Test_302_pairs_AMIA2016.xml"),
    ),
    GitHubSource(
        "counsel_chat",
        "nbertagnolli/counsel-chat",
        "e202e19c50",
        "MIT",
        counsel_chat.FILES,
        counsel_chat.make,
        ("data/20200325_counsel_chat.csv",),
    ),
    GitHubSource(
        "medquad",
        "abachaa/MedQuAD",
        "577bd37b96",
        "CC-BY-4.0",
        medquad.FILES,
        medquad.make,
    ),
    GitHubSource(
        "staqc",
        "LittleYUYU/StackOverflow-Question-Code-Dataset",
        "81b74afb40",
        "CC-BY-4.0 (texts of Stack Overflow: CC-BY-SA)",
        staqc.FILES,
        staqc.make,
        (f"annotation_tool/data/code_solution_labeled_data/source/{_TITLES}",),
    ),
    GitHubSource("tldr", "tldr-pages/tldr", "08e345f426", "CC-BY-4.0", tldr.FILES, tldr.make),
)

_HUB = (
    HubSource(
        "lex_glue_case_hold",
        "coastalcph/lex_glue",
        "case_hold",
        "9c205f32915297e23b9922ab44df1a931823d7fd",
        "CC-BY-4.0",
        lex_glue.case_hold,
    ),
    HubSource(
        "lex_glue_unfair_tos",
        "coastalcph/lex_glue",
        "unfair_tos",
        "9c205f32915297e23b9922ab44df1a931823d7fd",
        "CC-BY-4.0",
        lex_glue.unfair_tos,
    ),
    HubSource(
        "code_search_net",
        "code-search-net/code_search_net",
        "python",
        "main",
        "other (of each repository of the functions)",
        code_search_net.make,
    ),
    HubSource(
        "faithdial",
        "McGill-NLP/FaithDial",
        None,
        "refs/convert/parquet",
        "MIT",
        faithdial.make,
        "plain_text/train/*.parquet",
    ),
)
GITHUB_SOURCES = {source.name: source for source in _GITHUB}
HUB_SOURCES = {source.name: source for source in _HUB}
