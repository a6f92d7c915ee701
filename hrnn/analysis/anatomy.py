"""A network taken apart: every analysis of one network, once, for figures and report alike."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from hrnn.analysis import connectivity, defects, dynamics, integration, manifold, representation
from hrnn.analysis.continuation import Branch
from hrnn.analysis.paths import Path
from hrnn.base.arguments import generator, instance, one_of, whole_number
from hrnn.inference import Observation, observe
from hrnn.network import Network
from hrnn.rollout import Rollout, rollout
from hrnn.statistics.resampling import Estimate, alone

if TYPE_CHECKING:
    import pandas as pd

_Group = Callable[[], dict[str, Estimate]]  # measures that belong together

N_STARTS: int = 400
N_SESSIONS_UNTRAINED: int = 30
FEEDBACK_RANGE: float = 1.5
# C of all decoders but the floor's: hardly any, so that no interval hides a choice of C
REGULARISATION: float = 1.0
RANKS: tuple[int, ...] = (1, 2, 3, 5, 10, 20)


@dataclasses.dataclass(eq=False)
class Anatomy:
    """What is known of a network from one rollout of it.

    Each part is computed when it is first asked for.

    Parameters
    ----------
    run : Rollout
        A rollout of the network, with its states.
    seed : int
        Seed of the splits and resamples.
    first : Network, optional
        The network before it was trained; by default an untrained one of the same size and cell.

    Examples
    --------
    >>> import hrnn
    >>> net = hrnn.Network.init("tanh", n_hidden=6, rng=0)
    >>> run = hrnn.rollout(net, hrnn.Task().sample(n_sessions=8, rng=0))
    >>> Anatomy(run).verdict.kind
    'fast decay'
    """

    run: Rollout
    seed: int = 0
    first: Network | None = None

    def __post_init__(self) -> None:
        representation.states_of(self.run)
        whole_number(self.seed, "seed", 0)
        if self.first is not None:
            instance(self.first, "first", Network)

    @property
    def network(self) -> Network:
        """The network that was taken apart."""
        return cast("Network", self.run.agent)

    @functools.cached_property
    def seen(self) -> Observation:
        """What the semi-Markov observer of the same trials believed."""
        return observe(self.run)

    @functools.cached_property
    def components(self) -> representation.Pca:
        """Principal components of all steps."""
        return representation.pca(self.run, rng=self.seed)

    @functools.cached_property
    def decoders(self) -> dict[str, representation.Decoder]:
        """Block decoders by name: full and plane, each also by_step and shuffled."""
        axes = self.components.axes[:2]
        decode = functools.partial(
            representation.block_decoder, self.run, regularisation=REGULARISATION, rng=self.seed
        )
        shuffled = representation.shuffled_blocks(self.run, rng=self.seed)
        return {
            "full": decode(),
            "full_by_step": decode(split="time_step"),
            "full_shuffled": decode(labels=shuffled),
            "plane": decode(axes=axes),
            "plane_by_step": decode(axes=axes, split="time_step"),
            "plane_shuffled": decode(axes=axes, labels=shuffled),
        }

    @functools.cached_property
    def untrained(self) -> Rollout:
        """Rollout of the untrained network, on the first of the same sessions."""
        net = self.first
        if net is None:
            net = Network.init(
                self.network.cell,
                n_hidden=self.network.n_hidden,
                rng=self.seed,
                leak=self.network.leak,
            )
        sessions = self.run.sessions
        n_sessions = min(N_SESSIONS_UNTRAINED, sessions.n_sessions)
        return rollout(net, sessions.select(np.arange(n_sessions)), progress=False)

    @functools.cached_property
    def floors(self) -> dict[str, representation.Decoder]:
        """Block decoders of the untrained network, full and in its own plane.

        They are above chance, since recent stimuli already tell the block.
        """
        full = representation.block_decoder(self.untrained, rng=self.seed)
        axes = representation.pca(self.untrained, rng=self.seed).axes[:2]
        plane = representation.block_decoder(
            self.untrained, axes=axes, rng=self.seed, regularisation=full.regularisation
        )
        return {"full": full, "plane": plane}

    @functools.cached_property
    def ceiling(self) -> Estimate:
        """Accuracy of the observer's block posterior on the test sessions."""
        return representation.observer_accuracy(self.run, self.seen, self.decoders["full"])

    @functools.cached_property
    def plane(self) -> representation.Plane:
        """Plane of the first two components with the readouts in it."""
        return representation.task_plane(self.network, self.components, self.decoders["plane"])

    @functools.cached_property
    def angles(self) -> dict[str, Any]:
        """Angle between the readouts, in three ways.

        'plane': in the plane; 'full': that of the plane's block readout in the space of all units;
        'decoder': that of the decoder of all units, for each regularisation.
        """
        full = self.decoders["full"]
        plane = self.decoders["plane"]
        decode = functools.partial(representation.block_decoder, self.run, rng=self.seed)
        by_c = {}
        for C in representation.REGULARISATIONS:
            decoder = full if full.regularisation == C else decode(regularisation=C)
            by_c[C] = representation.readout_angle(self.network, decoder)
        axes = self.components.axes[:2]
        return {
            "plane": representation.readout_angle(self.network, plane, axes=axes),
            "full": representation.readout_angle(self.network, plane),
            "decoder": by_c,
        }

    @functools.cached_property
    def axes(self) -> dict[str, NDArray[np.float64] | representation.Decoder]:
        """Readouts by name, right positive: stimulus and block, and both in the plane.

        Vectors (N,) where they are known, decoders where they are estimated.
        """
        stimulus = representation.stimulus_readout(self.network)
        plane = self.components.axes[:2]
        return {
            "stimulus": stimulus,
            "block": self.decoders["full"],
            "stimulus_in_plane": plane.T @ (plane @ stimulus),
            "block_in_plane": self.decoders["plane"],
        }

    @functools.cached_property
    def readouts(self) -> dict[str, NDArray[np.float64]]:
        """The readouts of `axes` as vectors in raw coordinates, {name: (N,)}."""
        readouts = {}
        for name, axis in self.axes.items():
            estimated = isinstance(axis, representation.Decoder)
            readouts[name] = axis.weights if estimated else axis
        return readouts

    @functools.cached_property
    def slopes(self) -> dict[str, pd.DataFrame]:
        """Slopes of movement along the readouts against evidence and feedback."""
        return {
            "evidence": integration.slopes(self.run, self.axes, of="evidence"),
            "feedback": integration.slopes(self.run, self.axes, of="feedback"),
        }

    @functools.cached_property
    def belief(self) -> integration.Belief:
        """Block belief beside the observer's."""
        return integration.block_belief(self.run, self.decoders["full"], self.seen)

    @functools.cached_property
    def coupling(self) -> pd.DataFrame:
        """How the beliefs act on each other, network and observer."""
        return integration.coupling(self.run, self.decoders["full"], self.seen)

    @functools.cached_property
    def gradient_flow(self) -> dict[str, pd.DataFrame]:
        """Gradient of the loss by steps back, 'untrained' and 'trained'."""
        first = cast("Network", self.untrained.agent)
        return {
            "untrained": integration.gradient_flow(first, self.untrained, rng=self.seed),
            "trained": integration.gradient_flow(self.network, self.run, rng=self.seed),
        }

    @functools.cached_property
    def populations(self) -> dict[str, connectivity.Populations]:
        """Two populations of the trained and of the untrained network."""
        return {
            "trained": connectivity.populations(self.run, rng=self.seed),
            "untrained": connectivity.populations(self.untrained, rng=self.seed),
        }

    @functools.cached_property
    def weights(self) -> connectivity.Weights:
        """Recurrent weights within and between populations."""
        return connectivity.weights_by_population(
            self.network, self.populations["trained"].label, rng=self.seed
        )

    @functools.cached_property
    def low_rank(self) -> dict[int, dict[str, float]]:
        """Agreement with the full network of those whose recurrent weights are cut to a rank."""
        ranks = (rank for rank in RANKS if rank <= self.network.n_hidden)
        return {rank: connectivity.low_rank(self.network, self.run, rank) for rank in ranks}

    @functools.cached_property
    def starts(self) -> NDArray[np.float64]:
        """Visited states from which fixed points are searched."""
        states, _, _ = representation.states_of(self.run)
        n_starts = min(N_STARTS, len(states))
        chosen = generator(self.seed).choice(len(states), n_starts, replace=False)
        return states[np.sort(chosen)]

    @functools.cached_property
    def fixed_points(self) -> dynamics.FixedPoints:
        """Fixed points under the six inputs of `dynamics.CONDITIONS`."""
        inputs = list(dynamics.CONDITIONS.values())
        return dynamics.fixed_points(self.network, x=inputs, starts=self.starts, n_threads=1)

    @functools.cached_property
    def coverage(self) -> float:
        """Fraction of starts that end at a reported stable point when the map is iterated."""
        return dynamics.coverage(self.network, self.fixed_points, self.starts)

    @functools.cached_property
    def paths(self) -> dict[str, Path | None]:
        """Path between the outer stable points under each input; None if there is none."""
        axis = self.readouts["block"]
        return {
            name: manifold.path_between(self.network, self.fixed_points, x=x, axis=axis)
            for name, x in dynamics.CONDITIONS.items()
        }

    @functools.cached_property
    def verdict(self) -> manifold.Verdict:
        """How the block belief is held without input, for as long as the run's own blocks last."""
        return manifold.verdict(
            self.network,
            self.fixed_points,
            axis=self.readouts["block"],
            n_steps=manifold.steps_per_block(self.run),
        )

    @functools.cached_property
    def branches(self) -> dict[str, list[Branch]]:
        """Branches of the fixed points without input, as 'feedback' or a 'stimulus' varies."""
        return {
            "feedback": self._branches_along((0, 0, 1.0)),
            "stimulus": self._branches_along((-0.5, 0.5, 0)),
        }

    def _branches_along(self, along: tuple[float, float, float]) -> list[Branch]:
        """Each branch once, as the input varies in one direction."""
        branches: list[Branch] = []
        for row in self.fixed_points.at((0, 0, 0)):
            start = self.fixed_points.points[row]
            if any(branch.passes(start) for branch in branches):
                continue
            branch = manifold.continuation(
                self.network,
                start,
                x=(0, 0, 0),
                along=along,
                low=-FEEDBACK_RANGE,
                high=FEEDBACK_RANGE,
            )
            branches.append(branch)
        return branches

    @functools.cached_property
    def consequences(self) -> pd.DataFrame:
        """Consequences of defects 5 to 7 and 11 to 15 of the published code for this network."""
        return defects.consequences(self.run, self.fixed_points, self.starts)

    def measures(self) -> dict[str, Estimate]:
        """Headline numbers: {name: Estimate}, the names of the report.

        What this network or task does not define (populations of two units, beliefs before trials
        without blank steps) is left out, and `undefined` says why.
        """
        return dict(self._measured[0])

    @property
    def undefined(self) -> dict[str, str]:
        """Why groups of measures are not defined for this network or task, by group."""
        return self._measured[1]

    @functools.cached_property
    def _measured(self) -> tuple[dict[str, Estimate], dict[str, str]]:
        """Measures by name, and why others are not defined."""
        found: dict[str, Estimate] = {}
        undefined: dict[str, str] = {}
        for name, group in self.groups.items():
            try:
                found |= group()
            except ValueError as error:
                undefined[name] = str(error)
        return found, undefined

    @property
    def groups(self) -> dict[str, _Group]:
        """Functions, by name, each of which returns measures that belong together.

        A function raises ValueError where its measures are not defined.
        """
        groups: dict[str, _Group] = {}
        for part in self.parts.values():
            for group in part:
                groups[group.__name__.strip("_")] = group
        return groups

    @property
    def parts(self) -> dict[str, tuple[_Group, ...]]:
        """The functions of `groups` by part: 'representation', 'integration' and 'mechanism'."""
        return {
            "representation": (self._variance, self._decoding, self._angles),
            "integration": (self._slopes, self._belief, self._coupling, self._published),
            "mechanism": (self._populations, self._fixed_points, self._ranks),
        }

    def _variance(self) -> dict[str, Estimate]:
        ends = representation.pca(self.run, trial_ends=True, rng=self.seed)
        return {
            "variance_pc12": _first_two(self.components),
            "participation_ratio": self.components.participation_ratio,
            "variance_pc12_trial_ends": _first_two(ends),
        }

    def _decoding(self) -> dict[str, Estimate]:
        found = {}
        for name, decoder in self.decoders.items():
            found[f"block_decoder_{name}"] = decoder.accuracy
        for name, decoder in self.floors.items():
            found[f"block_decoder_{name}_untrained"] = decoder.accuracy
        found["block_decoder_observer"] = self.ceiling
        return found

    def _angles(self) -> dict[str, Estimate]:
        by_c = self.angles["decoder"]
        found = {
            "angle_plane": self.angles["plane"],
            "angle_full": self.angles["full"],
            "angle_decoder": by_c[REGULARISATION],
        }
        for C, angle in by_c.items():
            found[f"angle_decoder_at_C_{C:g}"] = angle
        for name, axis in self.readouts.items():
            _, n_units = connectivity.readout_participation(axis)
            found[f"units_in_{name}_readout"] = alone(n_units)
        return found

    def _slopes(self) -> dict[str, Estimate]:
        columns = ["slope", "slope_low", "slope_high"]
        n = self.run.sessions.n_sessions
        evidence = self.slopes["evidence"]
        found = {}
        for suffix in ("", "_in_plane"):
            for kind in ("stimulus", "block"):
                value, low, high = evidence.loc[f"{kind}{suffix}", columns]
                found[f"{kind}_slope{suffix}"] = Estimate(value, low, high, n)
        for suffix in ("", "_in_plane"):
            stimulus = self.axes[f"stimulus{suffix}"]
            block = self.axes[f"block{suffix}"]
            found[f"slope_ratio{suffix}"] = integration.slope_ratio(self.run, stimulus, block)
        return found

    def _published(self) -> dict[str, Estimate]:
        """What the published code measured, to the letter: defects 10 and 13 to 15."""
        angles = defects.readout_angles(self.run, self.components)
        at_arrival = cast("dict[str, float]", self.slopes["feedback"]["slope"])
        found = {f"published_angle_{name}": alone(value) for name, value in angles.items()}
        for name in ("stimulus_in_plane", "block_in_plane"):
            found[f"feedback_slope_before_arrival_{name}"] = alone(
                defects.feedback_slope(self.run, self.readouts[name])
            )
            found[f"feedback_slope_{name}"] = alone(at_arrival[name])
        return found

    def _belief(self) -> dict[str, Estimate]:
        belief = self.belief
        return {
            "belief_scale": belief.scale,
            "belief_correlation": belief.correlation,
            "belief_r2": belief.r2,
            "belief_update_correlation": belief.update_correlation,
            "belief_feedback_share": belief.feedback_share,
            "belief_feedback_share_observer": belief.feedback_share_observer,
            "told_weight": belief.told_weight,
            "told_weight_observer": belief.told_weight_observer,
            "told_weight_ratio": belief.told_weight_ratio,
        }

    def _coupling(self) -> dict[str, Estimate]:
        found = {}
        rows: Any = self.coupling.itertuples()
        for row in rows:
            name = coupling_name(row.agent, row.effect)
            found[name] = Estimate(row.value, row.low, row.high, int(row.n))
        return found

    def _populations(self) -> dict[str, Estimate]:
        trained = self.populations["trained"]
        untrained = self.populations["untrained"]
        return {
            "silhouette": trained.silhouette,
            "silhouette_untrained": untrained.silhouette,
            "correlation_between_populations": alone(trained.between),
            "correlation_between_populations_gained": alone(trained.between - untrained.between),
            "n_populations": alone(trained.n_clusters),
            "cliffs_delta": self.weights.delta,
        }

    def _fixed_points(self) -> dict[str, Estimate]:
        points = self.fixed_points
        numbers = self.verdict.numbers
        rest = points.at((0, 0, 0))
        moduli = np.abs(points.eigenvalues[rest, 0])
        saddle = moduli[points.n_unstable[rest] == 1]
        residual = points.residual.max() if len(points.residual) else np.nan
        found = {
            "n_stable": alone(numbers["n_stable"]),
            "n_saddles": alone(numbers["n_saddles"]),
        }
        for name in ("lambda_stable", "kept_predicted", "kept_simulated"):
            found[name] = alone(numbers.get(name, np.nan))
        found["lambda_saddle"] = alone(saddle.max() if saddle.size else np.nan)
        found["fixed_points_converged"] = alone(points.converged_fraction)
        found["fixed_points_coverage"] = alone(self.coverage)
        found["fixed_points_residual"] = alone(residual)
        found["path_drift"] = alone(numbers.get("largest_drift", np.nan))
        found["path_contraction"] = alone(numbers.get("contraction", np.nan))
        path = self.paths["no input"]
        for name, axis in self.readouts.items():
            angle = path.angles(axis)[0] if path and path.converged else np.nan
            found[f"path_angle_{name}"] = alone(angle)
        return found

    def _ranks(self) -> dict[str, Estimate]:
        found = {}
        for rank, row in self.low_rank.items():
            for name, value in row.items():
                found[f"rank_{rank}_{name}"] = alone(value)
        return found


def coupling_name(agent: Literal["network", "observer"] | str, effect: str) -> str:
    """Name of the measure of an effect of `integration.coupling`.

    Parameters
    ----------
    agent : {'network', 'observer'}
        Whose beliefs act on each other.
    effect : str
        One of `integration.EFFECTS`.

    Returns
    -------
    str
        Name in `Anatomy.measures`.
    """
    one_of(agent, "agent", ("network", "observer"))
    one_of(effect, "effect", integration.EFFECTS)
    words = effect.replace(" ", "_").replace("×", "x")
    suffix = "" if agent == "network" else "_observer"
    return f"coupling_{words}{suffix}"


def _first_two(components: representation.Pca) -> Estimate:
    share = components.cumulative
    if len(share.value) < 2:
        raise ValueError("one unit has one component")
    return Estimate(share.value[1], share.low[1], share.high[1], share.n)
