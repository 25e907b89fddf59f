"""Rows become train, valid and test so that no article and no near-duplicate is on two sides."""

import hashlib
import logging
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from datasketch import MinHash, MinHashLSH

from models.base import Rows
from models.errors import DataError
from train.config import SplitSettings
from train.data import Labelled, normalised

PERMUTATIONS = 128
"""MinHash permutations: the estimate behind the candidates has a standard error of 0.04 at 0.8."""
SHINGLE = 5
"""Characters in a shingle: a changed word touches few of them, a changed topic most."""
CANDIDATE_MARGIN = 0.1
"""Candidates are sought this far below the threshold, then compared exactly."""

SPLITS = ("train", "valid", "test")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LeakReport:
    """What was checked after the split; a run goes on only when nothing is shared."""

    articles: dict[str, int]
    """Articles in each split."""
    clusters: int
    """Clusters of two or more near-duplicate rows."""
    clustered_rows: int
    shared_articles: int
    shared_clusters: int
    has_articles: bool

    def sentence(self) -> str:
        """The report in one sentence."""
        known = "" if self.has_articles else "no article column, so split by near-duplicates only; "
        return (
            f"{known}{self.shared_articles} articles and {self.shared_clusters} clusters of "
            f"near-duplicates stand in two splits ({self.clusters} clusters of "
            f"{self.clustered_rows} rows were kept together)"
        )


@dataclass(frozen=True)
class Split:
    """Three sets of rows with the proof that they are apart."""

    labels: tuple[str, ...]
    train: Rows
    valid: Rows
    test: Rows
    report: LeakReport

    def parts(self) -> Iterator[tuple[str, Rows]]:
        """Yield ("train", rows), ("valid", rows), ("test", rows)."""
        yield from zip(SPLITS, (self.train, self.valid, self.test), strict=True)


def split(
    main: Labelled, valid: Labelled | None, test: Labelled | None, settings: SplitSettings
) -> Split:
    """Cut ``main`` into train, valid and test; given valid or test rows are taken as they are.

    The result depends on texts, labels, articles and ``settings`` alone: not on the order of
    the rows, the names of the files or the machine.

    A label that does not reach every split is treated as ``settings.rare_labels`` says.

    Raises DataError when a split would lack a label or when given sets share articles or texts.
    """
    shares = {"valid": 0.0 if valid else settings.valid, "test": 0.0 if test else settings.test}
    given = {name: part.rows for name, part in (("valid", valid), ("test", test)) if part}
    cluster_of = _clusters_by_id([main.rows, *given.values()], settings.near_duplicate)
    groups = _groups(main.rows, cluster_of)
    placed = _assign(main.rows, groups, len(main.labels), shares, settings.seed)
    parts = _parts(main.rows, placed, given)
    _require_rows(parts)
    rare = _missing_somewhere(parts, len(main.labels))
    if rare and settings.rare_labels == "drop":
        names = ", ".join(main.labels[i] for i in rare)
        logger.warning("rows of %s are left out: not every split has the label", names)
        return split(
            _without(main, rare),
            None if valid is None else _without(valid, rare),
            None if test is None else _without(test, rare),
            settings,
        )
    if rare and settings.rare_labels == "keep-in-train":
        names = ", ".join(main.labels[i] for i in rare)
        logger.warning("%s is learnt but not judged: not every split has the label", names)
        parts = _parts(main.rows, _rare_to_train(main.rows, groups, placed, rare), given)
        _require_rows(parts)
        rare = [i for i in rare if not (parts["train"].targets == i).any()]
    _require_every_label(parts, main.labels, rare)
    report = _leak_report(parts, cluster_of, main.has_articles)
    return Split(main.labels, parts["train"], parts["valid"], parts["test"], report)


def near_duplicate_clusters(texts: Sequence[str], threshold: float) -> list[int]:
    """Return for each text the smallest index of a text in its cluster.

    Two texts belong together when the Jaccard similarity of their character 5-grams, after
    normalising case and spaces, is at least ``threshold``, or when a chain of such pairs joins
    them. Candidates come from MinHash with locality-sensitive hashing (datasketch).

    Source: Broder 1997, "On the resemblance and containment of documents".
    """
    first_with: dict[str, int] = {}
    same = [first_with.setdefault(normalised(text), i) for i, text in enumerate(texts)]
    union = _Union(len(texts))
    for i, j in enumerate(same):
        union.join(i, j)
    distinct = sorted(set(same))
    shingles = {i: _shingles(normalised(texts[i])) for i in distinct}
    index = MinHashLSH(threshold=max(threshold - CANDIDATE_MARGIN, 0.1), num_perm=PERMUTATIONS)
    # CRC-32 in place of SHA-1: the permutations do the mixing, and it takes a tenth of the time.
    hashes = MinHash.generator(
        [shingles[i] for i in distinct], num_perm=PERMUTATIONS, seed=1, hashfunc=zlib.crc32
    )
    for i, minhash in zip(distinct, hashes, strict=True):
        for j in index.query(minhash):
            if _jaccard(shingles[i], shingles[j]) >= threshold:
                union.join(i, j)
        index.insert(i, minhash)
    return [union.root(i) for i in range(len(texts))]


def _shingles(text: str) -> set[bytes]:
    words = re.sub(r"[^\w\s]", "", text)
    return {words[i : i + SHINGLE].encode() for i in range(max(1, len(words) - SHINGLE + 1))}


def _jaccard(a: set[bytes], b: set[bytes]) -> float:
    return len(a & b) / len(a | b)


class _Union:
    """Disjoint sets; the root of each is its smallest member."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, i: int) -> int:
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i

    def join(self, i: int, j: int) -> None:
        low, high = sorted((self.root(i), self.root(j)))
        self._parent[high] = low


def _clusters_by_id(parts: Sequence[Rows], threshold: float) -> dict[str, int]:
    """The cluster of near-duplicates of every row, among all rows of ``parts``."""
    texts = [text for rows in parts for text in rows.texts]
    ids = [i for rows in parts for i in rows.ids]
    return dict(zip(ids, near_duplicate_clusters(texts, threshold), strict=True))


def _groups(rows: Rows, cluster_of: Mapping[str, int]) -> list[list[int]]:
    """Rows that must stay together, because an article or a cluster joins them."""
    union = _Union(len(rows))
    first_of_article: dict[str, int] = {}
    first_of_cluster: dict[int, int] = {}
    for i, (article, row_id) in enumerate(zip(rows.article_ids, rows.ids, strict=True)):
        union.join(i, first_of_article.setdefault(article, i))
        union.join(i, first_of_cluster.setdefault(cluster_of[row_id], i))
    groups = defaultdict(list)
    for i in range(len(rows)):
        groups[union.root(i)].append(i)
    return list(groups.values())


def _assign(
    rows: Rows, groups: list[list[int]], labels: int, shares: dict[str, float], seed: int
) -> list[str]:
    """Give each group to the split that lacks its labels most, large groups first.

    Source: Sechidis et al. 2011, "On the Stratification of Multi-Label Data", whose rule "the
    split with the greatest need" is taken here for groups of rows.
    """
    share = np.array([1.0 - shares["valid"] - shares["test"], shares["valid"], shares["test"]])
    totals = np.bincount(rows.targets, minlength=labels)
    wanted = share[:, None] * totals  # (splits, labels) rows
    have = np.zeros_like(wanted)
    placed = [""] * len(rows)
    for group in sorted(groups, key=lambda group: (-len(group), _lot(rows, group, seed))):
        counts = np.bincount(rows.targets[group], minlength=labels)
        need = (wanted - have) / np.maximum(wanted, 1e-9)  # share still lacking, by label
        score = np.where(share > 0, (need * counts / np.maximum(totals, 1)).sum(axis=1), -np.inf)
        chosen = int(score.argmax())
        have[chosen] += counts
        for i in group:
            placed[i] = SPLITS[chosen]
    return placed


def _lot(rows: Rows, group: list[int], seed: int) -> str:
    """A draw that depends on the seed and the texts alone."""
    texts = "\n".join(sorted(rows.texts[i] for i in group))
    return hashlib.sha256(f"{seed}\n{texts}".encode()).hexdigest()


def _parts(rows: Rows, placed: Sequence[str], given: dict[str, Rows]) -> dict[str, Rows]:
    parts = {name: rows.take([i for i, p in enumerate(placed) if p == name]) for name in SPLITS}
    return parts | given


def _missing_somewhere(parts: dict[str, Rows], labels: int) -> list[int]:
    """Columns of the labels that some split has no row of."""
    counts = np.array([np.bincount(rows.targets, minlength=labels) for rows in parts.values()])
    return np.flatnonzero((counts == 0).any(axis=0)).tolist()


def _rare_to_train(
    rows: Rows, groups: list[list[int]], placed: list[str], rare: Sequence[int]
) -> list[str]:
    """``placed`` with every group that holds one of the ``rare`` labels in train."""
    moved = list(placed)
    for group in groups:
        if set(rows.targets[group].tolist()) & set(rare):
            for i in group:
                moved[i] = "train"
    return moved


def _without(part: Labelled, columns: Sequence[int]) -> Labelled:
    """``part`` without the rows of these labels, and without the labels."""
    kept = [i for i in range(len(part.labels)) if i not in columns]
    if len(kept) < 2:
        raise DataError("fewer than two labels have rows in every split, so nothing can be learnt")
    rows = part.rows.take(np.flatnonzero(np.isin(part.rows.targets, kept)).tolist())
    targets = np.searchsorted(kept, rows.targets)
    return replace(
        part, rows=replace(rows, targets=targets), labels=tuple(part.labels[i] for i in kept)
    )


def _require_rows(parts: dict[str, Rows]) -> None:
    for name, rows in parts.items():
        if not len(rows):
            raise DataError(f"the {name} split would be empty: there are too few articles to split")


def _require_every_label(
    parts: dict[str, Rows], labels: Sequence[str], missing: Sequence[int]
) -> None:
    for i in missing:
        name = next(name for name, rows in parts.items() if not (rows.targets == i).any())
        raise DataError(
            f'the {name} split has no row of label "{labels[i]}": give it rows from at least three '
            "articles, try another split.seed, or set split.rare_labels to keep-in-train or drop"
        )


def _leak_report(
    parts: dict[str, Rows], cluster_of: Mapping[str, int], has_articles: bool
) -> LeakReport:
    """Check the rows that came out of the split, wherever they came from.

    Raises DataError when an article or a cluster stands in two splits.
    """
    where = [name for name, rows in parts.items() for _ in range(len(rows))]
    articles = [a for rows in parts.values() for a in rows.article_ids]
    ids = [i for rows in parts.values() for i in rows.ids]
    clusters = [cluster_of[i] for i in ids]
    article_leaks = _in_two_splits(articles, where) if has_articles else []
    cluster_leaks = _in_two_splits(clusters, where)
    for what, leaks in (("article", article_leaks), ("near-duplicate text", cluster_leaks)):
        if leaks:
            i, j = leaks[0]
            raise DataError(
                f"{what} on two sides ({len(leaks)} in all), for example {ids[i]} in {where[i]} "
                f"and {ids[j]} in {where[j]}: remove them from one side"
            )
    sizes = Counter(clusters)
    return LeakReport(
        articles={name: len(set(rows.article_ids)) for name, rows in parts.items()},
        clusters=sum(size > 1 for size in sizes.values()),
        clustered_rows=sum(size for size in sizes.values() if size > 1),
        shared_articles=len(article_leaks),
        shared_clusters=len(cluster_leaks),
        has_articles=has_articles,
    )


def _in_two_splits(keys: Sequence[object], where: Sequence[str]) -> list[tuple[int, int]]:
    """For each key that stands in two splits, a pair of rows that shows it."""
    first: dict[object, int] = {}
    leaks: dict[object, tuple[int, int]] = {}
    for i, key in enumerate(keys):
        j = first.setdefault(key, i)
        if where[i] != where[j]:
            leaks.setdefault(key, (j, i))
    return list(leaks.values())
