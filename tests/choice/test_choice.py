"""Choices in C against the slow twins.

Priors, decision stage, gradients, the normal law in every kernel.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
import reference_choice as twin

import hrnn
from hrnn import _core

MODELS = [  # number in C, parameters, shift, twin
    (0, [0.2], 1, lambda t, p: twin.action_kernel(t, *p)),
    (1, [0.3], 1, lambda t, p: twin.action_kernel(t, *p, of="side")),
    (2, [0.1, 0.3, 0.05, 0.4], 1, twin.four_alpha),
    (3, [6.0, 0.7, 1.3], 1, lambda t, p: twin.exponential(t, *p)),
    (3, [6.0, 0.7, 1.3], 0, lambda t, p: twin.exponential(t, *p, shift=0)),
    (4, [0.03, 0.8], 1, lambda t, p: twin.markov(t, *p)),
]
DECISIONS = [  # zetas, lapses, repetition, bias; one zeta, one lapse, repeats, leans
    ((0.2, 0.35), (0.1, 0.2), 0.15, 0.0, False, False, True, False),
    ((0.3, 0.3), (0.1, 0.1), 0.0, 0.0, True, True, False, False),
    ((0.25, 0.25), (0.05, 0.3), 0.1, 0.4, True, False, True, False),
    ((0.2, 0.35), (0.1, 0.2), 0.15, -0.3, False, False, True, True),
    ((0.3, 0.3), (0.1, 0.1), 0.0, 0.5, True, True, False, True),
]


def trials(n=400, seed=0):
    """(the core's tuple, a list of dicts for the twins)."""
    rng = np.random.default_rng(seed)
    session = np.repeat([0, 1, 5], [n // 2, n // 4, n - n // 2 - n // 4]).astype(np.int64)
    side = rng.choice([-1, 1], n).astype(np.int8)
    contrast = side * rng.choice([0, 0.0625, 0.25, 1.0], n)
    choice = np.where(rng.random(n) < 0.8, side, -side).astype(np.int8)
    choice[rng.random(n) < 0.1] = 0
    biased = (np.arange(n) > 30).astype(np.int8)
    previous = np.zeros(n, np.int8)
    last = 0
    for i in range(n):
        last = last if i and session[i] == session[i - 1] else 0
        previous[i] = last
        last = choice[i] or last
    names = ("session", "choice", "side", "previous", "biased", "contrast")
    arrays = (session, choice, side, previous, biased, contrast)
    return arrays, [
        dict(zip(names, row, strict=True))
        for row in zip(*(a.tolist() for a in arrays), strict=True)
    ]


def prior_of(model, arrays, shift, parameters):
    prior = np.empty(len(arrays[0]))
    dprior = np.empty((len(parameters), len(arrays[0])))
    _core.choice_prior(model, arrays, shift, np.array(parameters), prior, dprior)
    return prior, dprior


@pytest.mark.parametrize("model, parameters, shift, slow", MODELS)
def test_priors_are_those_of_the_twin_and_their_derivatives_those_of_differences(
    model, parameters, shift, slow
):
    arrays, table = trials()
    prior, dprior = prior_of(model, arrays, shift, parameters)
    np.testing.assert_allclose(prior, slow(table, parameters), atol=1e-12)
    for k, value in enumerate(parameters):
        ends = [
            prior_of(
                model, arrays, shift, [*parameters[:k], value + s * 1e-6, *parameters[k + 1 :]]
            )[0]
            for s in (1, -1)
        ]
        np.testing.assert_allclose(dprior[k], np.subtract(*ends) / 2e-6, atol=1e-8)


def likelihood(arrays, decision, prior, dprior):
    zeta, lapse, repetition, bias, *flags = decision
    k = (1 if flags[0] else 2) + (1 if flags[1] else 2) + sum(flags[2:]) + len(dprior)
    gradient = np.empty(k)
    outer = np.empty((k, k))
    log_p = np.empty(len(prior))
    value = _core.choice_likelihood(
        arrays,
        (0.49, *zeta, *lapse, repetition, bias, *flags),
        prior,
        dprior,
        gradient,
        outer,
        log_p,
        np.empty(_core.choice_scratch()),
    )
    return value, gradient, outer, log_p


@pytest.mark.parametrize("decision", DECISIONS)
def test_likelihood_is_that_of_the_twin_and_its_gradient_that_of_differences(decision):
    arrays, table = trials(333)
    zeta, lapse, repetition, bias, one_zeta, one_lapse, repeats, leans = decision
    parameters = [0.1, 0.3, 0.05, 0.4]
    prior, dprior = prior_of(2, arrays, 1, parameters)
    value, gradient, outer, log_p = likelihood(arrays, decision, prior, dprior)
    p = twin.p_right(table, prior, zeta, lapse, repetition, bias)
    np.testing.assert_allclose(log_p, twin.log_p(table, p), atol=1e-12)
    assert value == pytest.approx(log_p.sum(), rel=1e-12)
    shown = np.empty(len(table))
    _core.choice_p_right(
        arrays,
        (0.49, *zeta, *lapse, repetition, bias, one_zeta, one_lapse, repeats, leans),
        prior,
        shown,
        np.empty(_core.choice_scratch()),
    )
    np.testing.assert_allclose(shown, p, atol=1e-13)

    def at(theta):
        theta = list(theta)
        z = [theta[0]] * 2 if one_zeta else theta[:2]
        del theta[: 1 if one_zeta else 2]
        lam = [theta[0]] * 2 if one_lapse else theta[:2]
        del theta[: 1 if one_lapse else 2]
        rho = theta.pop(0) if repeats else repetition
        b = theta.pop(0) if leans else bias
        return twin.log_p(table, twin.p_right(table, twin.four_alpha(table, theta), z, lam, rho, b))

    theta = [*(zeta[:1] if one_zeta else zeta), *(lapse[:1] if one_lapse else lapse)]
    theta += [*([repetition] if repeats else []), *([bias] if leans else []), *parameters]
    each = np.stack(
        [
            (at(np.add(theta, s)) - at(np.subtract(theta, s))) / 2e-6
            for s in 1e-6 * np.eye(len(theta))
        ],
        1,
    )
    np.testing.assert_allclose(gradient, each.sum(0), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(outer, each.T @ each, rtol=1e-4, atol=1e-4)


def test_sign_of_the_prior():
    """SPEC's check: c = .25 and π = .8 make right more likely, c = 0 and π = .8 as well."""
    arrays = tuple(
        np.array([v, v], t)
        for v, t in ((0, np.int64), (1, np.int8), (1, np.int8), (0, np.int8), (1, np.int8))
    )
    shown = np.empty(2)
    decision = (0.49, 0.3, 0.3, 0, 0, 0, 0, True, True, False, False)
    _core.choice_p_right(
        (*arrays, np.array([0.25, 0.0])),
        decision,
        np.array([0.8, 0.8]),
        shown,
        np.empty(_core.choice_scratch()),
    )
    assert shown[0] > shown[1] > 0.8  # sharpened: the slope of the prior is more than 1


def test_impossible_choices_have_a_finite_likelihood():
    arrays, _ = trials(50)
    arrays = (*arrays[:5], -np.abs(arrays[5] + 1) * arrays[1])
    decision = ((0.001, 0.001), (0.0, 0.0), 0.0, 0.0, True, True, False, False)
    value, gradient, *_ = likelihood(arrays, decision, np.full(50, 0.5), np.empty((0, 50)))
    assert np.isfinite(value) and np.isfinite(gradient).all()


@pytest.mark.parametrize("isa", ["baseline", "v3", "v4"])
def test_the_normal_law_and_logarithms_are_accurate_in_every_kernel(isa):
    order = ("baseline", "v3", "v4")
    if order.index(isa) > order.index(hrnn._core.info()["cpu_best"]):
        pytest.skip(f"this machine has no {isa}")
    code = """
import numpy as np, hrnn
from scipy.special import ndtr, ndtri, log_ndtr
rng = np.random.default_rng(0)
x = np.concatenate([np.linspace(-30, 30, 100000), rng.normal(size=20000)])
density, cumulative = np.empty((2, len(x)))
hrnn._core.kernel_normal(x, density, cumulative)
assert abs(cumulative[x > -5] / ndtr(x[x > -5]) - 1).max() < 6e-15
assert abs(np.log(cumulative) - log_ndtr(x)).max() < 1e-12
assert abs(density * np.sqrt(2 * np.pi) / np.exp(-x * x / 2) - 1).max() < 1e-13
p = np.concatenate([np.linspace(1e-9, 1 - 1e-9, 100000), 10 ** rng.uniform(-10, -0.5, 20000)])
hrnn._core.kernel_probit(p, out := np.empty_like(p))
assert abs(out - ndtri(p)).max() < 1e-14 * 5
y = np.concatenate([10 ** rng.uniform(-300, 300, 100000), 1 + rng.uniform(-1e-3, 1e-3, 20000)])
hrnn._core.kernel_log(y, out := np.empty_like(y))
assert (abs(out - np.log(y)) / np.spacing(abs(np.log(y)))).max() < 4
print("ok")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"HRNN_CPU": isa},
    )
    assert done.stdout.strip() == "ok", done.stderr


@pytest.mark.parametrize(
    "change, message",
    [
        ({"model": 5}, "model must be in 0..4"),
        ({"parameters": np.zeros(2)}, "parameters.shape"),
        ({"dprior": np.empty((1, 3))}, "dprior.shape"),
    ],
)
def test_the_binding_names_what_does_not_fit(change, message):
    arrays, _ = trials(20)
    given = {
        "model": 0,
        "trials": arrays,
        "shift": 1,
        "parameters": np.array([0.1]),
        "prior": np.empty(20),
        "dprior": np.empty((1, 20)),
    }
    with pytest.raises(ValueError, match=message):
        _core.choice_prior(*(given | change).values())


def test_a_prior_that_is_clipped_does_not_move():
    """Runs of 32 choices of one side, after which the prior has just been clipped.

    And a strong stimulus on the other.
    """
    n = 330
    choice = np.where(np.arange(n) % 33 < 32, 1, -1).astype(np.int8)
    contrast = np.where(choice > 0, 0.1, -2.0)
    arrays = (
        np.arange(n) // 33,
        choice,
        choice.copy(),
        np.r_[0, choice[:-1]].astype(np.int8),
        np.ones(n, np.int8),
        contrast,
    )
    decision = ((0.3, 0.3), (0.1, 0.1), 0.0, 0.0, True, True, False, False)

    def at(alpha):
        prior, dprior = prior_of(0, arrays, 1, [alpha])
        return likelihood(arrays, decision, prior, dprior), prior

    (_, gradient, *_), prior = at(0.4)
    assert (prior[choice < 0] > 1 - 1e-7).all() and (prior < 1 - 1e-7).sum() > 300
    ends = [at(0.4 + shift)[0][0] for shift in (1e-6, -1e-6)]
    assert gradient[-1] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)
