"""Students of a teacher that two units can be: each kind learns it; seeds, threads, arguments."""

import dataclasses
import time

import numpy as np
import pytest

import hrnn
from hrnn import distill
from hrnn.base import parallel
from hrnn.distill import baselines

A = np.array([[0.7, 0.3], [0.2, 0.85]])
B = np.array([[-0.25, 0.25, 0.0], [-0.05, 0.05, 0.02]])
C = np.array([0.01, -0.01])


@pytest.fixture(scope="module")
def school():
    """(rollout, teacher, RADD in its own two units, rollout in other sessions)."""
    net = hrnn.Network.from_arrays("tanh", W=A, U=B, b=C, V=[[-5, 0], [5, 0]], c=[0.1, -0.1])
    run, master = (
        hrnn.rollout(net, hrnn.Task(n_blocks=2).sample(n_sessions=40, rng=seed)) for seed in (0, 1)
    )
    return (
        run,
        net,
        distill.radd(run, net, rows=np.eye(2), scale=1.0, gains=[5.0], n_resamples=2),
        master,
    )


@pytest.fixture(scope="module")
def learned(school):
    run, net, radd, _ = school
    made = distill.students(run, net, [radd], n_updates=400, n_threads=2, progress=False, rng=0)
    return {kind: students[0] for kind, students in made.items()}


@pytest.mark.parametrize(
    "kind, same, error",
    [
        ("soft_targets", 0.97, 0.12),
        ("hidden_states", 0.97, 0.04),
        ("sampled_choices", 0.95, 0.15),
        ("full_force", 0.95, 0.12),
    ],
)
def test_each_learns_a_teacher_that_it_can_represent(school, learned, kind, same, error):
    run, net, radd, master = school
    found = distill.Examiner(run, net, radd, master).examine(learned[kind].network)
    assert (
        found["same_choice"] > same
        and found["trajectory_error"] < error
        and found["p_difference"] < 0.05
    )
    assert learned[kind].seconds > 0 and learned[kind].network.metadata["distilled"] == kind


def test_states_are_learned_unit_by_unit(school):
    run, net, radd, _ = school
    found = distill.student("hidden_states", run, net, radd, n_updates=2500, rng=0).network
    np.testing.assert_allclose(found.W, A, atol=0.04)
    np.testing.assert_allclose(found.U, B, atol=0.02)


def test_currents_of_a_teacher_in_its_own_units_are_learned_up_to_their_scale(school, learned):
    """Currents are scaled like z, to a largest of artanh(1/1.01): U is B times that scale."""
    run, net, radd, _ = school
    current = np.vstack([np.zeros((1, 2)), run.hidden[:-1]])
    current[run.first_step[run.sessions.offsets[:-1]]] = 0
    current = current @ A.T + run.inputs @ B.T + C
    inside = np.isin(run.sessions.session[run.trial], radd.train_sessions)
    scale = np.arctanh(1 / 1.01) / np.abs(current[inside] - current[inside].mean(0)).max()
    np.testing.assert_allclose(learned["full_force"].network.U, scale * B, atol=0.03)


def test_the_task_itself_is_learned_from_scratch(school, learned):
    *_, master = school
    first = baselines.first_network(2, np.random.default_rng(0))
    correct = [
        (hrnn.rollout(net, master.sessions, hidden=False).choice == master.sessions.side).mean()
        for net in (first, learned["from_scratch"].network)
    ]
    assert correct[0] < 0.2 and correct[1] > 0.75


@pytest.mark.parametrize("kind", ["soft_targets", "hidden_states", "sampled_choices"])
def test_losses_fall_to_what_the_teacher_itself_has(school, learned, kind):
    """The entropy of its own targets is the least that a student's loss can be."""
    run, net, radd, _ = school
    lessons = baselines._targets(kind, run, radd, baselines.TEMPERATURE, np.random.default_rng(0))
    gradient = np.empty_like(net.theta)
    least = np.mean(
        [
            part.gradient(net, net.theta, gradient, baselines.scratch_of(net, part.sequences))
            for part in lessons
        ]
    )
    assert least - 0.01 < learned[kind].loss[-8:].mean() < least + 0.05 < learned[kind].loss[0]


def test_the_same_bits_from_one_thread_and_two_and_others_from_another_seed(school):
    run, net, radd, _ = school

    def thetas(n_threads, rng):
        made = distill.students(
            run, net, [radd, radd], n_updates=5, n_threads=n_threads, progress=False, rng=rng
        )
        return {kind: np.stack([s.network.theta for s in found]) for kind, found in made.items()}

    one = thetas(1, 3)
    two = thetas(2, 3)
    other = thetas(2, 4)
    for kind in distill.KINDS:
        np.testing.assert_array_equal(one[kind], two[kind])
        assert (one[kind][0] != one[kind][1]).all(axis=None) or kind == "full_force"
        assert not np.array_equal(one[kind], other[kind])


def test_a_worker_whose_work_is_not_wanted_ends_at_once(school):
    run, net, radd, _ = school
    for kind in ("soft_targets", "from_scratch"):
        with parallel.workers(1) as pool:
            future = pool.submit(distill.student, kind, run, net, radd, n_updates=10**7)
            while not future.running():
                time.sleep(0.01)
        with pytest.raises(KeyboardInterrupt):
            future.result()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"kind": "magic"}, "kind must be one of"),
        ({"n_updates": 0}, "n_updates"),
        ({"temperature": 0.0}, "temperature"),
        ({"net": hrnn.Network.init("tanh", n_hidden=2, rng=0)}, "run must be a rollout of net"),
        ({"radd": None}, "radd must be hrnn.distill.radd of this run"),
    ],
)
def test_bad_arguments_are_named(school, change, message):
    run, net, radd, _ = school
    given = {"kind": "soft_targets", "run": run, "net": net, "radd": radd, "n_updates": 2} | change
    with pytest.raises(ValueError, match=message):
        distill.student(
            given.pop("kind"), given.pop("run"), given.pop("net"), given.pop("radd"), **given
        )


def test_radd_of_another_run_is_refused(school):
    run, net, radd, _ = school
    fewer = dataclasses.replace(radd, train_sessions=np.array([99]))
    with pytest.raises(ValueError, match="radd must be"):
        distill.student("full_force", run, net, fewer, rng=0)


@pytest.mark.parametrize("kind, tau", [("soft_targets", 3.0), ("hidden_states", 1.0)])
def test_lessons_hold_the_teachers_softened_answers_in_training_sessions(school, kind, tau):
    run, net, radd, _ = school
    lessons = baselines._targets(kind, run, radd, 3.0, np.random.default_rng(0))
    rows = np.concatenate([lesson.sequences.rows for lesson in lessons])
    assert sorted(
        set(run.sessions.session[run.trial[rows]])
    ) == radd.train_sessions.tolist() and len(set(rows)) == len(rows)
    for lesson in lessons:
        margin = (run.hidden @ net.V.T + net.c) @ [-1, 1]
        at = lesson.sequences.rows
        np.testing.assert_allclose(
            lesson.sequences.flat(lesson.target.q), 1 / (1 + np.exp(-margin[at] / tau)), rtol=1e-9
        )
        np.testing.assert_array_equal(
            lesson.sequences.flat(lesson.target.weight) > 0,
            run.step[at] >= run.sessions.task.n_blank,
        )
        assert lesson.target.weight.sum() == pytest.approx(1) and lesson.target.temperature == tau
        if kind == "hidden_states":
            np.testing.assert_allclose(lesson.sequences.flat(lesson.target.y), run.hidden[at])


def test_force_is_given_centred_currents_and_the_starts_of_sessions(school, monkeypatch):
    run, net, radd, _ = school
    seen = []
    monkeypatch.setattr(hrnn._core, "sequence_force", lambda *arguments: seen.append(arguments))
    distill.student("full_force", run, net, radd, rng=0)
    starts, current = (np.concatenate([arguments[k] for arguments in seen]) for k in (3, 4))
    assert len(seen) == starts.sum() == len(radd.train_sessions) and all(
        arguments[3][0] == 1 for arguments in seen
    )
    np.testing.assert_allclose(current.mean(0), 0, atol=1e-12)
    assert np.abs(current).max() == pytest.approx(np.arctanh(1 / 1.01))
