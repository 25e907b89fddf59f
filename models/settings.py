"""The settings of every model family, frozen and checked before any data is read."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]
NgramRange = tuple[Count, Count]
ClassWeight = Literal["balanced"] | dict[str, Positive] | None


class Settings(BaseModel):
    """A frozen group of settings that knows no other keys than its own."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Ngrams(Settings):
    """The n-grams that a TF-IDF vectoriser counts."""

    ngram_range: NgramRange = (1, 2)
    """Shortest and longest n-gram."""
    min_df: Count = 1
    """Leave out n-grams that stand in fewer sentences than this."""
    max_features: Count | None = None
    """Keep only this many of the commonest n-grams; null keeps all."""
    sublinear_tf: bool = True
    """Count an n-gram that stands n times as 1 + log(n)."""

    @model_validator(mode="after")
    def _shortest_first(self) -> Self:
        shortest, longest = self.ngram_range
        if shortest > longest:
            raise ValueError(f"ngram_range {shortest} to {longest}: write the shorter first")
        return self


class TfidfSettings(Settings):
    """TF-IDF of words, characters or both, with logistic regression on top."""

    family: Literal["tfidf"]
    words: Ngrams | None = Ngrams()
    """Word n-grams; null for none."""
    characters: Ngrams | None = None
    """Character n-grams inside words; null for none. Six times slower to predict than words."""
    lowercase: bool = True
    """Read "Army" and "army" as one word."""
    C: Positive = 10.0
    """Inverse strength of the L2 penalty, as scikit-learn names it."""
    class_weight: ClassWeight = "balanced"
    """balanced, null, or one weight per label."""
    max_iter: Count = 1000
    """Iterations of L-BFGS at most."""

    @model_validator(mode="after")
    def _counts_something(self) -> Self:
        if self.words is None and self.characters is None:
            raise ValueError("words and characters are both null: give n-grams for at least one")
        return self


class TransformerSettings(Settings):
    """A pretrained encoder of transformers, fine-tuned with a linear head."""

    family: Literal["transformer"]
    encoder: Annotated[str, Field(min_length=1)] = "sentence-transformers/all-MiniLM-L6-v2"
    """Hub id or folder of an encoder; the default comes from an installed package, offline."""
    revision: str | None = None
    """Commit of a hub encoder; null takes the newest."""
    pooling: Literal["mean", "cls"] = "mean"
    """What the head sees: the mean over the tokens or the first token."""
    max_tokens: Annotated[int, Field(ge=8, le=8192)] = 128
    """Longer sentences are cut here; 99.9 % of news sentences are shorter than 128."""
    dropout: Share = 0.1
    """Share of pooled features dropped before the head while training."""
    encoder_dropout: Share | None = None
    """Share dropped in every layer of the encoder while training; null keeps what it came with."""
    epochs: Annotated[int, Field(ge=1, le=1000)] = 4
    """Passes over the training sentences at most."""
    batch_size: Count = 16
    """Sentences per optimiser step."""
    learning_rate: Positive = 1.0e-4
    """Peak learning rate of the encoder."""
    head_learning_rate: Positive = 1.0e-3
    """Peak learning rate of the linear head, which starts from random weights."""
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.01
    """AdamW's, for matrices only: biases and normalisation weights are not decayed."""
    warmup: Share = 0.1
    """Share of the steps in which the learning rate rises from zero, to fall linearly after."""
    label_smoothing: Share = 0.05
    """Share of each target spread over all labels."""
    vote_weight: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight of what each labeller said, where rows have votes, beside the label that counts."""
    class_weight: ClassWeight = None
    """balanced, null, or one weight per label."""
    freeze_layers: Annotated[int, Field(ge=0)] = 0
    """Lowest layers of the encoder, embeddings included, to keep as they were pretrained: two of
    six make a fit a quarter faster."""
    average: Share = 0.0
    """Share of the steps, the last ones, whose weights are averaged into the model; 0 takes the
    epoch with the best valid macro-F1 instead."""
    patience: Count | None = 2
    """Stop after this many epochs without a better valid macro-F1; null never stops early."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto takes bf16 where a GPU has it, or where a short trial shows that the processor gains."""
    ngrams: TfidfSettings | None = None
    """A TF-IDF model fitted beside the encoder, whose log probabilities are added to the
    encoder's with weights learnt on the valid rows; null for the encoder alone."""

    @property
    def judges_epochs(self) -> bool:
        """Whether single epochs matter: an average is only worth judging when it is complete."""
        return self.average == 0.0 or self.patience is not None


ModelSettings = Annotated[TfidfSettings | TransformerSettings, Field(discriminator="family")]
