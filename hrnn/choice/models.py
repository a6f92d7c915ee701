"""The models of choice that the library has, by name.

A model is a class with its row in `REGISTRY`: what differs between models is an attribute or a
method of its class. `protocol` says what a model has; docs/mice.md has every formula and source.
"""

from __future__ import annotations

from hrnn.choice.priors import (
    IBL_TASK,
    ActionKernel,
    Exponential,
    ExponentialWithCurrentTrial,
    Flat,
    FourAlpha,
    Markov,
    MarkovFree,
    Oracle,
    PriorModel,
    SemiMarkov,
    SemiMarkovFree,
    StimulusKernel,
    semi_markov_prior,
)
from hrnn.choice.protocol import Model, ModelLike, Parameter, completed
from hrnn.choice.regressions import HistoryGlm, Psychometric, Repeating

__all__ = [
    "IBL_TASK",
    "LABELS",
    "MODELS",
    "PRIOR_MODELS",
    "REGISTRY",
    "SHORT_LABELS",
    "Model",
    "Parameter",
    "PriorModel",
    "Repeating",
    "has_options",
    "model_of",
    "name_of",
    "semi_markov_prior",
]

REGISTRY: dict[str, type[Model]] = {
    model.name: model
    for model in (
        SemiMarkov,
        Oracle,
        Flat,
        SemiMarkovFree,
        ActionKernel,
        StimulusKernel,
        FourAlpha,
        Exponential,
        ExponentialWithCurrentTrial,
        Markov,
        MarkovFree,
        HistoryGlm,
        Psychometric,
    )
}
MODELS: tuple[str, ...] = tuple(REGISTRY)
PRIOR_MODELS: tuple[str, ...] = tuple(name for name, model in REGISTRY.items() if model.has_options)
# what figures call the models
LABELS: dict[str, str] = {name: model.label or name for name, model in REGISTRY.items()}
SHORT_LABELS: dict[str, str] = {
    name: model.short_label or LABELS[name] for name, model in REGISTRY.items()
}


def has_options(model: ModelLike) -> bool:
    """Whether a model, by its name, has a decision stage with options; a user's object has none."""
    return isinstance(model, str) and model in PRIOR_MODELS


def name_of(model: ModelLike) -> str:
    """Name of a model that is given by its name, or as an object."""
    return model if isinstance(model, str) else completed(model).name


def model_of(
    model: ModelLike,
    *,
    lapses: int = 1,
    zetas: int = 1,
    repetition: bool = False,
    bias: bool = False,
) -> Model:
    """The full model of a name and its options, or of a user's object, which has none.

    Parameters
    ----------
    model : str or ChoiceModel
        One of `MODELS`, or an object with the members of `ChoiceModel`.
    lapses, zetas, repetition, bias
        Options of the decision stage, as in `fit`; only models with a prior have one.

    Returns
    -------
    Model
    """
    options = {"lapses": lapses, "zetas": zetas, "repetition": repetition, "bias": bias}
    if isinstance(model, str) and has_options(model):
        return REGISTRY[model](**options)
    if (lapses, zetas, repetition, bias) != (1, 1, False, False):
        raise ValueError(
            "lapses, zetas, repetition and bias must be left at their defaults for "
            f"{name_of(model)!r}"
        )
    return REGISTRY[model]() if isinstance(model, str) else completed(model)
