"""Numbers of README and docs.

The tables are those of docs/measured.json, and what it holds comes out again.
"""

import json

import numpy as np
import pytest

import hrnn
from hrnn import claims
from hrnn.base.streams import stream
from hrnn.study import writing


@pytest.fixture(scope="module")
def kept(numbers):
    return json.loads(numbers.NUMBERS.read_text())


def test_every_table_is_made_of_the_numbers(numbers, kept):
    for name, (page, table) in numbers.TABLES.items():
        text = (numbers.ROOT / page).read_text()
        start, end = numbers.between(text, name)
        assert text[start:end] == "\n".join(table(kept)) + "\n", (name, page)


def test_the_numbers_are_of_the_claims_as_they_are(kept):
    for row, tried, claim in zip(kept["claims"], kept["controls"], claims.CLAIMS, strict=True):
        assert (row["name"], row["claim"], row["criterion"], row["why"]) == (
            claim.name,
            claim.text,
            claim.criterion,
            claim.why,
        )
        assert (tried["name"], tried["criterion"]) == (claim.name, claim.criterion)


def test_every_criterion_fails_on_some_control(kept):
    assert all(row["failed_by"] for row in kept["controls"])


def test_intervals_over_networks_held_in_fresh_sessions(kept):
    held, of = (sum(row[name] for row in kept["fresh"]) for name in ("held", "of"))
    assert of == 60 and held >= 0.9 * of


def test_intervals_of_one_network_held_in_fresh_sessions(kept):
    for rows in kept["coverage"].values():
        free = [row["held"] for row in rows if not row["given"]]
        assert 0.92 <= np.mean(free) <= 0.98


def test_numbers_of_agents_come_out_again(kept):
    """Three agents of the README's first table, in the sessions of `hrnn reproduce --seed 0`."""
    sessions = hrnn.Task().sample(n_blocks=1000, rng=stream(0, "sessions"))
    agents = {
        "semi_markov": hrnn.BayesianActor(),
        "published_actor": hrnn.BayesianActor("published_actor"),
        "optimal_per_step": hrnn.OptimalPolicy("reward_per_step"),
    }
    for name, agent in agents.items():
        table = hrnn.behavior.summary(hrnn.rollout(agent, sessions))
        for quantity in ("correct", "reward_per_step", "mu0_discordant"):
            stored = kept["rows"][f"{name}.{quantity}"]
            assert table.loc[quantity, ["value", "low", "high", "n"]].tolist() == pytest.approx(
                stored, rel=1e-6
            ), (name, quantity)


def test_the_parts_run_on_a_folder(numbers, quick_study, tmp_path):
    """`collect` on a small study, and its tables."""
    writing.write(quick_study, tmp_path, figures=[])
    found = numbers.collect(tmp_path, tmp_path)
    assert found["n_networks"] == 2 and len(found["claims"]) == len(claims.CLAIMS)
    for name in ("behaviour", "claims", "controls", "defects"):
        assert len(numbers.TABLES[name][1](found)) > 5
    assert found["rows"]["network.correct"][0] == pytest.approx(quick_study.wide.correct.mean())


def test_a_page_without_markers_is_refused(numbers):
    with pytest.raises(ValueError, match="must have the markers"):
        numbers.between("text", "claims")
